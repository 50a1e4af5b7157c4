//! What people do with the shop, over real HTTP and WebSockets.

mod access;
mod accounts;
mod bad_input;
mod capturing;
mod catalogue;
mod counting;
mod disputing;
mod documenting;
mod drafting;
mod expiring;
mod failures;
mod fulfilment;
mod guessing;
#[cfg(target_os = "linux")]
mod histories;
mod importing;
mod intents;
mod matrix;
mod noting;
mod overselling;
mod paying;
mod permissions;
mod placing;
mod reconciling;
mod refunding;
mod restart;
mod returning;
mod searching;
mod second_factor;
mod sessions;
mod shopping;
mod start;
mod stock;
mod timing;
mod totals;
mod webhooks;
