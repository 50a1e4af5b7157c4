//! What people do with the shop, over real HTTP and WebSockets.

mod access;
mod accounts;
mod bad_input;
mod capturing;
mod catalogue;
mod costing;
mod counting;
mod crowd;
mod delivering;
mod disputing;
mod documenting;
mod drafting;
mod expiring;
mod exporting;
mod failures;
mod fulfilment;
mod guessing;
#[cfg(target_os = "linux")]
mod histories;
mod importing;
mod intents;
mod live;
mod mailing;
mod matrix;
mod noting;
#[cfg(target_os = "linux")]
mod overlapping;
mod overselling;
mod paying;
mod permissions;
mod placing;
mod reconciling;
mod refunding;
mod reporting;
mod restart;
mod returning;
mod saved;
mod searching;
mod second_factor;
mod sessions;
mod shopping;
mod start;
mod stock;
mod timing;
mod totals;
mod webhooks;
