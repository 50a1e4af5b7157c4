//! Whether the stock of a shop that is open is what its ledger says.

use serde_json::{Value, json};

/// Asks the stock function behind this AWS endpoint, as `aws lambda invoke` does, until it has looked at every SKU.
pub async fn check(endpoint: &str) -> Result<(), Box<dyn std::error::Error>> {
    let (mut skus, mut wrong, mut wanted) = (0, 0, json!({}));
    loop {
        let url = format!("{endpoint}/2015-03-31/functions/StockFunction/invocations");
        let answer = reqwest::Client::new().post(url).json(&json!({ "check_stock": wanted })).send().await?;
        let failed = answer.headers().contains_key("x-amz-function-error") || !answer.status().is_success();
        let answer: Value = answer.json().await?;
        if failed {
            return Err(format!("the stock could not be looked at: {answer}").into());
        }
        skus += answer["skus"].as_u64().unwrap_or_default();
        for finding in answer["findings"].as_array().into_iter().flatten() {
            wrong += 1;
            println!("{finding}");
        }
        match answer["next"].as_str() {
            Some(next) => wanted = json!({ "after": next }),
            None => break,
        }
    }
    if wrong > 0 {
        return Err(format!("of {skus} SKUs, {wrong} do not add up").into());
    }
    println!("{skus} SKUs add up");
    Ok(())
}
