//! What the benches share: how they find what a read costs, and how they show it.

use std::io::Write;
use std::time::Instant;

use crate::shop::Shop;

/// How often each list is read.
const ROUNDS: usize = 100;

/// What one read costs.
#[derive(Clone, Copy)]
pub struct Cost {
    /// The median.
    milliseconds: f64,
    calls: usize,
    /// Read units, as the engine counts them.
    units: f64,
    /// Of the answers of the table, all together.
    bytes: u64,
}

/// The sizes that somebody asks for on the command line, or else these.
pub fn sizes(usual: &[usize]) -> Vec<usize> {
    let sizes: Vec<usize> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    if sizes.is_empty() { usual.to_vec() } else { sizes }
}

/// Reads once, so that what is kept between reads is there, and to see what it costs; then again and again for the time.
pub async fn cost(shop: &Shop, read: impl AsyncFn()) -> Cost {
    shop.wire.calls();
    shop.wire.bytes();
    shop.wire.units();
    read().await;
    let (calls, bytes, units) = (shop.wire.calls().len(), shop.wire.bytes(), shop.wire.units());
    let mut took = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let begin = Instant::now();
        read().await;
        took.push(begin.elapsed().as_secs_f64() * 1e3);
    }
    took.sort_by(f64::total_cmp);
    Cost { milliseconds: took[ROUNDS / 2], calls, units, bytes }
}

/// A column for each size; at the end of a row, how many times as long it takes in the last as in the first, and how many times
/// as long as the row `against` takes then.
pub fn show(sizes: &[usize], columns: &[Vec<(&'static str, Cost)>], against: Option<&str>) {
    let grown = |row: usize| columns[columns.len() - 1][row].1.milliseconds / columns[0][row].1.milliseconds;
    let against = columns[0].iter().position(|(name, _)| Some(*name) == against).map(grown);
    println!("\n{:38} {}", "", sizes.iter().map(|size| format!("{size:>40}")).collect::<String>());
    for (row, (name, _)) in columns[0].iter().enumerate() {
        let cells: Vec<_> = columns.iter().map(|column| column[row].1).collect();
        let cell = |Cost { milliseconds, calls, units, bytes }: &Cost| {
            format!("{milliseconds:>9.2} ms {calls:>2} calls {units:>5.1} units {bytes:>6} B")
        };
        let shown: String = cells.iter().map(cell).collect();
        let than = against.map(|against| format!("   x{:.2}", grown(row) / against)).unwrap_or_default();
        println!("{name:38} {shown}   x{:.2}{than}", grown(row));
    }
}

/// Numbers below what is asked for, the same in every run.
pub fn numbers() -> impl FnMut(usize) -> usize {
    let mut seed = 7_u64;
    move |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % below
    }
}

/// Says how far something that takes long has come.
pub fn progress(what: &str, done: usize, size: usize, begin: Instant) {
    eprint!("\r{done} of {size} {what}, {} s ", begin.elapsed().as_secs());
    let _ = std::io::stderr().flush();
    if done == size {
        eprintln!();
    }
}
