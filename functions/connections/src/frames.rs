//! What a client may say, and what it is answered. infra/asyncapi.json has the words.

use std::collections::BTreeMap;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use waybill_domain::Timestamp;
use waybill_domain::id::OrderId;
use waybill_domain::update::{PARTS, Shown};

/// Bytes of what a client says at once.
pub const MAX_FRAME: usize = 4096;
/// Letters of what a client calls its question by.
pub const MAX_REF: usize = 64;
/// What one connection may say in a minute, to one instance of the function.
pub const MAX_FRAMES: u32 = 120;
/// How often a client should say something: API Gateway closes a connection on which nothing was said for 10 minutes.
pub const HEARTBEAT: u32 = 240;

/// A question, and what the client calls it by.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(expecting = "a JSON object")]
pub struct Frame {
    #[serde(default)]
    pub r#ref: Option<String>,
    #[serde(flatten)]
    pub said: Said,
}

#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Said {
    /// Who am I to you?
    Hello,
    Ping,
    Follow {
        feed: Following,
    },
    Unfollow {
        feed: Following,
    },
    /// What came after this position?
    Resume {
        feed: Position,
        after: u64,
    },
}

/// What staff follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Following {
    All,
    Order(OrderId),
}

/// What there are positions in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Position {
    Own,
    All(u8),
    Order(OrderId),
}

impl TryFrom<String> for Following {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.as_str() {
            "all" => Ok(Following::All),
            order => OrderId::from_str(order)
                .map(Following::Order)
                .map_err(|_| "`feed` must be `all` or the id of an order".into()),
        }
    }
}

impl TryFrom<String> for Position {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text == "own" {
            return Ok(Position::Own);
        }
        let part = text.strip_prefix("all/").and_then(|part| part.parse().ok()).filter(|part| *part < PARTS);
        let order = || OrderId::from_str(&text).ok().map(Position::Order);
        let wrong = || format!("`feed` must be `own`, `all/0` to `all/{}` or the id of an order", PARTS - 1);
        part.map(Position::All).or_else(order).ok_or_else(wrong)
    }
}

/// Why there is no answer, or none any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// It is no JSON object of a kind that is known here.
    BadFrame,
    FrameTooLong,
    Forbidden,
    UnknownOrder,
    TooManyFollowed,
    /// The same may be answered in a moment.
    TryAgain,
}

/// Why a connection is closed. `time_is_up` is followed by a new connection; `session_ended` needs a new log-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    SessionEnded,
    TimeIsUp,
    TooManyFrames,
}

/// Which orders a connection may see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Sees {
    OwnOrders,
    AllOrders,
}

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Answer<'a> {
    Hello {
        sees: Sees,
        /// Where it stands now: whoever was further back has missed something.
        positions: BTreeMap<String, u64>,
        heartbeat_seconds: u32,
        ends_at: Timestamp,
    },
    Pong,
    Following {
        feed: String,
        positions: BTreeMap<String, u64>,
    },
    Unfollowed {
        feed: String,
    },
    Resumed {
        feed: String,
        /// What to ask for next, and to wait for.
        position: u64,
        updates: Vec<Shown<'a>>,
        more: bool,
        /// False where what is missing was too long ago: read the orders anew.
        complete: bool,
    },
    Problem {
        problem: Why,
        detail: String,
    },
    Goodbye {
        reason: Reason,
    },
}

/// An answer, with what the client calls its question by.
#[derive(Debug, Serialize)]
pub struct Reply<'a> {
    #[serde(flatten)]
    pub answer: Answer<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub r#ref: Option<String>,
}

