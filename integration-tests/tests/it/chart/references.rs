//! Objects of the chart find each other: by labels, by names, by ports. Kubernetes takes objects
//! that name nothing, and so does whoever brought a kind of its own.

use std::collections::BTreeSet;

use serde_json::Value;

use super::helm::{self, list, text};
use super::{name_of, queues_of};

#[test]
fn whatever_names_another_object_finds_it() {
    for (file, answer) in helm::shipped() {
        let objects = helm::objects(answer);
        for object in objects {
            let place = format!("{}: {} {}", file.display(), object["kind"], name_of(object));
            let spec = &object["spec"];
            match text(&object["kind"]) {
                "Service" => finds_pods(objects, &spec["selector"], &place),
                "PodDisruptionBudget" => finds_pods(objects, &spec["selector"]["matchLabels"], &place),
                "NetworkPolicy" => {
                    let labels = &spec["podSelector"]["matchLabels"];
                    finds_pods(objects, labels, &place);
                    let rules = list(&spec["ingress"]).iter().flat_map(|rule| list(&rule["ports"]));
                    rules.for_each(|rule| have_port(objects, labels, text(&rule["port"]), &place));
                }
                "HorizontalPodAutoscaler" => {
                    assert!(names(objects, "Deployment").contains(text(&spec["scaleTargetRef"]["name"])), "{place}");
                }
                "ScaledObject" => triggers(objects, object, &place),
                "TriggerAuthentication" => words(objects, spec, &place),
                "ServiceMonitor" => monitored(objects, spec, &place),
                "PodMonitor" => {
                    let labels = &spec["selector"]["matchLabels"];
                    let endpoints = list(&spec["podMetricsEndpoints"]).iter();
                    endpoints.for_each(|endpoint| have_port(objects, labels, text(&endpoint["port"]), &place));
                }
                _ => {}
            }
        }
    }
}

/// Labels select a Deployment's pods, and a Deployment selects its own.
fn finds_pods(objects: &[Value], labels: &Value, place: &str) {
    assert!(labels.as_object().is_some_and(|labels| !labels.is_empty()), "{place}");
    let deployments: Vec<&Value> = of_kind(objects, "Deployment").collect();
    let pods = |deployment: &Value| deployment["spec"]["template"]["metadata"]["labels"].clone();
    assert!(deployments.iter().any(|deployment| is_within(labels, &pods(deployment))), "{place}");
    for deployment in deployments {
        let own = &deployment["spec"]["selector"]["matchLabels"];
        let others = of_kind(objects, "Deployment").filter(|other| is_within(own, &pods(other)));
        assert_eq!(others.map(name_of).collect::<Vec<_>>(), [name_of(deployment)], "{place}");
    }
}

/// KEDA takes texts alone, and keys that are there.
fn triggers(objects: &[Value], scaled: &Value, place: &str) {
    assert!(!queues_of(scaled).is_empty(), "{place}");
    for trigger in list(&scaled["spec"]["triggers"]) {
        let told = trigger["metadata"].as_object().unwrap();
        assert!(told.values().all(Value::is_string), "{place}: {trigger}");
        let keys = trigger["authenticationRef"]["name"].as_str();
        assert!(keys.is_none_or(|keys| names(objects, "TriggerAuthentication").contains(keys)), "{place}: {trigger}");
        // Somebody says where RabbitMQ is.
        let reached = told.contains_key("host") || keys.is_some() || trigger["type"] != "rabbitmq";
        assert!(reached, "{place}: {trigger}");
    }
}

/// What KEDA looks for in a ConfigMap of this chart stands in it.
fn words(objects: &[Value], spec: &Value, place: &str) {
    for word in list(&spec["configMapTargetRef"]) {
        let of = of_kind(objects, "ConfigMap").find(|map| map["metadata"]["name"] == word["name"]);
        let own = text(&word["name"]).ends_with("-keda");
        assert_eq!(own, of.is_some_and(|map| map["data"][text(&word["key"])].is_string()), "{place}: {word}");
    }
}

/// A service has those labels and that port.
fn monitored(objects: &[Value], spec: &Value, place: &str) {
    let labels = &spec["selector"]["matchLabels"];
    let service = of_kind(objects, "Service").find(|service| is_within(labels, &service["metadata"]["labels"]));
    let ports = list(&service.unwrap_or_else(|| panic!("{place}"))["spec"]["ports"]);
    for endpoint in list(&spec["endpoints"]) {
        assert!(ports.iter().any(|port| port["name"] == endpoint["port"]), "{place}: {endpoint}");
    }
}

/// Pods are selected, and each of them has a port of that name.
fn have_port(objects: &[Value], labels: &Value, port: &str, place: &str) {
    let pods = of_kind(objects, "Deployment").map(|deployment| &deployment["spec"]["template"]);
    let selected: Vec<_> = pods.filter(|pod| is_within(labels, &pod["metadata"]["labels"])).collect();
    assert!(!selected.is_empty(), "{place}");
    for pod in selected {
        let ports = list(&pod["spec"]["containers"][0]["ports"]);
        assert!(ports.iter().any(|known| known["name"] == port), "{place}: nobody has {port}");
    }
}

fn of_kind<'o>(objects: &'o [Value], kind: &'static str) -> impl Iterator<Item = &'o Value> {
    objects.iter().filter(move |object| object["kind"] == kind)
}

fn names<'o>(objects: &'o [Value], kind: &'static str) -> BTreeSet<&'o str> {
    of_kind(objects, kind).map(name_of).collect()
}

/// Whether every label is one of those.
fn is_within(labels: &Value, of: &Value) -> bool {
    labels.as_object().is_some_and(|labels| labels.iter().all(|(name, value)| of[name.as_str()] == *value))
}
