//! Processes are shell scripts that speak the Runtime API with curl: slow, but nobody's code but curl's.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::*;

/// A folder with a function `f` whose loop does `body` with the payload in $payload and the request's id in $id.
fn function(folder: &Path, body: &str, timeout: Duration) -> (Function, Settings) {
    let script = format!(
        "#!/bin/sh\napi=http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation\nwhile :; do\n\
         headers=$(mktemp)\npayload=$(curl -sf -D $headers $api/next) || exit 3\n\
         id=$(grep -i '^lambda-runtime-aws-request-id' $headers | tr -d '\\r' | cut -d' ' -f2)\nrm $headers\n\
         respond() {{ curl -s -o /dev/null -X POST -d \"$1\" $api/$id/response; }}\n\
         fail() {{ curl -s -o /dev/null -X POST -d \"$1\" $api/$id/error; }}\n{body}\ndone\n"
    );
    let file = folder.join("f");
    std::fs::write(&file, script).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
    let function = Function {
        name: "FFunction".into(),
        binary: "f".into(),
        memory_mb: 128,
        timeout,
        environment: BTreeMap::new(),
    };
    let settings = Settings {
        binaries: folder.to_owned(),
        environment: BTreeMap::from([("PATH".into(), "/usr/local/bin:/usr/bin:/bin".into())]),
        workers_per_function: 4,
        logs: Arc::new(|_, _| {}),
    };
    (function, settings)
}

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("waybill-{name}-{}", uuid::Uuid::new_v4()));
    std::fs::create_dir(&folder).unwrap();
    folder
}

#[tokio::test]
async fn invocations_at_once_run_in_processes_of_their_own_which_are_used_again() {
    let folder = folder("several");
    let (function, settings) = function(&folder, "sleep 0.3; respond \"$$\"", Duration::from_secs(20));
    let functions = Functions::new(&[function], settings);
    let invoke = || functions.invoke("FFunction", b"{}".to_vec());
    let (a, b, c) = tokio::join!(invoke(), invoke(), invoke());
    let (a, b, c) = (a.unwrap(), b.unwrap(), c.unwrap());
    assert!(a != b && b != c && a != c);
    assert_eq!(functions.idle_processes(), 3);
    let again = invoke().await.unwrap();
    assert!([a, b, c].contains(&again));
    functions.stop(Duration::ZERO).await;
}

#[tokio::test]
async fn an_error_is_answered_and_the_process_lives_on() {
    let folder = folder("error");
    let body = "case $payload in bad) fail '{\"errorMessage\":\"no\"}';; *) respond $$;; esac";
    let (function, settings) = function(&folder, body, Duration::from_secs(20));
    let functions = Functions::new(&[function], settings);
    let before = functions.invoke("f", b"good".to_vec()).await.unwrap();
    let error = functions.invoke("f", b"bad".to_vec()).await.unwrap_err();
    assert!(matches!(error, InvokeError::Failed(body) if body == b"{\"errorMessage\":\"no\"}"));
    assert_eq!(functions.invoke("f", b"good".to_vec()).await.unwrap(), before);
    functions.stop(Duration::ZERO).await;
}

#[tokio::test]
async fn a_process_that_crashes_or_runs_too_long_is_replaced() {
    let folder = folder("crash");
    let body = "case $payload in crash) exit 7;; hang) sleep 30;; *) respond $$;; esac";
    let (function, settings) = function(&folder, body, Duration::from_secs(2));
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

#[tokio::test]
async fn no_process_is_left_after_the_stop() {
    let folder = folder("stop");
    let (function, settings) = function(&folder, "respond $$", Duration::from_secs(20));
    let functions = Functions::new(&[function], settings);
    let pid = String::from_utf8(functions.invoke("f", b"{}".to_vec()).await.unwrap()).unwrap();
    assert!(Path::new(&format!("/proc/{pid}")).exists());
    functions.stop(Duration::from_secs(1)).await;
    assert!(!Path::new(&format!("/proc/{pid}")).exists());
    assert!(matches!(functions.invoke("f", b"{}".to_vec()).await, Err(InvokeError::Crashed(_))));
}

#[tokio::test]
async fn a_function_without_a_binary_or_a_name_that_is_no_function_is_an_error() {
    let folder = folder("missing");
    let (mut function, settings) = function(&folder, "", Duration::from_secs(1));
    function.binary = "g".into();
    let functions = Functions::new(&[function], settings);
    assert!(matches!(functions.invoke("FFunction", Vec::new()).await, Err(InvokeError::Crashed(_))));
    assert!(matches!(functions.invoke("Other", Vec::new()).await, Err(InvokeError::Unknown(_))));
}
