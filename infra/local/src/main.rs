//! `cargo run`: builds the functions, starts the shop, and says how to use it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use waybill_local::template::Template;
use waybill_local::{Folder, Options, Payments, Ports, Shop, Store, build_functions, workspace};

mod administrator;
mod logs;
mod screen;
mod stock;

/// Runs a whole Waybill shop on this machine: the real function binaries, with DynamoDB, SQS, SES, WebSockets and a
/// stand-in for Stripe around them. Data is kept in .local/ and survives a restart; Ctrl-C stops everything.
#[derive(Parser)]
#[command(
    name = "waybill",
    version,
    after_help = "\
With STRIPE_SECRET_KEY and STRIPE_WEBHOOK_SECRET in the environment, payments go to Stripe itself instead of the stand-in.

Examples:
  cargo run                        start, with a demo catalogue the first time
  cargo run -- --fresh --empty     begin anew, with nothing in the shop
  cargo run -- --port 4000         listen on 4000 to 4005
  cargo run -- --parameter PaymentCapture=manual
                                   hold what buyers pay until staff capture it
  cargo run -- --token customer    an access token for the shop that is open already
  cargo run -- --code              a code to log in to the staff page with
  cargo run -- --check-stock       whether its stock is what its ledger says"
)]
struct Arguments {
    /// The API's port; the WebSocket, mail page, payments, DynamoDB and AWS endpoint take the five behind it. 0 takes
    /// any that are free.
    #[arg(long, default_value_t = 3000)]
    port: u16,
    /// Leave out the demo catalogue.
    #[arg(long)]
    empty: bool,
    /// Forget everything that is stored, and begin anew.
    #[arg(long)]
    fresh: bool,
    /// The folder that the data is kept in.
    #[arg(long, value_name = "FOLDER", default_value_os_t = workspace().join(".local"))]
    store: PathBuf,
    /// Where the shop's front lives: browsers may call the API from there, and Stripe sends buyers back to it.
    #[arg(long, value_name = "URL", default_value = "http://localhost:5173")]
    shop_url: String,
    /// Rate limits: name=uses/seconds, with commas between; * is every limit. On this machine everybody comes from one
    /// address, so the limits on requests, orders, payments and sign-ups by address are out of the way unless this names
    /// them; the others hold as they do on AWS.
    #[arg(long, value_name = "RATES", default_value = "")]
    rate_limits: String,
    /// Run the function binaries of this folder, instead of building them first.
    #[arg(long, value_name = "FOLDER")]
    functions: Option<PathBuf>,
    /// A parameter of template.yaml, as a deployment would set it: PaymentCapture=manual. May be given several times.
    #[arg(long = "parameter", value_name = "NAME=VALUE", value_parser = named)]
    parameters: Vec<(String, String)>,
    /// Compare the stock of the shop that is open at --port with its ledger, and fail where they differ.
    #[arg(long)]
    check_stock: bool,
    /// Print a code of the administrator's second factor, for the staff page, and nothing else. A code is good once.
    #[arg(long)]
    code: bool,
    /// Print an access token for the shop that is open at --port, and nothing else.
    #[arg(long, value_name = "WHO")]
    token: Option<Who>,
}

fn named(text: &str) -> Result<(String, String), &'static str> {
    let (name, value) = text.split_once('=').ok_or("must be a name and a value, such as PaymentCapture=manual")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// What one address needs that everybody comes from.
const ROOMY: &str = "requests-address=1000000/60,requests-account=1000000/60,sign-up-address=1000/3600,\
    order-address=1000000/60,order-account=1000000/60,payment-address=1000000/60,payment-account=1000000/60";

