//! The chart in `helm/baton`: Helm itself renders and lints each of its values files, Kubernetes'
//! own schemas are held against what comes of them, and the programs are started with it over
//! private servers until every probe is green. What wants a cluster is left to those who have one.

mod helm;
mod kubelet;
mod pod;
mod readme;
mod references;
mod running;
mod servers;
mod told;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use baton_broker::{JOB_QUEUES, lanes_of};
use baton_common::tool::{Priority, QueueClass, queue_name};
use serde_json::Value;

use helm::{list, text};

#[test]
fn every_values_file_comes_to_objects_that_kubernetes_takes() {
    let mut kinds = BTreeSet::new();
    for (file, answer) in helm::shipped() {
        let objects = helm::objects(answer);
        assert_eq!(list(&answer["findings"]), [] as [Value; 0], "{}", file.display());
        assert!(text(&answer["notes"]).contains("helm test"), "{}: {}", file.display(), answer["notes"]);
        let mut names = BTreeSet::new();
        for object in objects {
            let (kind, name) = (text(&object["kind"]), text(&object["metadata"]["name"]));
            assert!(names.insert((kind, name)), "{}: {kind} {name} is made twice", file.display());
            kinds.insert(kind.to_owned());
        }
    }
    let all: BTreeSet<String> = [
        "ConfigMap",
        "Deployment",
        "HorizontalPodAutoscaler",
        "NetworkPolicy",
        "PersistentVolumeClaim",
        "Pod",
        "PodDisruptionBudget",
        "PodMonitor",
        "PrometheusRule",
        "ScaledObject",
        "Service",
        "ServiceAccount",
        "ServiceMonitor",
        "TriggerAuthentication",
    ]
    .map(str::to_owned)
    .into();
    assert_eq!(kinds, all, "a template that nothing tries is not known to work");
}

#[test]
fn bad_values_are_refused_and_the_complaint_says_why() {
    let files = helm::values_files("ci/bad");
    for (file, answer) in files.iter().zip(helm::rendered(&files)) {
        let values = std::fs::read_to_string(file).unwrap();
        let expected = values.lines().next().and_then(|line| line.strip_prefix("# complaint: "));
        let expected = expected.unwrap_or_else(|| panic!("{} begins with no complaint", file.display()));
        let complaint = answer["complaint"].as_str();
        let complaint = complaint.unwrap_or_else(|| panic!("{} is taken", file.display()));
        assert!(complaint.contains(expected), "{}: {complaint}", file.display());
    }
}

#[test]
fn the_schema_knows_every_value_and_lets_no_other_in() {
    let schema = std::fs::read_to_string(helm::chart().join("values.schema.json")).unwrap();
    let schema: Value = serde_json::from_str(&schema).unwrap();
    let mut open = Vec::new();
    closed(&schema, "", &mut open);
    assert_eq!(open, [] as [String; 0], "objects that take unknown keys");
}

/// Names every object of the schema that lists its keys and takes others too.
fn closed(schema: &Value, path: &str, open: &mut Vec<String>) {
    if let Some(map) = schema.as_object() {
        let lists = map.get("properties").is_some_and(Value::is_object) && map.contains_key("type");
        if lists && map.get("additionalProperties") != Some(&Value::Bool(false)) {
            open.push(path.to_owned());
        }
        map.iter().for_each(|(key, inner)| closed(inner, &format!("{path}/{key}"), open));
    }
}

#[test]
fn the_readme_says_what_the_values_say() {
    let read = |name: &str| std::fs::read_to_string(helm::chart().join(name)).unwrap();
    let expected = readme::of(&read("README.head.md"), &read("values.yaml"));
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(helm::chart().join("README.md"), &expected).unwrap();
    }
    assert!(read("README.md") == expected, "helm/baton/README.md is old: run this test with UPDATE_EXPECT=1");
}

#[test]
fn the_chart_brings_this_version() {
    let chart = std::fs::read_to_string(helm::chart().join("Chart.yaml")).unwrap();
    let version = concat!("appVersion: ", env!("CARGO_PKG_VERSION"));
    assert!(chart.lines().any(|line| line == version), "{version} does not stand in Chart.yaml");
}

