//! What it costs to verify an access token: `cargo bench -p waybill-web`. The budget is 40 microseconds.

use std::hint::black_box;
use std::time::Instant;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use waybill_lambda::clock;
use waybill_storage::signing_keys::SigningKey;
use waybill_web::tokens::{ACCESS_LIFETIME, AUDIENCE, Claims, ISSUER, Keys, TOKEN_TYPE};

const ROUNDS: usize = 20;
const TOKENS: usize = 2_000;

fn main() {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[1; 32]).unwrap();
    let private = AsDer::<Pkcs8V1Der>::as_der(&pair).unwrap();
    let public = SigningKey { kid: "ours".into(), x: BASE64_URL_SAFE_NO_PAD.encode(pair.public_key()) };
    let now = clock::now().as_second();
    let claims = Claims {
        iss: ISSUER.into(),
        aud: AUDIENCE.into(),
        sub: "acc_00000000000000000000000001".parse().unwrap(),
        sid: "ses_00000000000000000000000001".parse().unwrap(),
        iat: now,
        nbf: now,
        exp: now + ACCESS_LIFETIME,
    };
    let header = Header { kid: Some("ours".into()), typ: Some(TOKEN_TYPE.into()), ..Header::new(Algorithm::EdDSA) };
    let token = jsonwebtoken::encode(&header, &claims, &EncodingKey::from_ed_der(private.as_ref())).unwrap();
    let keys = Keys::new(vec![public]);
    let mut rounds: Vec<f32> = (0..ROUNDS)
        .map(|_| {
            let begin = Instant::now();
            for _ in 0..TOKENS {
                keys.verify(black_box(&token)).unwrap();
            }
            begin.elapsed().as_secs_f32() * 1e6 / TOKENS as f32
        })
        .collect();
    rounds.sort_by(f32::total_cmp);
    println!(
        "verify an access token: {:.1} us (median of {ROUNDS} rounds; {:.1} to {:.1})",
        rounds[ROUNDS / 2],
        rounds[0],
        rounds[ROUNDS - 1]
    );
}
