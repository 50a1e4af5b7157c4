//! stub, being written
use std::time::Duration;
#[derive(Clone)]
pub struct Functions;
#[derive(Debug, thiserror::Error)]
pub enum InvokeError {
    #[error("there is no function {0}")]
    Unknown(String),
    #[error("the function answered an error: {}", String::from_utf8_lossy(.0))]
    Failed(Vec<u8>),
    #[error("the function's process ended: {0}")]
    Crashed(String),
    #[error("the function ran past its {} s", .0.as_secs())]
    TimedOut(Duration),
    #[error("too many invocations are waiting")]
    Busy,
}
impl Functions {
    pub async fn invoke(&self, _function: &str, _payload: Vec<u8>) -> Result<Vec<u8>, InvokeError> { Err(InvokeError::Busy) }
}
