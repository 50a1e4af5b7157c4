//! A client of AWS: the SDK's own requests, answers and signatures, sent without what its clients put between them for every
//! service and every setting that there is, which is most of a call's work.

use std::error::Error as StdError;
use std::fmt::Debug;
use std::marker::PhantomData;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_smithy_runtime_api::client::http::{HttpConnector, SharedHttpConnector};
use aws_smithy_runtime_api::client::interceptors::context::{Error, Input, Output};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::client::ser_de::{
    DeserializeResponse, SerializeRequest, SharedRequestSerializer, SharedResponseDeserializer,
};
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::config_bag::{ConfigBag, FrozenLayer};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_smithy_types::error::operation::BuildError;
use jiff::Timestamp;
use tokio::time::{sleep, timeout};

use crate::connections::Connections;
use crate::signature::Signer;

/// How often a request is sent that was not answered, or that the service throttled or failed at.
const ATTEMPTS: u32 = 3;
/// How long all of them may take. One of them may take three eighths of it, so that there is time for another.
const LONGEST: Duration = Duration::from_secs(8);
/// The longest wait before the second of them; it doubles with each.
const WAIT: Duration = Duration::from_millis(200);

/// Calls of one service in one region. Clones share their connections.
#[derive(Clone, Debug)]
pub struct Client {
    inner: Arc<Inner>,
    longest: Duration,
}

#[derive(Debug)]
struct Inner {
    http: SharedHttpConnector,
    endpoint: String,
    host: String,
    signer: Signer,
}

/// How a call failed, with the status of the answer.
pub type Failed<E> = SdkError<E, StatusCode>;

/// An operation of the SDK: what it is asked, what it answers, and how it refuses.
pub struct Operation<I, O, E> {
    /// What the SDK says of it.
    form: LazyLock<Option<FrozenLayer>>,
    of: PhantomData<fn(I) -> Result<O, E>>,
}

impl<I, O, E> Operation<I, O, E> {
    /// `form` is what the SDK's operation says as a [`RuntimePlugin`](crate::RuntimePlugin): its `config`.
    pub const fn new(form: fn() -> Option<FrozenLayer>) -> Self {
        Operation { form: LazyLock::new(form), of: PhantomData }
    }
}

impl Client {
    /// Calls a service, by the name that it is signed for, at its endpoint. The credentials stay valid while the process
    /// lives, as a function's do, and `http` answers with bodies in memory, as [`Connections`] do.
    pub fn new(
        http: SharedHttpConnector,
        service: &'static str,
        region: impl Into<String>,
        endpoint: impl Into<String>,
        credentials: Credentials,
    ) -> Client {
        let endpoint = endpoint.into();
        let host = endpoint.split_once("://").map_or(endpoint.as_str(), |(_, host)| host);
        let host = host.split('/').next().unwrap_or_default().to_owned();
        let signer = Signer::new(service, region.into(), credentials);
        Client { inner: Arc::new(Inner { http, endpoint, host, signer }), longest: LONGEST }
    }

    /// Waits so long for the answer to a call, instead of eight seconds.
    pub fn waiting(self, longest: Duration) -> Client {
        Client { longest, ..self }
    }

    /// A client of what stands in for a service at this endpoint and takes any signature, as tests have it.
    pub fn of_stand_in(service: &'static str, endpoint: impl Into<String>) -> Client {
        let credentials = Credentials::new("test", "test", None, None, "test");
        Client::new(SharedHttpConnector::new(Connections::default()), service, "us-east-1", endpoint, credentials)
    }

