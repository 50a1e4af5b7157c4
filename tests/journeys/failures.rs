//! What breaks between the parts, and what becomes of it.

use std::time::Duration;

use serde_json::json;
use waybill_local::workspace;
use waybill_tests::{TestShop, eventually, is_deployed};

/// The template with functions that may run for two seconds, and queues that try again after one, so many times: a test
/// need not wait for minutes.
pub fn impatient_template(tries: u32) -> std::path::PathBuf {
    let template = std::fs::read_to_string(workspace().join("template.yaml")).unwrap();
    let impatient = template
        .replace("    Timeout: 10", "    Timeout: 2")
        .replace("VisibilityTimeout: 180", "VisibilityTimeout: 1")
        .replace("VisibilityTimeout: 720", "VisibilityTimeout: 1")
        .replace("maxReceiveCount: 10 }", &format!("maxReceiveCount: {tries} }}"))
        .replace("maxReceiveCount: 40", &format!("maxReceiveCount: {tries}"))
        .replace("maxReceiveCount: 5", &format!("maxReceiveCount: {tries}"))
        .replace("maxReceiveCount: 3", &format!("maxReceiveCount: {tries}"));
    assert_ne!(template, impatient);
    let path = std::env::temp_dir().join(format!("waybill-template-{}.yaml", waybill_tests::key()));
    std::fs::write(&path, impatient).unwrap();
    path
}

/// Processes of this shop's functions: they know its AWS endpoint.
pub fn processes(shop_aws: &str, binary: &str) -> Vec<u32> {
    let pids = std::fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let is_ours = |pid: &u32| {
        let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        let command = String::from_utf8_lossy(&command).into_owned();
        let named = command.trim_end_matches('\0').ends_with(&format!("/{binary}")) || binary.is_empty();
        named && String::from_utf8_lossy(&environment).contains(&format!("AWS_ENDPOINT_URL={shop_aws}\0"))
    };
    pids.filter(is_ours).collect()
}

