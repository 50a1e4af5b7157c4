//! Mails about stock: to staff when little is left, to customers when what they waited for is back.

use waybill_domain::message::{StockEvent, StockMessage};

use crate::content::{Block, ComposeError, Content};
use crate::{Mail, Shop};

/// The mail that an event of stock calls for; None for an event that nobody is mailed about.
pub fn compose_stock(shop: &Shop, message: &StockMessage) -> Result<Option<Mail>, ComposeError> {
    let sku = message.sku.as_str();
    let (key, language, given, is_link) = match &message.event {
        StockEvent::Changed => return Ok(None),
        StockEvent::Low { title, left, low_stock_at } => {
            let left = u32::try_from(*left).unwrap_or(u32::MAX);
            let given = vec![
                ("sku", sku.into()),
                ("title", title.as_str().into()),
                ("left", left.into()),
                ("threshold", (*low_stock_at).into()),
            ];
            ("stock-low", None, given, false)
        }
        StockEvent::Returned { title, language, .. } => {
            ("stock-returned", language.as_ref(), vec![("title", title.as_str().into())], true)
        }
    };
    let words = shop.languages.of(language);
    let say = |part: &str| words.say(&format!("{key}.{part}"), &given);
    let mut blocks = vec![Block::Text(say("lead")?)];
    if is_link {
        let link = format!("{}/products/{}", shop.url, message.product_id);
        blocks.push(Block::Button { label: say("button")?, link });
    }
    blocks.push(Block::Small(say("closing")?));
    Content { subject: say("subject")?, heading: say("heading")?, blocks }.mail(shop, words).map(Some)
}