#[test]
fn workers_are_scaled_by_the_queues_that_they_consume() {
    let mut named = BTreeSet::new();
    for (_, answer) in helm::shipped() {
        let objects = helm::objects(answer);
        for scaled in objects.iter().filter(|object| object["kind"] == "ScaledObject") {
            let target = text(&scaled["spec"]["scaleTargetRef"]["name"]);
            let worker = objects.iter().find(|object| object["kind"] == "Deployment" && name_of(object) == target);
            let queues = queues_of(scaled);
            assert_eq!(queues, consumed(worker.unwrap_or_else(|| panic!("{target} is not there"))), "{target}");
            named.extend(queues);
        }
    }
    let declared: BTreeSet<String> = JOB_QUEUES.into_iter().flat_map(with_lanes).collect();
    let (own, shipped): (BTreeSet<_>, BTreeSet<_>) = named.into_iter().partition(|queue| queue.starts_with("cap."));
    assert_eq!(shipped, declared);
    assert!(!own.is_empty(), "no values file scales by a queue of its own");
}

/// The queues that a worker with these variables consumes.
fn consumed(deployment: &Value) -> BTreeSet<String> {
    let container = &pod_of(deployment)["containers"][0];
    let class = match text(&container["command"][0]) {
        "baton-worker-io" => QueueClass::Io,
        "baton-worker-cpu" => QueueClass::Cpu,
        other => panic!("{other} is no worker"),
    };
    let said = |name: &str| {
        let variable = list(&container["env"]).iter().find(|variable| variable["name"] == name);
        variable.map(|variable| text(&variable["value"]))
    };
    let extra = said("BATON_QUEUES").into_iter().flat_map(|names| names.split(',')).map(str::to_owned);
    let own = Priority::ALL.iter().filter(|_| said("BATON_QUEUES_ONLY").is_none());
    let own = own.map(|priority| queue_name(class, *priority));
    own.chain(extra).flat_map(|queue| with_lanes(&queue)).collect()
}

/// A queue and the lanes beside it.
fn with_lanes(queue: &str) -> Vec<String> {
    let mut all = lanes_of(queue);
    all.push(queue.to_owned());
    all
}

/// The queues that a ScaledObject looks at.
fn queues_of(scaled: &Value) -> BTreeSet<String> {
    let triggers = list(&scaled["spec"]["triggers"]).iter().filter(|trigger| trigger["type"] == "rabbitmq");
    triggers.map(|trigger| text(&trigger["metadata"]["queueName"]).to_owned()).collect()
}

#[test]
fn no_pod_is_root_writes_its_image_or_is_told_of_services() {
    for (file, answer) in helm::shipped() {
        for object in helm::objects(answer) {
            let spec = match text(&object["kind"]) {
                "Deployment" => pod_of(object),
                "Pod" => &object["spec"],
                _ => continue,
            };
            let place = format!("{}: {}", file.display(), name_of(object));
            // A service named like the release would come as a BATON_ variable that no program knows.
            assert_eq!(spec["enableServiceLinks"], false, "{place}");
            assert_eq!(spec["automountServiceAccountToken"], false, "{place}");
            assert_eq!(spec["securityContext"]["runAsNonRoot"], true, "{place}");
            let security = &spec["containers"][0]["securityContext"];
            assert_eq!(security["readOnlyRootFilesystem"], true, "{place}");
            assert_eq!(security["allowPrivilegeEscalation"], false, "{place}");
        }
    }
}

#[test]
fn workers_may_be_of_a_later_version_than_orchestrators() {
    let images = |file: &str| -> BTreeSet<String> {
        let (_, answer) = helm::shipped().iter().find(|(known, _)| helm::stem(known) == file).unwrap();
        let deployments = helm::objects(answer).iter().filter(|object| object["kind"] == "Deployment");
        deployments.map(|deployment| text(&pod_of(deployment)["containers"][0]["image"]).to_owned()).collect()
    };
    let expected = ["baton/orchestrator:0.1.0", "baton/worker-cpu:0.2.0", "baton/worker-io:0.2.0"];
    assert_eq!(images("hpa").iter().map(String::as_str).collect::<Vec<_>>(), expected);
    let own = "registry.example.com/team/baton/";
    assert!(images("passwords").iter().all(|image| image.starts_with(own) && image.ends_with(":0.1.0")));
    assert!(images("pods").iter().all(|image| image.contains("@sha256:")));
}

#[test]
fn a_variable_that_the_chart_sets_cannot_be_set_beside_it() {
    let checks = std::fs::read_to_string(helm::chart().join("templates/_checks.tpl")).unwrap();
    for (_, answer) in helm::shipped() {
        let parts = sections(&answer["values"]);
        let extra: BTreeSet<&str> = parts.iter().flat_map(|(_, of)| list(&of["extraEnv"])).map(name_in).collect();
        for deployment in helm::objects(answer).iter().filter(|object| object["kind"] == "Deployment") {
            for name in list(&pod_of(deployment)["containers"][0]["env"]).iter().map(name_in) {
                assert_ne!(checks.contains(&format!("\"{name}\"")), extra.contains(name), "{name}");
            }
        }
    }
}

