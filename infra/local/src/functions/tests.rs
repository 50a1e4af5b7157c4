//! Processes are this very test program, started again as a function that does what its payload says.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::*;

/// The function's process. Ignored, because it is no test: the others start it.
#[test]
#[ignore = "the process of a function that other tests start"]
fn a_process() {
    let Ok(api) = std::env::var("AWS_LAMBDA_RUNTIME_API") else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async move {
        let (http, base) = (reqwest::Client::new(), format!("http://{api}/2018-06-01/runtime/invocation"));
        while let Ok(next) = http.get(format!("{base}/next")).send().await {
            let id = next.headers()["lambda-runtime-aws-request-id"].to_str().unwrap().to_owned();
            let pid = std::process::id().to_string();
            let (verb, answer) = match next.text().await.unwrap().as_str() {
                "slow" => {
                    tokio::time::sleep(Duration::from_millis(300)).await;
                    ("response", pid)
                }
                "fail" => ("error", r#"{"errorMessage":"no"}"#.to_owned()),
                "crash" => std::process::exit(7),
                "hang" => std::future::pending().await,
                _ => ("response", pid),
            };
            http.post(format!("{base}/{id}/{verb}")).body(answer).send().await.unwrap();
        }
    });
}

/// A function `f` of such processes.
fn function(timeout: Duration) -> (Function, Settings) {
    let folder = std::env::temp_dir().join(format!("waybill-functions-{}", uuid::Uuid::new_v4()));
    std::fs::create_dir(&folder).unwrap();
    let program = std::env::current_exe().unwrap();
    let script =
        format!("#!/bin/sh\nexec '{}' --exact functions::tests::a_process --ignored --nocapture\n", program.display());
    std::fs::write(folder.join("f"), script).unwrap();
    std::fs::set_permissions(folder.join("f"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let function = Function {
        name: "FFunction".into(),
        binary: "f".into(),
        memory_mb: 128,
        timeout,
        environment: BTreeMap::new(),
        role: None,
    };
    let settings = Settings {
        binaries: folder,
        environment: BTreeMap::new(),
        workers_per_function: 4,
        logs: Arc::new(|_, _| {}),
        meter: Meter::default(),
    };
    (function, settings)
}

const LONG: Duration = Duration::from_secs(20);

#[tokio::test]
async fn invocations_at_once_run_in_processes_of_their_own_which_are_used_again() {
    let (function, settings) = function(LONG);
    let functions = Functions::new(&[function], settings);
    let invoke = || functions.invoke("FFunction", b"slow".to_vec());
    let (a, b, c) = tokio::join!(invoke(), invoke(), invoke());
    let (a, b, c) = (a.unwrap(), b.unwrap(), c.unwrap());
    assert!(a != b && b != c && a != c);
    assert_eq!(functions.idle_processes(), 3);
    let again = invoke().await.unwrap();
    assert!([a, b, c].contains(&again));
    functions.stop(Duration::ZERO).await;
}

#[tokio::test]
async fn no_more_processes_are_started_than_there_may_be() {
    let (function, settings) = function(LONG);
    let functions = Functions::new(&[function], settings);
    let many = (0..12).map(|_| functions.invoke("f", b"slow".to_vec()));
    let pids: std::collections::BTreeSet<_> =
        futures_util::future::join_all(many).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(pids.len(), 4);
    functions.stop(Duration::ZERO).await;
}

#[tokio::test]
async fn an_error_is_answered_and_the_process_lives_on() {
    let (function, settings) = function(LONG);
    let functions = Functions::new(&[function], settings);
    let before = functions.invoke("f", b"good".to_vec()).await.unwrap();
    let error = functions.invoke("f", b"fail".to_vec()).await.unwrap_err();
    assert!(matches!(error, InvokeError::Failed(body) if body == b"{\"errorMessage\":\"no\"}"));
    assert_eq!(functions.invoke("f", b"good".to_vec()).await.unwrap(), before);
    functions.stop(Duration::ZERO).await;
}

#[tokio::test]
async fn a_process_that_crashes_or_runs_too_long_is_replaced() {
    let (function, settings) = function(Duration::from_secs(2));
    let functions = Functions::new(&[function], settings);
    let first = functions.invoke("f", b"good".to_vec()).await.unwrap();
    let error = functions.invoke("f", b"crash".to_vec()).await.unwrap_err();
    assert!(matches!(&error, InvokeError::Crashed(status) if status.contains('7')), "{error}");
    let second = functions.invoke("f", b"good".to_vec()).await.unwrap();
    assert_ne!(first, second);
    let error = functions.invoke("f", b"hang".to_vec()).await.unwrap_err();
    assert!(matches!(error, InvokeError::TimedOut(_)), "{error}");
    assert_ne!(functions.invoke("f", b"good".to_vec()).await.unwrap(), second);
    functions.stop(Duration::ZERO).await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn no_process_is_left_after_the_stop() {
    let (function, settings) = function(LONG);
    let functions = Functions::new(&[function], settings);
    let pid = String::from_utf8(functions.invoke("f", b"good".to_vec()).await.unwrap()).unwrap();
    assert!(Path::new(&format!("/proc/{pid}")).exists());
    functions.stop(Duration::from_secs(1)).await;
    assert!(!Path::new(&format!("/proc/{pid}")).exists());
    assert!(matches!(functions.invoke("f", b"good".to_vec()).await, Err(InvokeError::Crashed(_))));
}

#[tokio::test]
async fn a_function_without_a_binary_or_a_name_that_is_no_function_is_an_error() {
    let (mut function, settings) = function(LONG);
    function.binary = "g".into();
    let functions = Functions::new(&[function], settings);
    assert!(matches!(functions.invoke("FFunction", Vec::new()).await, Err(InvokeError::Crashed(_))));
    assert!(matches!(functions.invoke("Other", Vec::new()).await, Err(InvokeError::Unknown(_))));
}