/// What was said, or what is wrong with it in words for whoever said it.
pub fn read(text: &str) -> Result<Frame, (Why, String)> {
    if text.len() > MAX_FRAME {
        return Err((Why::FrameTooLong, format!("A frame has at most {MAX_FRAME} bytes.")));
    }
    let frame: Frame = serde_json::from_str(text).map_err(|error| (Why::BadFrame, error.to_string()))?;
    match &frame.r#ref {
        Some(reference) if reference.chars().count() > MAX_REF => {
            Err((Why::BadFrame, format!("`ref` has at most {MAX_REF} letters.")))
        }
        Some(_) | None => Ok(frame),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::Value;

    use super::*;

    fn wrong(text: &str) -> (Why, String) {
        read(text).unwrap_err()
    }

    #[test]
    fn each_kind_of_frame_is_read() {
        let order: OrderId = "ord_12CMX5064HB6J8DRWV89QJYXGG".parse().unwrap();
        for (text, said) in [
            (r#"{"type":"hello"}"#, Said::Hello),
            (r#"{"type":"ping","more":[1]}"#, Said::Ping),
            (r#"{"type":"follow","feed":"all"}"#, Said::Follow { feed: Following::All }),
            (
                r#"{"type":"unfollow","feed":"ord_12CMX5064HB6J8DRWV89QJYXGG"}"#,
                Said::Unfollow { feed: Following::Order(order) },
            ),
            (r#"{"type":"resume","feed":"own","after":7}"#, Said::Resume { feed: Position::Own, after: 7 }),
            (r#"{"type":"resume","feed":"all/3","after":0}"#, Said::Resume { feed: Position::All(3), after: 0 }),
        ] {
            assert_eq!(read(text).unwrap(), Frame { r#ref: None, said }, "{text}");
        }
        assert_eq!(read(r#"{"ref":"1","type":"hello"}"#).unwrap().r#ref.as_deref(), Some("1"));
    }

    #[test]
    fn what_is_wrong_with_a_frame_is_said() {
        for (text, word) in [
            ("ping", "expected value"),
            ("[]", "a JSON object"),
            ("{}", "type"),
            (r#"{"type":"shout"}"#, "shout"),
            (r#"{"type":"follow"}"#, "feed"),
            (r#"{"type":"follow","feed":"own"}"#, "feed"),
            (r#"{"type":"resume","feed":"all/4","after":1}"#, "all/3"),
            (r#"{"type":"resume","feed":"own"}"#, "after"),
            (r#"{"type":"resume","feed":"own","after":-1}"#, "-1"),
        ] {
            let (why, detail) = wrong(text);
            assert_eq!(why, Why::BadFrame, "{text}");
            assert!(detail.contains(word), "{text}: {detail}");
        }
    }

    /// The examples of infra/asyncapi.json, by the names of their messages.
    fn examples(of: &str) -> BTreeMap<String, Value> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra/asyncapi.json");
        let contract: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let messages = contract["components"]["messages"].as_object().unwrap();
        let named = messages.iter().filter(|(name, _)| name.starts_with(of));
        named.map(|(name, message)| (name.clone(), message["examples"][0]["payload"].clone())).collect()
    }

    #[test]
    fn what_the_contract_has_clients_say_is_understood() {
        let examples = examples("client.");
        assert_eq!(examples.len(), 5);
        for (name, example) in examples {
            let read = read(&example.to_string()).unwrap_or_else(|wrong| panic!("{name}: {wrong:?}"));
            assert!(read.r#ref.is_some(), "{name}");
        }
    }

    #[test]
    fn what_is_answered_is_what_the_contract_says() {
        let positions = |all: &[(&str, u64)]| all.iter().map(|(feed, number)| ((*feed).to_owned(), *number)).collect();
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events/websocket/order.paid.json");
        let update = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let after = 1_795_424_490_000_002;
        let answers = [
            (
                Answer::Hello {
                    sees: Sees::OwnOrders,
                    positions: positions(&[("own", after)]),
                    heartbeat_seconds: HEARTBEAT,
                    ends_at: "2026-11-23T11:01:21Z".parse().unwrap(),
                },
                Some("1"),
            ),
            (Answer::Pong, Some("2")),
            (
                Answer::Following {
                    feed: "all".into(),
                    positions: positions(&[
                        ("all/0", after - 1),
                        ("all/1", after),
                        ("all/2", after - 1),
                        ("all/3", after - 1),
                    ]),
                },
                Some("3"),
            ),
            (Answer::Unfollowed { feed: "all".into() }, Some("4")),
            (
                Answer::Resumed {
                    feed: "own".into(),
                    position: after + 1,
                    updates: vec![Shown { update: &update, positions: positions(&[("own", after + 1)]) }],
                    more: false,
                    complete: true,
                },
                Some("5"),
            ),
            (Answer::Problem { problem: Why::UnknownOrder, detail: "There is no such order.".into() }, Some("6")),
            (Answer::Goodbye { reason: Reason::SessionEnded }, None),
        ];
        let mut examples = examples("server.");
        for (answer, reference) in answers {
            let written = serde_json::to_value(Reply { answer, r#ref: reference.map(Into::into) }).unwrap();
            let name = format!("server.{}", written["type"].as_str().unwrap());
            assert_eq!(Some(written), examples.remove(&name), "{name}");
        }
        assert!(examples.is_empty(), "{examples:?}");
    }

    #[test]
    fn a_frame_and_what_it_is_called_by_may_be_so_long_and_no_longer() {
        let padded = |length: usize| format!("{:length$}", r#"{"type":"ping"}"#);
        assert_eq!(read(&padded(MAX_FRAME)).unwrap().said, Said::Ping);
        assert_eq!(wrong(&padded(MAX_FRAME + 1)).0, Why::FrameTooLong);
        let called = |length: usize| format!(r#"{{"type":"ping","ref":"{}"}}"#, "é".repeat(length));
        assert!(read(&called(MAX_REF)).is_ok());
        assert_eq!(wrong(&called(MAX_REF + 1)).0, Why::BadFrame);
    }
}