#[test]
fn every_value_is_said_in_some_values_file() {
    let said: Vec<(String, &Value)> =
        helm::shipped().iter().flat_map(|(_, answer)| sections(&answer["values"])).collect();
    let is_said = |path: &str| {
        said.iter().any(|(of, values)| {
            let keys = path.strip_prefix(of.as_str()).into_iter().flat_map(|rest| rest.split('.'));
            let mut keys = keys.filter(|key| !key.is_empty()).peekable();
            keys.peek().is_some() && keys.try_fold(*values, |values, key| values.get(key)).is_some()
        })
    };
    let readme = std::fs::read_to_string(helm::chart().join("README.md")).unwrap();
    let described = readme.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let never: Vec<&str> = described.filter(|path| !is_said(path)).collect();
    assert_eq!(never, [] as [&str; 0], "values that no file in ci tries");
}

/// All values under no name, and those of each worker under the name of their defaults.
fn sections(values: &Value) -> Vec<(String, &Value)> {
    let workers = values["workers"].as_object().into_iter().flat_map(|workers| workers.values());
    let workers = workers.map(|worker| ("workerDefaults".to_owned(), worker));
    let own = ["orchestrator", "workerDefaults"].map(|name| (name.to_owned(), &values[name]));
    workers.chain(own).chain([(String::new(), values)]).collect()
}

fn name_in(variable: &Value) -> &str {
    text(&variable["name"])
}

/// What is copied from `deploy`, since Helm reads nothing beside its chart.
const COPIES: [(&str, &str); 3] = [
    ("prometheus/rules.yml", "rules.yml"),
    ("grafana/dashboards/cluster.json", "dashboards/cluster.json"),
    ("grafana/dashboards/models.json", "dashboards/models.json"),
];

#[test]
fn alerts_and_dashboards_are_those_of_the_compose_file() {
    let read = |path: &Path| std::fs::read_to_string(path).unwrap_or_default();
    for (from, to) in COPIES {
        let (from, to) = (helm::chart().join("../../deploy").join(from), helm::chart().join("files").join(to));
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            std::fs::copy(&from, &to).unwrap();
        }
        assert!(read(&from) == read(&to), "{} is old: run this test with UPDATE_EXPECT=1", to.display());
    }
    let names = |folder: PathBuf| -> BTreeSet<_> {
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect()
    };
    let boards = helm::chart().join("files/dashboards");
    assert_eq!(names(boards), names(helm::chart().join("../../deploy/grafana/dashboards")), "COPIES lacks one");
}

#[test]
fn alerts_and_dashboards_reach_the_cluster_as_they_are() {
    let read = |path: &str| std::fs::read_to_string(helm::chart().join("files").join(path)).unwrap();
    let (_, answer) = helm::shipped().iter().find(|(file, _)| helm::stem(file) == "tls").unwrap();
    let of_kind = |kind: &'static str| helm::objects(answer).iter().filter(move |object| object["kind"] == kind);
    let groups = list(&of_kind("PrometheusRule").next().unwrap()["spec"]["groups"]);
    let made: Vec<&Value> = groups.iter().flat_map(|group| list(&group["rules"])).collect();
    let rules = read("rules.yml");
    let written: Vec<&str> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert_eq!(made.iter().map(|rule| text(&rule["alert"])).collect::<Vec<_>>(), written);
    for rule in made {
        let runbook = text(&rule["annotations"]["runbook"]);
        assert!(runbook.starts_with("https://git.example.com/baton/-/blob/main/docs/operations/"), "{runbook}");
    }
    for (path, key) in
        [("dashboards/cluster.json", "baton-cluster.json"), ("dashboards/models.json", "baton-models.json")]
    {
        let made = of_kind("ConfigMap").find_map(|map| map["data"][key].as_str()).unwrap();
        let made: Value = serde_json::from_str(made).unwrap();
        let written = read(path).replace("\"uid\": \"prometheus\"", "\"uid\": \"metrics\"");
        assert_eq!(made, serde_json::from_str::<Value>(&written).unwrap(), "{path}");
    }
}

fn pod_of(deployment: &Value) -> &Value {
    &deployment["spec"]["template"]["spec"]
}

fn name_of(object: &Value) -> &str {
    text(&object["metadata"]["name"])
}

fn component_of(object: &Value) -> &str {
    text(&object["metadata"]["labels"]["app.kubernetes.io/component"])
}
