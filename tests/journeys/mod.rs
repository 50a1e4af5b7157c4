//! What people do with the shop, over real HTTP and WebSockets.

mod access;
mod bad_input;
mod failures;
mod fulfilment;
mod overselling;
mod paying;
mod permissions;
mod placing;
mod restart;
mod shopping;
mod start;
mod webhooks;
