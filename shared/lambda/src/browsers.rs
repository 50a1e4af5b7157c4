//! The browsers at the other end of the WebSocket API.

use aws_sdk_apigatewaymanagement::error::DisplayErrorContext;
use aws_sdk_apigatewaymanagement::operation::delete_connection::{
    DeleteConnection, DeleteConnectionError, DeleteConnectionInput, DeleteConnectionOutput,
};
use aws_sdk_apigatewaymanagement::operation::post_to_connection::{
    PostToConnection, PostToConnectionError, PostToConnectionInput, PostToConnectionOutput,
};
use aws_sdk_apigatewaymanagement::primitives::Blob;
use waybill_aws::{Client, Operation, RuntimePlugin};

static POST: Operation<PostToConnectionInput, PostToConnectionOutput, PostToConnectionError> =
    Operation::new(|| PostToConnection::new().config());
static DELETE: Operation<DeleteConnectionInput, DeleteConnectionOutput, DeleteConnectionError> =
    Operation::new(|| DeleteConnection::new().config());

/// Connections of browsers, each by its id.
#[derive(Clone, Debug)]
pub struct Browsers(Client);

#[derive(Debug, thiserror::Error)]
pub enum NotReached {
    /// There is no such connection any more.
    #[error("it is gone")]
    Gone,
    /// The text is for the log.
    #[error("{0}")]
    Failed(String),
}

impl Browsers {
    /// Those of the API that the client calls.
    pub fn new(client: Client) -> Self {
        Browsers(client)
    }

    /// Sends a frame of at most 128 KB.
    pub async fn tell(&self, connection: &str, frame: Vec<u8>) -> Result<(), NotReached> {
        let input = PostToConnectionInput::builder().connection_id(connection).data(Blob::new(frame)).build();
        self.0.call(&POST, input).await.map(drop).map_err(|error| match error.as_service_error() {
            Some(error) if error.is_gone_exception() => NotReached::Gone,
            Some(_) | None => NotReached::Failed(DisplayErrorContext(error).to_string()),
        })
    }

    /// Closes a connection.
    pub async fn close(&self, connection: &str) -> Result<(), NotReached> {
        let input = DeleteConnectionInput::builder().connection_id(connection).build();
        self.0.call(&DELETE, input).await.map(drop).map_err(|error| match error.as_service_error() {
            Some(error) if error.is_gone_exception() => NotReached::Gone,
            Some(_) | None => NotReached::Failed(DisplayErrorContext(error).to_string()),
        })
    }
}
