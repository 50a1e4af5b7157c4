//! The browsers at the other end of the WebSocket API.

use aws_sdk_apigatewaymanagement::error::DisplayErrorContext;
use aws_sdk_apigatewaymanagement::operation::delete_connection::{
    DeleteConnection, DeleteConnectionError, DeleteConnectionInput, DeleteConnectionOutput,
};
use aws_sdk_apigatewaymanagement::operation::post_to_connection::{
    PostToConnection, PostToConnectionError, PostToConnectionInput, PostToConnectionOutput,
};
use aws_sdk_apigatewaymanagement::primitives::Blob;
use waybill_aws::{Client, Failed, Operation, RuntimePlugin};

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
        let told = self.0.call(&POST, input).await.map(drop);
        told.map_err(|error| not_reached(error, PostToConnectionError::is_gone_exception))
    }

    /// Closes a connection.
    pub async fn close(&self, connection: &str) -> Result<(), NotReached> {
        let input = DeleteConnectionInput::builder().connection_id(connection).build();
        let closed = self.0.call(&DELETE, input).await.map(drop);
        closed.map_err(|error| not_reached(error, DeleteConnectionError::is_gone_exception))
    }
}

fn not_reached<E: std::error::Error + 'static>(error: Failed<E>, is_gone: fn(&E) -> bool) -> NotReached {
    match error.as_service_error() {
        Some(error) if is_gone(error) => NotReached::Gone,
        Some(_) | None => NotReached::Failed(DisplayErrorContext(error).to_string()),
    }
}
