//! What values say reaches those who are to hear it: programs by their variables, KEDA by its
//! parameters. That the programs take it is shown where they are started.

use serde_json::Value;

use super::helm::{self, list, text};
use super::{component_of, name_of, pod_of};

#[test]
fn limits_and_the_share_of_traces_are_told_to_whom_they_concern() {
    let told = |file: &str, name: &str| -> Vec<(String, String)> {
        let deployments = objects(file).iter().filter(|object| object["kind"] == "Deployment");
        let of = |deployment: &Value| {
            let variables = list(&pod_of(deployment)["containers"][0]["env"]);
            let value = variables.iter().find(|variable| variable["name"] == name)?["value"].as_str()?.to_owned();
            Some((component_of(deployment).to_owned(), value))
        };
        let mut told: Vec<_> = deployments.filter_map(of).collect();
        told.sort();
        told.dedup();
        told
    };
    let both = |value: &str| ["orchestrator", "worker"].map(|of| (of.to_owned(), value.to_owned()));
    let one = |of: &str, value: &str| [(of.to_owned(), value.to_owned())];
    assert_eq!(told("classes", "BATON_TRACE_RATIO"), both("0.05"));
    assert_eq!(told("certificates", "BATON_TRACE_RATIO"), both("0"), "none at all is said as well");
    assert_eq!(told("standalone", "BATON_TRACE_RATIO"), []);
    assert_eq!(told("passwords", "BATON_ADMISSION_FILL_PERCENT"), one("orchestrator", "0"));
    assert_eq!(told("passwords", "BATON_LANE_SHARE"), one("orchestrator", "16"));
    assert_eq!(told("classes", "BATON_BLOB_BYTES_MAX"), one("worker", "4294967296"));
}

#[test]
fn who_reaches_rabbitmq_has_the_authority_and_a_certificate_to_show() {
    let objects = objects("rabbitmq-tls");
    for deployment in objects.iter().filter(|object| object["kind"] == "Deployment") {
        let pod = pod_of(deployment);
        for (name, secret) in [("rabbitmq-ca", "authorities"), ("rabbitmq-client", "rabbitmq-client")] {
            let volume = list(&pod["volumes"]).iter().find(|volume| volume["name"] == name).unwrap();
            assert_eq!(volume["secret"]["secretName"], secret, "{}", name_of(deployment));
            let mounts = list(&pod["containers"][0]["volumeMounts"]);
            let mount = mounts.iter().find(|mount| mount["name"] == name).unwrap();
            assert_eq!(mount["readOnly"], true, "{}", name_of(deployment));
        }
    }
    let keda = objects.iter().find(|object| object["kind"] == "TriggerAuthentication").unwrap();
    let known = |list_of: &str| -> Vec<[&str; 3]> {
        let all = list(&keda["spec"][list_of]).iter();
        all.map(|one| ["parameter", "name", "key"].map(|part| text(&one[part]))).collect()
    };
    let secrets = [
        ["password", "rabbitmq-login", "password"],
        ["ca", "authorities", "rabbitmq.pem"],
        ["cert", "rabbitmq-client", "tls.crt"],
        ["key", "rabbitmq-client", "tls.key"],
    ];
    assert_eq!(known("secretTargetRef"), secrets);
    assert_eq!(known("configMapTargetRef"), [["username", "baton-keda", "username"], ["tls", "baton-keda", "tls"]]);
}

/// The objects of a file in `ci`.
fn objects(file: &str) -> &'static [Value] {
    let found = helm::shipped().iter().find(|(known, _)| helm::stem(known) == file);
    helm::objects(&found.unwrap_or_else(|| panic!("no file {file}")).1)
}