#[derive(Clone, Copy, clap::ValueEnum)]
enum Who {
    /// The administrator of --store.
    Administrator,
    /// Somebody who signs up just for this.
    Customer,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("waybill: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), Box<dyn std::error::Error>> {
    if let Some(who) = arguments.token {
        let at = |port: u16| format!("http://127.0.0.1:{port}");
        let token = match who {
            Who::Administrator => administrator::kept(&arguments.store)?.log_in(&at(arguments.port)).await?,
            Who::Customer => administrator::new_customer(&at(arguments.port), &at(arguments.port + 2)).await?,
        };
        println!("{token}");
        return Ok(());
    }
    if arguments.code {
        println!("{}", administrator::kept(&arguments.store)?.code()?);
        return Ok(());
    }
    if arguments.check_stock {
        return stock::check(&format!("http://127.0.0.1:{}", arguments.port + 5)).await;
    }
    let payments = payments()?;
    let ports = Ports::from(arguments.port).ok_or("--port must leave room for five more behind it")?;
    let given: BTreeMap<_, _> = arguments.parameters.into_iter().collect();
    let template = workspace().join("template.yaml");
    // What it has no such parameter for is told before anything is built.
    Template::read(&template, &given, "http://127.0.0.1:1")?;
    let folder = Folder::open(&arguments.store, arguments.fresh)?;
    let path = folder.path().to_owned();
    let binaries = match arguments.functions {
        Some(folder) if folder.is_dir() => folder,
        Some(folder) => return Err(format!("--functions: {} is no folder", folder.display()).into()),
        None => {
            screen::say("Building the functions (some minutes the first time, then seconds)");
            tokio::task::spawn_blocking(build_functions).await??
        }
    };
    screen::say("Starting");
    let shop_url = arguments.shop_url.trim_end_matches('/').to_owned();
    let currency = given.get("ShopCurrency").cloned().unwrap_or_else(|| "USD".to_owned());
    let mut parameters = BTreeMap::from([
        ("Origins".to_owned(), origin(&shop_url)),
        ("RateLimits".to_owned(), format!("{ROOMY},{}", arguments.rate_limits)),
        ("ShopUrl".to_owned(), shop_url),
    ]);
    parameters.extend(given);
    let options = Options {
        template,
        binaries,
        store: Store::Folder(folder),
        ports,
        parameters,
        payments,
        workers_per_function: 8,
        holds_to_roles: false,
        logs: logs::into_files(path.join("logs"))?,
        report: Arc::new(|line| eprintln!("{line}")),
    };
    let shop = Shop::start(options).await?;
    // Until here Ctrl-C simply ends the program; a function whose host is gone ends by itself.
    let mut stop = std::pin::pin!(stop_signal());
    let prepared = tokio::select! {
        // Asked first, so that Ctrl-C is heard before the screen tells of it, even where there is nothing to prepare.
        biased;
        () = &mut stop => {
            shop.stop().await;
            return Ok(());
        }
        prepared = prepare(&shop, &path, (!arguments.empty).then_some(currency)) => prepared,
    };
    let (administrator, shown_before) = match prepared {
        Ok(prepared) => prepared,
        Err(error) => {
            shop.stop().await;
            return Err(error);
        }
    };
    screen::show(shop.addresses(), &administrator, shown_before, &path);
    stop.await;
    screen::say("Stopping");
    shop.stop().await;
    Ok(())
}

/// The administrator and the demo catalogue of a store that has none yet, at prices in a currency.
async fn prepare(
    shop: &Shop,
    store: &std::path::Path,
    currency: Option<String>,
) -> Result<(administrator::Administrator, bool), Box<dyn std::error::Error>> {
    let (administrator, shown_before) = administrator::of(shop, store).await?;
    let filled = store.join("demo-catalogue");
    if let Some(currency) = currency.filter(|_| !filled.exists()) {
        let token = administrator.log_in(&shop.addresses().api).await?;
        let count = waybill_local::fill_demo(&shop.addresses().api, &token, &currency, screen::progress).await?;
        std::fs::write(&filled, format!("{} categories, {} products\n", count.categories, count.products))?;
    }
    Ok((administrator, shown_before))
}

/// The part of an address that a browser calls a page's origin.
fn origin(url: &str) -> String {
    let host = url.find("://").map_or(0, |scheme| scheme + 3);
    url[host..].find('/').map_or(url, |path| &url[..host + path]).to_owned()
}

fn payments() -> Result<Payments, &'static str> {
    let variable = |name| std::env::var(name).ok().filter(|value: &String| !value.is_empty());
    match (variable("STRIPE_SECRET_KEY"), variable("STRIPE_WEBHOOK_SECRET")) {
        (None, None) => Ok(Payments::StandIn),
        (Some(secret_key), Some(webhook_secret)) => Ok(Payments::Stripe { secret_key, webhook_secret }),
        (Some(_), None) => {
            Err("STRIPE_SECRET_KEY is set, but STRIPE_WEBHOOK_SECRET is not; set both for Stripe itself, or neither")
        }
        (None, Some(_)) => {
            Err("STRIPE_WEBHOOK_SECRET is set, but STRIPE_SECRET_KEY is not; set both for Stripe itself, or neither")
        }
    }
}

async fn stop_signal() {
    let interrupt = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let (Ok(mut terminate), Ok(mut hang_up)) = (signal(SignalKind::terminate()), signal(SignalKind::hangup()))
        else {
            let _ = interrupt.await;
            return;
        };
        tokio::select! {
            _ = interrupt => {}
            _ = terminate.recv() => {}
            _ = hang_up.recv() => {}
        }
    }
    #[cfg(not(unix))]
    let _ = interrupt.await;
}