/// By the shell, which has `kill` built in.
pub fn kill(signal: &str, pid: u32) {
    std::process::Command::new("sh").arg("-c").arg(format!("kill {signal} {pid}")).status().unwrap();
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn functions_that_are_killed_again_and_again_lose_nothing() {
    let shop = TestShop::open_with(|options| options.template = impatient_template(1000)).await;
    shop.product("TEA", 450, 100).await;
    // Before the killing begins: a link that comes a minute late is no loss, but more than a sign-up waits for.
    let mut customers = Vec::new();
    for _ in 0..6 {
        customers.push(shop.customer().await);
    }
    let aws = shop.addresses().aws.clone();
    let killer = tokio::spawn(async move {
        for round in 0..120 {
            let victim = ["email", "push", "announce", "stripe-webhook"][round % 4];
            for pid in processes(&aws, victim) {
                kill("-KILL", pid);
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    });
    let mut orders = Vec::new();
    for customer in &customers {
        let order = customer.order(&[("TEA", 1)]).await.text("/id");
        let session = customer.post(&format!("/v1/orders/{order}/payment-sessions"), json!({})).await.text("/id");
        shop.stripe(&format!("sessions/{session}/pay"), json!({})).await;
        orders.push(order);
    }
    killer.await.unwrap();
    for (customer, order) in customers.iter().zip(&orders) {
        let path = format!("/v1/orders/{order}");
        eventually("the payment", async || (customer.get(&path).await.text("/payment_status") == "paid").then_some(()))
            .await;
    }
    for customer in &customers {
        // A mail that was claimed by a process that died comes after its claim has ended.
        let mut patience = 8;
        while shop.order_mails_to(&customer.email).await.is_empty() && patience > 0 {
            patience -= 1;
            tokio::time::sleep(Duration::from_secs(10)).await;
        }
        assert!(!shop.order_mails_to(&customer.email).await.is_empty(), "{} got no mail", customer.email);
    }
    shop.stop().await;
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_hangs_or_dies_is_answered_for_and_replaced() {
    let shop = TestShop::open_with(|options| options.template = impatient_template(1000)).await;
    let aws = shop.addresses().aws.clone();
    let catalog = || processes(&aws, "catalog");
    let anyone = shop.anyone();
    assert_eq!(anyone.get("/v1/products").await.status, 200);
    let [first] = catalog()[..] else { panic!("one process has served one request: {:?}", catalog()) };

    kill("-STOP", first);
    let hung = anyone.get("/v1/products").await;
    assert_eq!((hung.status, hung.text("/message")), (504, "Gateway Timeout".into()));
    assert_eq!(anyone.get("/v1/products").await.status, 200);
    let [second] = catalog()[..] else { panic!("{:?}", catalog()) };
    assert_ne!(second, first);

    kill("-STOP", second);
    let (died, ()) = tokio::join!(anyone.get("/v1/products"), async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        kill("-KILL", second);
    });
    assert_eq!((died.status, died.text("/message")), (502, "Internal Server Error".into()));
    assert_eq!(anyone.get("/v1/products").await.status, 200);
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_cannot_be_read_ends_in_the_dead_letter_queue_and_holds_up_nobody() {
    let shop = match is_deployed() {
        true => TestShop::open().await,
        false => TestShop::open_with(|options| options.template = impatient_template(3)).await,
    };
    let set = async |seconds: &str, policy: &str| {
        let attributes = json!({ "Attributes": { "VisibilityTimeout": seconds, "RedrivePolicy": policy } });
        shop.sqs("SetQueueAttributes", "MailQueue", attributes).await
    };
    let mut policy = String::new();
    if is_deployed() {
        let wanted = json!({ "AttributeNames": ["RedrivePolicy"] });
        let found = shop.sqs("GetQueueAttributes", "MailQueue", wanted).await;
        policy = found["Attributes"]["RedrivePolicy"].as_str().unwrap().to_owned();
        let mut impatient: serde_json::Value = serde_json::from_str(&policy).unwrap();
        impatient["maxReceiveCount"] = 3.into();
        set("1", &impatient.to_string()).await;
    }
    shop.product("TEA", 450, 100).await;
    shop.sqs("SendMessage", "MailQueue", json!({ "MessageBody": "not a message" })).await;
    let (customer, _, session) = shop.order_to_pay("TEA").await;
    shop.stripe(&format!("sessions/{session}/pay"), json!({})).await;
    eventually("the mail of the good message", async || shop.order_mails_to(&customer.email).await.pop()).await;
    let dead = eventually("a dead letter", async || {
        let received = shop.sqs("ReceiveMessage", "MailDeadLetters", json!({})).await;
        received["Messages"][0]["Body"].as_str().map(ToOwned::to_owned)
    });
    assert_eq!(dead.await, "not a message");
    if is_deployed() {
        set("180", &policy).await;
    }
    shop.stop().await;
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_shop_that_stops_leaves_no_process_behind() {
    let shop = TestShop::open().await;
    shop.customer().await;
    let aws = shop.addresses().aws.clone();
    assert!(!processes(&aws, "").is_empty());
    shop.stop().await;
    assert_eq!(processes(&aws, ""), Vec::<u32>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_that_localhost_cannot_play_is_refused_at_the_start() {
    let template = std::fs::read_to_string(workspace().join("template.yaml")).unwrap();
    let path = std::env::temp_dir().join(format!("waybill-template-{}.yaml", waybill_tests::key()));
    std::fs::write(
        &path,
        template.replace("  MailQueue:\n    Type: AWS::SQS::Queue", "  MailQueue:\n    Type: AWS::SNS::TopicPolicy"),
    )
    .unwrap();
    let options = waybill_local::Options {
        template: path,
        binaries: "/nowhere".into(),
        store: waybill_local::Store::Memory,
        ports: Default::default(),
        parameters: Default::default(),
        payments: waybill_local::Payments::StandIn,
        workers_per_function: 1,
        holds_to_roles: false,
        logs: std::sync::Arc::new(|_, _| {}),
        report: std::sync::Arc::new(|_| {}),
    };
    let refused = waybill_local::Shop::start(options).await.err().unwrap().to_string();
    assert!(refused.contains("MailQueue"), "{refused}");
}
