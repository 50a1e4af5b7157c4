//! Looks for a `Stripe-Signature` that is taken though nobody signed it, or that makes the check panic.

#![no_main]

use libfuzzer_sys::fuzz_target;

// Not the function's library, which has all of AWS's behind it.
#[path = "../../src/signature.rs"]
mod signature;

const NOW: i64 = 1_800_000_000;

fuzz_target!(|input: (&str, &str)| {
    let (header, body) = input;
    assert!(!signature::is_signed(body, header, "whsec_nobody_knows", NOW), "{header:?} is taken");
});