    /// Asks, up to three times within eight seconds where there is no answer, or one that says to ask again. So a write
    /// that nothing refuses may be done twice, as by the SDK's own client.
    pub async fn call<I, O, E>(
        &self,
        operation: &Operation<I, O, E>,
        input: Result<I, BuildError>,
    ) -> Result<O, Failed<E>>
    where
        I: Debug + Send + Sync + 'static,
        O: Debug + Send + Sync + 'static,
        E: StdError + ProvideErrorMetadata + Send + Sync + 'static,
    {
        let input = Input::erase(input.map_err(SdkError::construction_failure)?);
        let code = |error: &Error| error.downcast_ref::<E>().and_then(ProvideErrorMetadata::code).map(is_passing);
        let form = operation.form.as_ref().expect("the SDK says how its operations are written");
        match self.ask(form, input, &|error| code(error).unwrap_or_default()).await {
            Ok(output) => Ok(output.downcast().expect("an operation's form reads its output")),
            Err(error) => Err(error.map_service_error(|error| error.downcast().expect("and its error"))),
        }
    }

    /// As `call`, of any operation: a program has it once.
    async fn ask(
        &self,
        form: &FrozenLayer,
        input: Input,
        is_passing: &(dyn Fn(&Error) -> bool + Sync),
    ) -> Result<Output, Failed<Error>> {
        let mut bag = ConfigBag::base();
        let write = form.load::<SharedRequestSerializer>().expect("an operation's request has a form");
        let mut request = write.serialize_input(input, &mut bag).map_err(SdkError::construction_failure)?;
        request.uri_mut().set_endpoint(&self.inner.endpoint).map_err(SdkError::construction_failure)?;
        let tries = async {
            let mut attempt = 1;
            loop {
                let request = request.try_clone().expect("a body in memory can be sent again");
                let failed = match self.send(request).await.and_then(|answer| read(form, answer, &bag)) {
                    Ok(output) => return Ok(output),
                    Err(failed) => failed,
                };
                let is_passing = match &failed {
                    SdkError::TimeoutError(_) => true,
                    SdkError::DispatchFailure(failed) => failed.is_io() || failed.is_timeout(),
                    SdkError::ResponseError(failed) => failed.raw().is_server_error(),
                    SdkError::ServiceError(failed) => failed.raw().is_server_error() || is_passing(failed.err()),
                    _ => false,
                };
                if attempt == ATTEMPTS || !is_passing {
                    return Err(failed);
                }
                sleep(WAIT.mul_f64(fastrand::f64()) * 2_u32.pow(attempt - 1)).await;
                attempt += 1;
            }
        };
        timeout(self.longest, tries).await.unwrap_or_else(|elapsed| Err(SdkError::timeout_error(elapsed)))
    }

    async fn send(&self, mut request: HttpRequest) -> Result<HttpResponse, Failed<Error>> {
        #[expect(
            clippy::disallowed_methods,
            reason = "a signature says when it was made, and nothing else comes of it"
        )]
        let now = Timestamp::now();
        self.inner.signer.sign(&mut request, &self.inner.host, now).map_err(SdkError::construction_failure)?;
        let answer = timeout(self.longest * 3 / 8, self.inner.http.call(request)).await;
        let answer = answer.map_err(SdkError::timeout_error)?;
        answer.map_err(SdkError::dispatch_failure)
    }
}

fn read(form: &FrozenLayer, answer: HttpResponse, bag: &ConfigBag) -> Result<Output, Failed<Error>> {
    let read = form.load::<SharedResponseDeserializer>().expect("an operation's answer has a form");
    read.deserialize_nonstreaming_with_config(&answer, bag).map_err(|error| {
        let mut refusal = None;
        let unreadable = error.map_operation_error(|error| refusal = Some(error)).to_string();
        match refusal {
            Some(refusal) => SdkError::service_error(refusal, answer.status()),
            None => SdkError::response_error(unreadable, answer.status()),
        }
    })
}

/// Codes of errors that pass: throttles, and what is under way with the same token.
/// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
fn is_passing(code: &str) -> bool {
    matches!(
        code,
        "InternalServerError"
            | "ProvisionedThroughputExceededException"
            | "RequestLimitExceeded"
            | "ThrottlingError"
            | "ThrottlingException"
            | "TooManyRequestsException"
            | "TransactionInProgressException"
    )
}

#[cfg(test)]
mod tests;
