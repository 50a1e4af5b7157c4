//! What a person sees in the terminal.

use std::io::{IsTerminal, Write, stderr, stdout};
use std::path::Path;

use waybill_local::Addresses;

use crate::administrator::{Administrator, FILE};

/// A step of the start.
pub fn say(step: &str) {
    eprintln!("{} {step}", paint("1;36", "waybill"));
}

/// How far the demo catalogue is.
pub fn progress(done: usize, all: usize) {
    if stderr().is_terminal() {
        let end = if done == all { "\n" } else { "" };
        eprint!("\r{} Filling the shelves: {done} of {all}{end}", paint("1;36", "waybill"));
        let _ = stderr().flush();
    } else if done == all {
        say(&format!("Filled the shelves with {all} categories and products"));
    }
}

/// The start-up screen.
pub fn show(addresses: &Addresses, administrator: &Administrator, shown_before: bool, store: &Path) {
    let kept = store.join(FILE);
    let payments = match &addresses.stripe {
        Some(stand_in) => format!("{stand_in}  a stand-in for Stripe; no real money"),
        None => "Stripe, with the keys of STRIPE_SECRET_KEY and STRIPE_WEBHOOK_SECRET".to_owned(),
    };
    let password = match shown_before {
        true => format!("in {}", kept.display()),
        false => format!("{}  (shown once, kept in {})", administrator.password, kept.display()),
    };
    let rows = [
        ("API", addresses.api.clone()),
        ("Staff page", format!("{}/staff/", addresses.api)),
        ("WebSocket", format!("{}/?ticket=…", addresses.websocket)),
        ("Mail outbox", addresses.mail.clone()),
        ("Payments", payments),
        ("DynamoDB", format!("{}  for any DynamoDB client; the table is named Table", addresses.dynamodb)),
        ("AWS endpoint", format!("{}  SQS, SES, Secrets Manager, Lambda", addresses.aws)),
        ("Administrator", administrator.email.clone()),
        ("Password", password),
        (
            "Log-in code",
            "cargo run -- --code  (in another terminal; the second factor, as an authenticator app shows it)"
                .to_owned(),
        ),
        (
            "Staff token",
            "cargo run -- --token administrator  (in another terminal; it knows the second factor)".to_owned(),
        ),
        ("Logs and data", store.display().to_string()),
    ];
    let mut screen = format!("\n{}\n\n", paint("1", "The shop is open."));
    for (name, value) in rows {
        screen += &format!("  {}{value}\n", paint("2", &format!("{name:<15}")));
    }
    screen += &format!("\n{}\n\n", paint("1", "Buy something (paste into a shell):"));
    for line in commands(addresses).lines() {
        screen += &format!("  {line}\n");
    }
    screen += "\nThen pay on that page, look into the mail outbox, and ask for the order again (the last line).\n";
    screen += "Ctrl-C stops everything.\n";
    print!("{screen}");
    let _ = stdout().flush();
}

/// Needs curl and sed only, works in bash and zsh, and may be pasted again.
fn commands(addresses: &Addresses) -> String {
    format!(
        r#"API={api}
field() {{ sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p"; }}
ANN=ann$RANDOM$RANDOM@example.com; JSON='Content-Type: application/json'
curl -s $API/v1/accounts -H "$JSON" -d '{{"email":"'$ANN'","password":"correct horse"}}'; echo; sleep 2
LINK=$(curl -s "{mail}/api/mails?to=$ANN" | sed 's/.*#token=\([A-Za-z0-9._-]*\).*/\1/')
TOKEN=$(curl -s $API/v1/accounts/confirm -H "$JSON" -d '{{"token":"'$LINK'","password":"correct horse"}}' | field access_token)
AUTH="Authorization: Bearer $TOKEN"
SKU=$(curl -s "$API/v1/products?limit=1" | sed 's/.*"id":"\(prd_[^"]*\)".*/\1/' | xargs -I ID curl -s $API/v1/products/ID | sed 's/.*"skus":\[{{"sku":"\([^"]*\)".*/\1/')
QUOTE=$(curl -s -X PUT $API/v1/cart/lines/$SKU -H "$AUTH" -H "$JSON" -d '{{"quantity":2}}' | field quote)
ORDER=$(curl -s $API/v1/orders -H "$AUTH" -H "Idempotency-Key: $RANDOM-$RANDOM" -H "$JSON" -d '{{"quote":"'$QUOTE'","shipping_address":{{"name":"Ann","line1":"1 Main St","city":"Springfield","postal_code":"62701","country":"US"}}}}' | sed 's/^{{"id":"\(ord_[^"]*\)".*/\1/')
PAGE=$(curl -s -X POST $API/v1/orders/$ORDER/payment-sessions -H "$AUTH" | field url)
echo "Pay here: $PAGE"
curl -s $API/v1/orders/$ORDER -H "$AUTH""#,
        api = addresses.api,
        mail = addresses.mail
    )
}

fn paint(style: &str, text: &str) -> String {
    let plain = std::env::var_os("NO_COLOR").is_some() || !stdout().is_terminal() || !stderr().is_terminal();
    if plain { text.to_owned() } else { format!("\x1b[{style}m{text}\x1b[0m") }
}
