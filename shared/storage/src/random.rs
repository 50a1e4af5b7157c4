//! Randomness, which is the operating system's; on the thread of a simulation it follows from a seed.

use std::cell::Cell;

use crate::table::StorageError;

thread_local! {
    static SIMULATED: Cell<Option<u64>> = const { Cell::new(None) };
}

/// From now on, what is random on this thread follows from the seed: a history that went wrong can be replayed. Release
/// builds, and so deployed functions, take no notice.
pub fn simulate(seed: u64) {
    SIMULATED.set(Some(seed));
}

/// Fills in bytes that nobody can guess.
pub fn fill(bytes: &mut [u8]) -> Result<(), getrandom::Error> {
    let Some(mut state) = SIMULATED.get().filter(|_| cfg!(debug_assertions)) else { return getrandom::fill(bytes) };
    for part in bytes.chunks_mut(size_of::<u64>()) {
        part.copy_from_slice(&mixed(&mut state).to_le_bytes()[..part.len()]);
    }
    SIMULATED.set(Some(state));
    Ok(())
}

/// A number that nobody can guess.
pub fn number() -> Result<u64, getrandom::Error> {
    let mut bytes = [0; size_of::<u64>()];
    fill(&mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}

/// A number unlike all before it, for what is written.
pub(crate) fn fresh() -> Result<u64, StorageError> {
    number().map_err(|error| StorageError::Broken(format!("no random number: {error}")))
}

/// The next number of a state, the same for the same state: nothing to keep secrets with. SplitMix64:
/// https://prng.di.unimi.it/splitmix64.c
pub fn mixed(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_thread_that_simulates_can_be_foretold() {
        let seeded = |seed| {
            let foretold = move || {
                simulate(seed);
                [number().unwrap(), number().unwrap()]
            };
            std::thread::spawn(foretold).join().unwrap()
        };
        assert_eq!(seeded(1), seeded(1));
        assert_ne!(seeded(1), seeded(2));
        assert_ne!(seeded(1)[0], seeded(1)[1]);
        assert_ne!(number().unwrap(), number().unwrap());
    }
}
