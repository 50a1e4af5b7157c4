//! Alarms that CloudWatch takes, and that no function is missing from.

use std::collections::{BTreeMap, BTreeSet};

use waybill_local::workspace;

use super::template;

/// Metrics of one alarm by an expression:
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html>
const MAX_METRICS: usize = 10;

/// The alarms by name, each as the template writes it.
fn alarms() -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(workspace().join("template.yaml")).unwrap();
    let (_, resources) = text.split_once("\nResources:\n").unwrap();
    let (resources, _) = resources.split_once("\nOutputs:").unwrap();
    let mut all: Vec<(String, String)> = Vec::new();
    for line in resources.lines() {
        match line
            .strip_prefix("  ")
            .and_then(|line| line.strip_suffix(':'))
            .filter(|name| !name.starts_with([' ', '#']))
        {
            Some(name) => all.push((name.to_owned(), String::new())),
            None => all.last_mut().into_iter().for_each(|(_, content)| *content += &format!("{line}\n")),
        }
    }
    all.retain(|(_, content)| content.contains("Type: AWS::CloudWatch::Alarm\n"));
    all.into_iter().collect()
}

#[test]
fn no_alarm_has_more_metrics_than_cloudwatch_takes() {
    let alarms = alarms();
    assert!(alarms.len() > 10, "{}", alarms.len());
    for (name, alarm) in alarms {
        let metrics = alarm.matches("MetricStat:").count();
        assert!(metrics <= MAX_METRICS, "{name} has {metrics}");
    }
}

#[test]
fn every_function_that_fails_or_is_refused_raises_an_alarm() {
    let functions: BTreeSet<_> = template().functions.into_iter().map(|function| function.name).collect();
    for metric in ["Errors", "Throttles", "Duration"] {
        let watched = alarms().into_values().flat_map(|alarm| {
            let stats =
                alarm.split("MetricStat:").skip(1).filter(|stat| stat.contains(&format!("MetricName: {metric},")));
            let names =
                stats.map(|stat| stat.split_once("Value: !Ref ").unwrap().1.split_once(' ').unwrap().0.to_owned());
            names.collect::<Vec<_>>()
        });
        assert_eq!(watched.collect::<BTreeSet<_>>(), functions, "{metric}");
    }
}
