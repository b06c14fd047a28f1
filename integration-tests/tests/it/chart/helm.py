"""Answers requests about a chart with Helm itself.

Standard input holds a JSON list of {chart, values, over, check}: the chart's folder, a values file, what
stands over it, and the versions of Kubernetes whose schemas its objects are checked against. Standard output
gets a list of {values, documents, notes, findings}, or of {complaint} where Helm refuses.
"""

import json
import sys

import helm_python
import kubernetes_validate
import yaml

# Kinds that are not Kubernetes' own have no schema there.
FOREIGN = ("keda.sh/", "monitoring.coreos.com/")


def over(left, right):
    if not (isinstance(left, dict) and isinstance(right, dict)):
        return right
    merged = dict(left)
    for name, value in right.items():
        merged[name] = over(left[name], value) if name in left else value
    return merged


def linted(chart, values):
    report = helm_python.lint(chart, values, strict=True, kube_version="v1.34.0")
    # 1 is advice, such as an icon.
    grave = [message["error"] for message in report["messages"] if message["severity"] > 1]
    return grave + report["errors"]


def invalid(document, version):
    try:
        kubernetes_validate.validate(document, version, strict=True)
    except Exception as error:
        kind, name = document["kind"], document["metadata"]["name"]
        return [f"{kind} {name} for Kubernetes {version}: {error}"]
    return []


def answer(request):
    with open(request["values"], encoding="utf-8") as file:
        values = over(yaml.safe_load(file) or {}, request["over"])
    try:
        chart = helm_python.Chart.load(request["chart"])
        rendered = chart.render(values, name="baton", namespace="flows", is_install=True)
    except helm_python.HelmError as error:
        return {"complaint": str(error)}
    notes = "".join(text for path, text in rendered.items() if path.endswith("NOTES.txt"))
    manifests = [text for path, text in sorted(rendered.items()) if path.endswith(".yaml")]
    documents = [document for text in manifests for document in yaml.safe_load_all(text) if document]
    findings = linted(request["chart"], values) if request["check"] else []
    for document in documents:
        if not document["apiVersion"].startswith(FOREIGN):
            for version in request["check"]:
                findings += invalid(document, version)
    return {"values": values, "documents": documents, "notes": notes, "findings": findings}


json.dump([answer(request) for request in json.load(sys.stdin)], sys.stdout)
