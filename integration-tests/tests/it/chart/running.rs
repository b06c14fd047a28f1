//! For each values file the programs are started with what is rendered: variables, arguments,
//! ports, files; and every probe turns green. What stands for a kubelet is in `pod` and `kubelet`.

use std::path::PathBuf;
use std::thread;

use baton_testbed::free_port;
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::helm::{self, list};
use super::pod::{Program, Surroundings};
use super::servers::Servers;
use super::{component_of, name_of, pod_of, queues_of};

/// Values files that are tried at once.
const AT_ONCE: usize = 3;

#[test]
fn programs_started_with_what_is_rendered_turn_every_probe_green() {
    let servers = Servers::start();
    let files: Vec<(PathBuf, Value)> =
        helm::shipped().iter().map(|(file, answer)| (file.clone(), ports(&answer["values"]))).collect();
    let rendered = helm::objects_over(&files);
    let waiting = Mutex::new(files.iter().map(|(file, _)| helm::stem(file)).zip(rendered).collect::<Vec<_>>());
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let Some((file, objects)) = waiting.lock().pop() else { return };
                    turns_green(&servers, &file, &objects);
                    println!("{file} is green");
                }
            });
        }
    });
}

/// Pods have an address of their own each; processes of one machine need ports of their own.
fn ports(values: &Value) -> Value {
    let port = || free_port().unwrap();
    let named = values["workers"].as_object().into_iter().flatten();
    let named = named.filter(|(_, worker)| worker.is_object()).map(|(name, _)| name.as_str());
    let shipped = ["io", "cpu"].into_iter().filter(|name| values["workers"].get(name).is_none_or(Value::is_object));
    let workers: serde_json::Map<String, Value> =
        named.chain(shipped).map(|name| (name.to_owned(), json!({ "metricsPort": port() }))).collect();
    json!({ "orchestrator": { "ports": { "grpc": port(), "http": port() } }, "workers": workers })
}

/// Starts each Deployment's program once, and then the pod of `helm test`.
fn turns_green(servers: &Servers, file: &str, objects: &[Value]) {
    let stores = servers.stores(file);
    let of_kind = |kind: &'static str| objects.iter().filter(move |object| object["kind"] == kind);
    let mut around = Surroundings {
        secrets: servers.secrets(),
        maps: servers.maps(),
        places: servers.places(),
        roots: servers.authority.roots(),
    };
    around.places.extend(stores.places.iter().cloned());
    around.places.extend(of_kind("Service").map(|service| {
        let there = format!("{}.flows.svc", name_of(service));
        (there, "127.0.0.1".to_owned())
    }));
    for map in of_kind("ConfigMap") {
        let data = serde_json::from_value(map["data"].clone()).unwrap();
        around.maps.insert(name_of(map).to_owned(), data);
    }
    let (orchestrators, workers): (Vec<_>, Vec<_>) =
        of_kind("Deployment").partition(|deployment| component_of(deployment) == "orchestrator");

    // Workers come first, as they may: they wait, alive, for somebody to admit them.
    let mut running: Vec<Program> =
        workers.into_iter().chain(orchestrators).map(|deployment| started(deployment, &around)).collect();
    running.iter_mut().for_each(|program| {
        program.await_green();
        program.await_metrics();
    });
    let test = of_kind("Pod").next().unwrap();
    for container in list(&test["spec"]["containers"]) {
        let output = Program::staged(&test["spec"], container, &around).run();
        assert!(output.status.success(), "{file}: {}", String::from_utf8_lossy(&output.stderr));
    }
    let declared = servers.rabbit(file).queues("/").unwrap();
    for queue in of_kind("ScaledObject").flat_map(queues_of) {
        assert!(declared.iter().any(|(name, _)| *name == queue), "{queue} is not declared: {declared:?}");
    }
    running.iter_mut().for_each(Program::end);
}

fn started(deployment: &Value, around: &Surroundings) -> Program {
    let spec = pod_of(deployment);
    let mut pod = Program::staged(spec, &spec["containers"][0], around);
    pod.start();
    pod
}
