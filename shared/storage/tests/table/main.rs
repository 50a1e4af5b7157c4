//! The storage crate against a real engine: every conditional write with each of its refusals, what the calls cost, and
//! what comes of replies that are lost or say that the table is busy.

mod accounts;
mod addresses;
mod announcements;
mod budgets;
mod busy;
mod carts;
mod catalog;
mod categories;
mod changing;
mod connections;
mod documents;
mod drafts;
mod exchanging;
mod exports;
mod feeds;
mod flash_sale;
mod imports;
mod lists;
mod lost_replies;
mod mails;
mod order_counts;
mod payers;
mod placing;
mod pricing;
mod search;
mod selling_out;
mod sessions;
mod shop;
mod signing_keys;
mod spreading;
mod stock;
mod tallies;
mod waiting;
mod webhooks;
mod wire;
