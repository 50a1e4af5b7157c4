//! Asks a shop on this machine for one thing after another, from so many clients at once, each of which waits for its answer
//! before it asks again. Tells how many answers come a second, how long one takes, and what processor time the functions and
//! the host have spent on each. `infra/tools/load` opens the shop for it.

#![expect(clippy::disallowed_methods, reason = "who asks makes its keys itself, and looks at the clock")]

mod client;
mod export;
mod orders;
mod processes;
mod products;
mod shop;

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Parser;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use client::{Client, Step};
use processes::{Processes, settle};
use shop::{Refused, Shop};

#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    shop: Shop,
    /// How many clients at once.
    #[arg(long, value_delimiter = ',', default_value = "1,8,64")]
    clients: Vec<usize>,
    /// How long each thing is asked for, in seconds.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// How many products are made before, beside those that are there.
    #[arg(long, default_value_t = 1000)]
    products: usize,
    /// How many orders are made before.
    #[arg(long, default_value_t = 0)]
    orders: usize,
    /// Exports in the end all orders, or their lines: orders, lines or both, with a comma between.
    #[arg(long, value_delimiter = ',')]
    export: Vec<String>,
    /// Only these, by their names in the table: "a product", with a comma between.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Where to keep the figures, too.
    #[arg(long)]
    json: Option<PathBuf>,
}

/// What is measured, in the order of a visit.
const STEPS: [Step; 9] = [
    Step::List,
    Step::Search,
    Step::Product,
    Step::Put,
    Step::Place,
    Step::StartPayment,
    Step::Pay,
    Step::OwnOrders,
    Step::StaffOrders,
];

#[tokio::main]
async fn main() {
    let Arguments { shop, clients, seconds, products, orders, export, only, json } = Arguments::parse();
    let begin = Instant::now();
    let sold = Arc::new(products::fill(&shop, products).await);
    println!("{products} products, made in {:.0} s", begin.elapsed().as_secs_f32());
    let begin = Instant::now();
    orders::fill(&shop, &sold, orders).await;
    println!("{orders} orders, made in {:.0} s", begin.elapsed().as_secs_f32());
    let customers: Vec<_> = (0..clients.iter().copied().max().unwrap_or_default()).map(|_| shop.customer()).collect();
    println!(
        "clients  what              a second   p50 ms   p99 ms  functions us  host us  functions MB  host MB  refused"
    );
    let mut rows = Vec::new();
    for &count in &clients {
        for step in STEPS.into_iter().filter(|step| only.is_empty() || only.iter().any(|name| name == step.name())) {
            let clients = customers[..count].iter().map(|customer| Client::new(&shop, customer, sold.clone()));
            settle(shop.host).await;
            let row = measure(clients.collect(), step, shop.host, Duration::from_secs(seconds)).await;
            println!("{}", line(&row));
            std::io::stdout().flush().unwrap();
            rows.push(row);
        }
    }
    let mut exports = Vec::new();
    for of in export {
        settle(shop.host).await;
        exports.push(export::run(&shop, &of).await);
    }
    if let Some(path) = json {
        let figures = json!({ "products": products, "orders": orders, "rows": rows, "exports": exports });
        std::fs::write(path, format!("{figures:#}\n")).unwrap();
    }
}

/// Lets every client do one step again and again.
async fn measure(clients: Vec<Client>, step: Step, host: u32, time: Duration) -> Value {
    let count = clients.len();
    let processes = Processes::of(host);
    let (begin, before) = (Instant::now(), processes.spent());
    let until = begin + time;
    let mut running = JoinSet::new();
    for mut client in clients {
        running.spawn(async move {
            let (mut took, mut refused) = (Vec::new(), Vec::new());
            while Instant::now() < until {
                match client.act(step).await {
                    Ok(time) => took.push(time),
                    Err(Refused(why)) => refused.push(why),
                }
            }
            (took, refused)
        });
    }
    let (mut took, mut refused) = (Vec::new(), Vec::new());
    for (one, other) in running.join_all().await {
        took.extend(one);
        refused.extend(other);
    }
    let seconds = begin.elapsed().as_secs_f64();
    let spent = Processes::of(host).spent().since(before);
    if let Some(why) = refused.last() {
        eprintln!("{} is refused, lastly: {why}", step.name());
    }
    took.sort();
    let at = |part: usize| took.get(took.len() * part / 100).map_or(f64::NAN, |time| time.as_secs_f64() * 1e3);
    // What is done before the step itself costs, too, but is not what is asked about: see `Step::is_prepared`.
    let each = |time: Duration| (!step.is_prepared()).then(|| time.as_secs_f64() * 1e6 / took.len() as f64);
    json!({
        "clients": count,
        "what": step.name(),
        "a_second": took.len() as f64 / seconds,
        "p50_ms": at(50),
        "p99_ms": at(99),
        "functions_us": each(spent.functions),
        "host_us": each(spent.host),
        "functions_mb": spent.functions_mb,
        "host_mb": spent.host_mb,
        "refused": refused.len(),
    })
}

fn line(row: &Value) -> String {
    let number = |name: &str| row[name].as_f64().map_or("-".to_owned(), |number| format!("{number:.0}"));
    let exact = |name: &str| row[name].as_f64().map_or("-".to_owned(), |number| format!("{number:.1}"));
    format!(
        "{:>7}  {:<16} {:>9} {:>8} {:>8} {:>13} {:>8} {:>13} {:>8} {:>8}",
        number("clients"),
        row["what"].as_str().unwrap_or_default(),
        number("a_second"),
        exact("p50_ms"),
        exact("p99_ms"),
        number("functions_us"),
        number("host_us"),
        number("functions_mb"),
        number("host_mb"),
        number("refused")
    )
}
