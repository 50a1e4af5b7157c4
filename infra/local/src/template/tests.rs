use super::read::parse;
use super::*;

const AWS: &str = "http://127.0.0.1:3005";

fn ours() -> Template {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../template.yaml");
    Template::read(&path, &BTreeMap::from([("Origins".into(), "http://localhost:5173, http://other".into())]), AWS)
        .unwrap()
}

#[test]
fn our_own_template_is_read_whole() {
    let template = ours();
    assert_eq!(template.functions.len(), 20);
    let orders = template.functions.iter().find(|function| function.binary == "orders").unwrap();
    assert_eq!((orders.name.as_str(), orders.memory_mb, orders.timeout.as_secs()), ("OrdersFunction", 256, 10));
    assert_eq!(orders.environment["TABLE_NAME"], "Table");
    let accounts = template.functions.iter().find(|function| function.binary == "accounts").unwrap();
    assert_eq!(accounts.environment["LOG_LEVEL"], "info");
    assert!(
        template.http.routes.iter().any(|route| route.key == "POST /v1/orders" && route.function == "OrdersFunction")
    );
    assert!(template.http.routes.iter().any(|route| route.key == "$default"));
    assert_eq!(template.http.cors.unwrap().allow_origins, ["http://localhost:5173", "http://other"]);
    let websocket = template.websocket.unwrap();
    assert_eq!((websocket.stage.as_str(), websocket.routes.len()), ("live", 3));
    assert_eq!(template.queues.len(), 20);
    assert_eq!(template.buckets, ["ExportBucket"]);
    assert_eq!(template.secrets.len(), 6);
    assert_eq!(template.tables[0].ttl_attribute.as_deref(), Some("expires_at"));
    let mail = template.queue_mappings.iter().find(|mapping| mapping.queue == "MailQueue").unwrap();
    assert_eq!((mail.function.as_str(), mail.batch_size, mail.reports_item_failures), ("EmailFunction", 10, true));
    assert_eq!(template.mail_feedback.as_deref(), Some("FeedbackQueue"));
    let stream = &template.stream_mappings[0];
    assert_eq!(
        (stream.table.as_str(), stream.max_retries, stream.max_age, stream.bisects),
        ("Table", None, Some(79_200), true)
    );
    assert_eq!(stream.on_failure.as_deref(), Some("AnnounceDeadLetters"));
    assert_eq!(stream.filters.len(), 5);
    let schedules = template.schedules.iter().map(|schedule| (schedule.function.as_str(), schedule.every.as_secs()));
    assert_eq!(schedules.collect::<Vec<_>>(), [("SweepFunction", 86_400), ("SweepFunction", 60)]);
}

#[test]
fn whatever_localhost_cannot_play_is_an_error_that_says_so() {
    let function = |line: &str| {
        format!(
            "Resources:\n  F:\n    Type: AWS::Serverless::Function\n    Properties: {{Runtime: provided.al2023, Handler: x, Architectures: [arm64], CodeUri: a/b/, MemorySize: 1, Timeout: 1{line}}}"
        )
    };
    assert!(parse(&function(""), &BTreeMap::new(), AWS).is_ok());
    let cases = [
        (function(", Colour: red"), "F: unknown field `Colour`"),
        (function(", Events: {E: {Type: Kafka, Properties: {}}}"), "unknown variant `Kafka`"),
        (function(", Events: {E: {Type: SQS, Properties: {Queue: 'arn:aws:sqs:r:a:Nope'}}}"), "there is no queue Nope"),
        ("Resources:\n  B:\n    Type: AWS::EC2::Host".into(), "B: resources of type AWS::EC2::Host are not known"),
        (
            "Resources:\n  A: {Type: AWS::ApiGatewayV2::Api, Properties: {Name: a, ProtocolType: HTTP}}\n  S: {Type: AWS::ApiGatewayV2::Stage, Properties: {ApiId: !Ref A, StageName: $default, AutoDeploy: true, RouteSettings: {GET /x: {}}}}".into(),
            "the stage has settings for GET /x, which is no route",
        ),
        ("Mappings: {}".into(), "the section Mappings is not known"),
        ("Parameters:\n  P: {Type: String}".into(), "the parameter P must be given"),
    ];
    for (text, expected) in cases {
        let error = parse(&text, &BTreeMap::new(), AWS).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
    let unknown = BTreeMap::from([("Nope".to_owned(), String::new())]);
    assert!(parse("Resources: {}", &unknown, AWS).unwrap_err().contains("there is no parameter Nope"));
    let choice = "Parameters:\n  P: {Type: String, Default: a, AllowedValues: [a, b]}\nResources: {}";
    let given = |value: &str| BTreeMap::from([("P".to_owned(), value.to_owned())]);
    assert!(parse(choice, &given("b"), AWS).is_ok());
    assert!(parse(choice, &given("c"), AWS).unwrap_err().contains("the parameter P must be one of a, b"));
}
