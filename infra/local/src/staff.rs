//! The staff page of infra/staff, beside the API: the files that are deployed, with this shop's addresses in them.

use axum::Router;
use axum::extract::Path;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use http::{StatusCode, header};

use crate::shop::Addresses;

macro_rules! files {
    ($($kind:ident $($name:literal)*;)*) => {
        &[$($(File { name: $name, kind: $kind, text: include_str!(concat!("../../staff/", $name)) },)*)*]
    };
}

struct File {
    name: &'static str,
    kind: &'static str,
    text: &'static str,
}

const SCRIPT: &str = "text/javascript";
const SHEET: &str = "text/css";
const PICTURE: &str = "image/svg+xml";

const FILES: &[File] = files! {
    SHEET "style.css";
    PICTURE "icon.svg";
    SCRIPT "actions.js" "api.js" "app.js" "chart.js" "dom.js" "feed.js" "form.js" "format.js" "log-in.js" "low-stock.js"
        "order.js" "orders.js" "receipt.js" "reports.js" "stock.js" "units.js";
};

const INDEX: &str = include_str!("../../staff/index.html");
const LIVE: &str = include_str!("../../../functions/connections/client/waybill-live.js");

/// Serves the page at `/staff/`.
pub fn router(addresses: &Addresses) -> Router {
    let index = index(addresses);
    let page = move || async move { served("text/html; charset=utf-8", index) };
    Router::new()
        .route("/staff", get(|| async { Redirect::permanent("/staff/") }))
        .route("/staff/", get(page))
        .route("/staff/{file}", get(|Path(name): Path<String>| async move { file(&name) }))
}

/// As infra/tools/staff-files makes it.
fn index(addresses: &Addresses) -> String {
    INDEX.replace("https://api.invalid", &addresses.api).replace("wss://live.invalid", &addresses.websocket)
}

fn file(name: &str) -> Response {
    if name == "waybill-live.js" {
        return served(SCRIPT, LIVE);
    }
    match FILES.iter().find(|file| file.name == name) {
        Some(file) => served(file.kind, file.text),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

fn served(kind: &'static str, text: impl IntoResponse) -> Response {
    let headers = [
        (header::CONTENT_TYPE, kind),
        // Another version of the program has other files.
        (header::CACHE_CONTROL, "no-cache"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // The one part of the policy that cannot stand in the page.
        (header::CONTENT_SECURITY_POLICY, "frame-ancestors 'none'"),
    ];
    (headers, text).into_response()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::workspace;

    #[test]
    fn every_file_of_the_page_is_served() {
        let files = std::fs::read_dir(workspace().join("infra/staff")).unwrap();
        let there: BTreeSet<_> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        let known = FILES.iter().map(|file| file.name).chain(["index.html", "types.d.ts"]);
        assert_eq!(there, known.map(str::to_owned).collect());
        assert!(FILES.iter().all(|file| file.name.ends_with(".js") == (file.kind == SCRIPT)));
    }

    #[test]
    fn the_page_has_the_addresses_of_its_shop_and_may_call_no_others() {
        let addresses = Addresses {
            api: "http://127.0.0.1:3000".into(),
            websocket: "ws://127.0.0.1:3001".into(),
            mail: String::new(),
            stripe: None,
            dynamodb: String::new(),
            aws: String::new(),
        };
        let page = index(&addresses);
        assert!(page.contains("connect-src http://127.0.0.1:3000 ws://127.0.0.1:3001;"));
        assert!(page.contains(r#"<meta name="waybill-api" content="http://127.0.0.1:3000">"#));
        assert!(page.contains(r#"<meta name="waybill-live" content="ws://127.0.0.1:3001">"#));
        assert!(!page.contains("invalid"));
    }
}
