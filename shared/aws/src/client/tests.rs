//! What a client sends, and when it sends it again.

use std::sync::Mutex;

use aws_sdk_dynamodb::operation::get_item::{GetItem, GetItemError, GetItemInput, GetItemOutput};
use aws_sdk_dynamodb::types::AttributeValue;
use aws_smithy_runtime_api::client::http::HttpConnectorFuture;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use tokio::time::Instant;

use super::*;
use crate::RuntimePlugin;

static GET_ITEM: Operation<GetItemInput, GetItemOutput, GetItemError> = Operation::new(|| GetItem::new().config());

/// What a service does about a request.
#[derive(Clone, Copy, Debug)]
enum Does {
    Answers(u16, &'static str),
    BreaksOff,
    /// It cannot be sent.
    Refuses,
    Nothing,
}

const ITEM: Does = Does::Answers(200, r#"{"Item":{"id":{"S":"a"}}}"#);
const THROTTLE: Does = Does::Answers(400, r#"{"__type":"com.amazonaws.dynamodb.v20120810#ThrottlingException"}"#);
const MISTAKE: Does = Does::Answers(400, r#"{"__type":"com.amazon.coral.validate#ValidationException"}"#);
const FAILURE: Does = Does::Answers(500, r#"{"__type":"com.amazonaws.dynamodb.v20120810#InternalServerError"}"#);
const GATEWAY: Does = Does::Answers(503, "<html>");
const GARBAGE: Does = Does::Answers(200, "{");

/// A service that does one thing after the other, and the last one for ever.
#[derive(Debug)]
struct Service {
    does: &'static [Does],
    requests: Mutex<Vec<HttpRequest>>,
}

impl HttpConnector for &'static Service {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let mut requests = self.requests.lock().unwrap();
        let does = self.does[requests.len().min(self.does.len() - 1)];
        requests.push(request);
        HttpConnectorFuture::new(async move {
            match does {
                Does::Answers(status, body) => Ok(HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body))),
                Does::BreaksOff => Err(ConnectorError::io("broken".into())),
                Does::Refuses => Err(ConnectorError::user("not a request".into())),
                Does::Nothing => std::future::pending().await,
            }
        })
    }
}

async fn asked(does: &'static [Does]) -> (Result<GetItemOutput, Failed<GetItemError>>, Vec<HttpRequest>) {
    let service: &'static Service = Box::leak(Box::new(Service { does, requests: Mutex::default() }));
    let credentials = Credentials::new("AKID", "secret", Some("session".into()), None, "test");
    let http = SharedHttpConnector::new(service);
    let client = Client::new(http, "dynamodb", "eu-west-1", "https://dynamodb.eu-west-1.amazonaws.com", credentials);
    let input = GetItemInput::builder().table_name("shop").key("id", AttributeValue::S("ä".into())).build();
    let answer = client.call(&GET_ITEM, input).await;
    (answer, std::mem::take(&mut service.requests.lock().unwrap()))
}

#[tokio::test(start_paused = true)]
async fn what_passes_is_asked_again_and_nothing_else_is() {
    for (does, tries) in [
        (&[ITEM] as &[_], 1),
        (&[THROTTLE, ITEM], 2),
        (&[FAILURE, GATEWAY, ITEM], 3),
        (&[Does::BreaksOff, Does::Nothing, ITEM], 3),
    ] {
        let (answer, requests) = asked(does).await;
        assert_eq!(answer.unwrap().item.unwrap()["id"], AttributeValue::S("a".into()), "{does:?}");
        assert_eq!(requests.len(), tries, "{does:?}");
        for request in &requests {
            assert_eq!(request.uri(), "https://dynamodb.eu-west-1.amazonaws.com/");
            let signature = request.headers().get("authorization").unwrap();
            assert!(signature.contains("/eu-west-1/dynamodb/aws4_request, SignedHeaders="), "{signature}");
        }
        let bodies: Vec<_> = requests.iter().map(|request| request.body().bytes().unwrap()).collect();
        assert!(bodies.iter().all(|body| *body == bodies[0]), "{does:?}");
    }
    for (does, tries, kind) in [
        (&[THROTTLE] as &[_], 3, "ServiceError"),
        (&[FAILURE], 3, "ServiceError"),
        (&[GATEWAY], 3, "ServiceError"),
        (&[Does::BreaksOff], 3, "DispatchFailure"),
        (&[MISTAKE], 1, "ServiceError"),
        (&[GARBAGE], 1, "ServiceError"),
        (&[Does::Refuses], 1, "DispatchFailure"),
    ] {
        let (answer, requests) = asked(does).await;
        let failed = answer.unwrap_err();
        assert!(format!("{failed:?}").starts_with(kind), "{does:?}: {failed:?}");
        assert_eq!(requests.len(), tries, "{does:?}");
    }
    let (answer, _) = asked(&[THROTTLE]).await;
    assert_eq!(answer.unwrap_err().code(), Some("ThrottlingException"));
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_longer_than_eight_seconds() {
    let begin = Instant::now();
    let (answer, requests) = asked(&[Does::Nothing]).await;
    assert!(matches!(answer, Err(SdkError::TimeoutError(_))), "{answer:?}");
    assert_eq!(requests.len(), 3);
    assert_eq!(begin.elapsed().as_secs(), LONGEST.as_secs());
}
