//! Whether the time of an answer tells who has an account. Slow, and better on a quiet machine, so run by itself:
//! `cargo test --workspace --test waybill -- --ignored --nocapture nobody_can_tell_by_the_time`, which is infra/tools/timing.

use std::time::Instant;

use serde_json::{Value, json};
use waybill_tests::{Answer, TestShop};

/// As long as the known one, and asked about as often.
const UNKNOWN: &str = "00000000000000000000000000000000@example.com";

/// Of each kind, known and unknown.
const ASKED: usize = 500;

/// The chance that of a known and an unknown address the known one took longer: 0.5 when nobody can tell (area under
/// the ROC curve, by ranks).
fn auc(known: &[f64], unknown: &[f64]) -> f64 {
    let mut wins = 0.0;
    for one in known {
        for other in unknown {
            wins += if one > other { 1.0 } else { f64::from(u8::from(one == other)) / 2.0 };
        }
    }
    wins / (known.len() * unknown.len()) as f64
}

/// Known or unknown, so many of each, shuffled: whatever else the machine does, and that it slows down as the store grows,
/// falls on both.
fn in_an_order_of_chance() -> Vec<bool> {
    let mut order: Vec<bool> = (0..2 * ASKED).map(|number| number % 2 == 0).collect();
    let mut chance = 88_172_645_463_325_252_u64;
    for place in (1..order.len()).rev() {
        chance ^= chance << 13;
        chance ^= chance >> 7;
        chance ^= chance << 17;
        order.swap(place, (chance % (place as u64 + 1)) as usize);
    }
    order
}

#[test]
fn the_measure_tells_apart_what_differs_and_nothing_else() {
    let times: Vec<f64> = (0..500).map(|number| f64::from(number * 7919 % 500)).collect();
    let later: Vec<f64> = times.iter().map(|time| time + 50.0).collect();
    assert!((auc(&times, &times) - 0.5).abs() < 1e-9);
    assert!(auc(&later, &times) > 0.55);
}

#[ignore = "slow; infra/tools/timing runs it"]
#[tokio::test(flavor = "multi_thread")]
async fn nobody_can_tell_by_the_time_of_an_answer_whether_an_address_has_an_account() {
    // One process, so that none is slower than another.
    let shop = TestShop::open_with(|options| options.workers_per_function = 1).await;
    let customer = shop.customer().await;
    let anyone = shop.anyone();
    let log_in = |email: &str| ("/v1/sessions", json!({ "email": email, "password": "a wrong horse" }));
    let reset = |email: &str| ("/v1/password-resets", json!({ "email": email }));
    for (name, ask) in [("log-in", &log_in as &dyn Fn(&str) -> (&'static str, Value)), ("reset", &reset)] {
        let mut times = [Vec::new(), Vec::new()];
        let mut told: Vec<(u16, Value)> = Vec::new();
        for is_known in in_an_order_of_chance() {
            let (path, body) = ask(if is_known { &customer.email } else { UNKNOWN });
            let begin = Instant::now();
            let answer: Answer = anyone.post(path, body).await;
            times[usize::from(!is_known)].push(begin.elapsed().as_secs_f64());
            let mut body = answer.body;
            body.as_object_mut().unwrap().remove("request_id");
            told.push((answer.status, body));
        }
        told.dedup();
        assert_eq!(told.len(), 1, "{name}: {told:?}");
        let area = auc(&times[0], &times[1]);
        println!("{name}: {} asked, every answer {}, AUC {area:.3}", 2 * ASKED, told[0].0);
        assert!((0.45..=0.55).contains(&area), "{name}: AUC {area:.3}");
    }
    shop.stop().await;
}
