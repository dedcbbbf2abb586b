"""Lint, render and validate a Helm chart, inside the environment `deployment/tools`.

    python charts.py CHART < cases.json

Reads `{"kubernetes": [versions], "cases": {name: values}}`. Prints for each case why its values
were refused, or its documents with the findings of `helm lint` and of Kubernetes' schemas.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import helm_python
import kubernetes_validate
import yaml


def rendered(chart: helm_python.Chart, values: dict[str, Any]) -> list[dict[str, Any]]:
    texts = chart.render(values, name="lab", namespace="quantum")
    manifests = [text for name, text in texts.items() if name.endswith(".yaml")]
    return [each for text in manifests for each in yaml.safe_load_all(text) if each]


def problem(document: dict[str, Any], version: str) -> str | None:
    """Return why Kubernetes would refuse a document, also for unknown fields; None if it fits."""
    try:
        kubernetes_validate.validate(document, version, strict=True)
    except kubernetes_validate.ValidationError as error:
        return f"{document['kind']}, Kubernetes {version}: {error}"
    return None


def main() -> None:
    (folder,) = sys.argv[1:]
    asked = json.load(sys.stdin)
    answers: dict[str, Any] = {}
    with helm_python.Chart.load(folder) as chart:
        for name, values in asked["cases"].items():
            try:
                chart.validate_schema(values)
                documents = rendered(chart, values)
            except helm_python.HelmError as error:
                answers[name] = {"refused": str(error)}
                continue
            problems = [problem(each, to) for each in documents for to in asked["kubernetes"]]
            linted = helm_python.lint(folder, values)["messages"]
            warnings = [each for each in linted if each["severity"] > 1]
            problems += [f"{each['path']}: {each['error']}" for each in warnings]
            answers[name] = {"documents": documents, "problems": list(filter(None, problems))}
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main()
