"""The dashboard and alert rules of `deploy/`: read by Prometheus, and of metrics that exist."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from support.agents import Lab
from support.installed import installed
from support.programs import BELL
from support.server import running_server
from support.snippets import ROOT

RULES = ROOT / "deploy" / "prometheus" / "alerts.yaml"
DASHBOARD = json.loads((ROOT / "deploy" / "grafana" / "qwicket.json").read_text("utf-8"))
PAGE = ROOT / "docs" / "howto" / "monitoring.md"
ALERTS: dict[str, dict[str, Any]] = {
    rule["alert"]: rule
    for group in yaml.safe_load(RULES.read_text("utf-8"))["groups"]
    for rule in group["rules"]
}
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
VARIABLES = {variable["name"]: variable for variable in DASHBOARD["templating"]["list"]}
BUILT_IN = {"__rate_interval": "5m", "__range": "1h"}
"""Grafana's own variables in expressions."""
UNITS = {"bytes", "ops", "percentunit", "reqps", "s", "short"}
OF_PROMETHEUS = {"job", "instance", "le"}
"""Labels that Prometheus adds, and that of buckets."""


def shown() -> list[str]:
    """Return every expression of the dashboard, with values for its variables."""
    expressions = [target["expr"] for panel in PANELS for target in panel["targets"]]
    expressions += [note["expr"] for note in DASHBOARD["annotations"]["list"]]
    for name, value in (*BUILT_IN.items(), ("instance", ".*"), ("device", ".*")):
        expressions = [each.replace(f"${name}", value) for each in expressions]
    return expressions


EXPRESSIONS = [*shown(), *(rule["expr"] for rule in ALERTS.values())]


def names(expression: str) -> set[str]:
    """Return the metrics of ours in an expression."""
    return set(re.findall(r"\b(?:qwicket|process)_\w+", expression))


def labels(expression: str) -> set[str]:
    """Return the labels that an expression selects or combines by."""
    grouped = re.findall(r"\b(?:by|on|without|ignoring) \(([^)]*)\)", expression)
    selected = re.findall(r"(\w+)(?:=~|!~|!=|=)\"", expression)
    return {*selected, *(name for group in grouped for name in re.split(r",\s*", group))}


@pytest.fixture(scope="module")
def exposed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, set[str]]]:
    """The samples of a server at which every kind of thing happened, with their labels."""
    folder = tmp_path_factory.mktemp("monitored")
    with running_server(folder) as live, live.client() as client, Lab(live, folder / "lab"):
        body = {"program": BELL, "device": "simulator", "shots": 10}
        job = client.post("/v1/jobs", json=body).json()["id"]
        assert client.get(f"/v1/jobs/{job}", params={"wait": 60}).json()["state"] == "completed"
        text = httpx.get(f"{live.url}/metrics").text
        found: dict[str, set[str]] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                found.setdefault(sample.name, set()).update(sample.labels)
        yield found


def test_an_expression_names_metrics_and_labels_that_a_server_has(
    subtests: pytest.Subtests, exposed: dict[str, set[str]]
) -> None:
    assert EXPRESSIONS
    for expression in EXPRESSIONS:
        with subtests.test(expression):
            used = names(expression)
            assert used <= exposed.keys()
            assert used or "up{" in expression
            known = {label for name in used for label in exposed[name]}
            assert labels(expression) <= known | OF_PROMETHEUS


def test_what_counts_as_a_name_or_label() -> None:
    text = 'sum by (pool, x) (rate(qwicket_a_total{kind="b", job=~"c"}[5m])) / process_d'
    assert names(text) == {"qwicket_a_total", "process_d"}
    assert labels(text) == {"pool", "x", "kind", "job"}


# --- rules ----------------------------------------------------------------------------------------


def promtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [installed("promtool"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_prometheus_takes_the_rules() -> None:
    done = promtool("check", "rules", RULES)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(ALERTS)} rules found" in done.stdout


def test_prometheus_takes_every_expression_of_the_dashboard(tmp_path: Path) -> None:
    rules = [{"record": f"panel:{k}", "expr": each} for k, each in enumerate(shown())]
    path = tmp_path / "panels.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    done = promtool("check", "rules", path)
    assert done.returncode == 0, done.stdout + done.stderr
    path.write_text(path.read_text().replace("sum(", "sum((", 1))
    assert promtool("check", "rules", path).returncode != 0, "a wrong one is refused"


class Fires(NamedTuple):
    """What makes an alert fire, how it is announced, and after how many minutes."""

    series: dict[str, str]
    summary: str
    labels: dict[str, str]
    after_min: int = 30


AT = {"instance": "a"}
IN = 'instance="a"'
HOME = 'job="qwicket",instance="a"'
FIRES = {
    "QwicketDown": Fires(
        {f"up{{{HOME}}}": "1x9 0x30"}, "a does not respond", {"job": "qwicket", **AT}, 12
    ),
    "QwicketMissing": Fires({}, "Prometheus knows no server of Qwicket", {"job": "qwicket"}, 5),
    "QwicketRestarts": Fires(
        {f"process_start_time_seconds{{{HOME}}}": "0x5 1x5 2x5 3x20"},
        "a restarted 3 times within 30 minutes",
        {"job": "qwicket", **AT},
        25,
    ),
    "QwicketServerErrors": Fires(
        {
            f'qwicket_request_seconds_count{{{IN},status="5xx"}}': "0+10x40",
            f'qwicket_request_seconds_count{{{IN},status="2xx"}}': "0+90x40",
        },
        "a answers 10% of requests with 5xx",
        AT,
    ),
    "QwicketDatabaseErrors": Fires(
        {f"qwicket_store_errors_total{{{IN}}}": "0x28 1x10"},
        "The database of a refused writes",
        AT,
    ),
    "QwicketSlowCommits": Fires(
        {
            f"qwicket_commit_seconds_sum{{{IN}}}": "0+30x40",
            f"qwicket_commit_seconds_count{{{IN}}}": "0+60x40",
        },
        "A commit of a takes 500ms",
        AT,
    ),
    "QwicketNoRunner": Fires(
        {
            f'qwicket_jobs_waiting{{{IN},device="lab"}}': "3x40",
            f'qwicket_expected_wait_seconds{{{IN},device="simulator"}}': "0x40",
        },
        "3 jobs wait for lab, which nothing serves",
        {"device": "lab"},
    ),
    "QwicketQueueStuck": Fires(
        {
            f'qwicket_jobs_waiting{{{IN},device="simulator"}}': "3x60",
            f'qwicket_jobs_running{{{IN},device="simulator"}}': "0x60",
            f'qwicket_jobs_ended_total{{{IN},device="simulator",state="completed"}}': "0+1x5 5x60",
        },
        "3 jobs wait for simulator, and none ran for 15 minutes",
        {"device": "simulator"},
        50,
    ),
    "QwicketLongQueue": Fires(
        {f'qwicket_expected_wait_seconds{{{IN},device="simulator"}}': "7200x40"},
        "A job for simulator would wait 2h 0m 0s",
        {"device": "simulator"},
    ),
    "QwicketJobsFail": Fires(
        {
            f'qwicket_jobs_ended_total{{{IN},device="simulator",state="failed"}}': "0+1x60",
            f'qwicket_jobs_ended_total{{{IN},device="simulator",state="completed"}}': "0+1x60",
        },
        "50% of the jobs of simulator fail",
        {"device": "simulator"},
    ),
    "QwicketWorkerDeaths": Fires(
        {f'qwicket_worker_deaths_total{{{IN},pool="jobs"}}': "0+1x40"},
        "15 processes (jobs) of a died",
        {"pool": "jobs", **AT},
    ),
    "QwicketRunnersLost": Fires(
        {f"qwicket_leases_lost_total{{{IN}}}": "0+1x40"}, "15 jobs lost their runner", AT
    ),
    "QwicketProgramsRefused": Fires(
        {f"qwicket_parser_refusals_total{{{IN}}}": "0+1x40"},
        "a refuses programs, because too many wait to be parsed",
        AT,
    ),
    "QwicketResponsesRefused": Fires(
        {f"qwicket_response_refusals_total{{{IN}}}": "0+1x40"},
        "a refuses large responses for lack of memory",
        AT,
    ),
    "QwicketWrongCredentials": Fires(
        {f'qwicket_wrong_credentials_total{{{IN},kind="token"}}': "0+120x40"},
        "a refuses 2 wrong credentials per second",
        {"kind": "token", **AT},
    ),
    "QwicketFileDescriptors": Fires(
        {
            f"process_open_fds{{{HOME}}}": "900x40",
            f"process_max_fds{{{HOME}}}": "1000x40",
        },
        "a uses 90% of its file descriptors",
        {"job": "qwicket", **AT},
    ),
    "QwicketLogLinesDropped": Fires(
        {f"qwicket_access_lines_dropped_total{{{IN}}}": "0+1x40"},
        "a dropped 15 lines of its access log",
        AT,
    ),
}
CALM = {
    f"up{{{HOME}}}": "1x70",
    f"process_start_time_seconds{{{HOME}}}": "0x30 1x40",
    f"process_open_fds{{{HOME}}}": "100x70",
    f"process_max_fds{{{HOME}}}": "1000x70",
    f'qwicket_request_seconds_count{{{IN},status="5xx"}}': "0+1x70",
    f'qwicket_request_seconds_count{{{IN},status="2xx"}}': "0+90x70",
    f"qwicket_store_errors_total{{{IN}}}": "0x70",
    f"qwicket_commit_seconds_sum{{{IN}}}": "0+1x70",
    f"qwicket_commit_seconds_count{{{IN}}}": "0+60x70",
    f'qwicket_jobs_waiting{{{IN},device="simulator"}}': "3x70",
    f'qwicket_jobs_running{{{IN},device="simulator"}}': "0x70",
    f'qwicket_expected_wait_seconds{{{IN},device="simulator"}}': "60x70",
    f'qwicket_jobs_ended_total{{{IN},device="simulator",state="failed"}}': "0+1x70",
    f'qwicket_jobs_ended_total{{{IN},device="simulator",state="completed"}}': "0+9x70",
    f'qwicket_worker_deaths_total{{{IN},pool="jobs"}}': "0x20 1x50",
    f"qwicket_leases_lost_total{{{IN}}}": "0x70",
    f"qwicket_parser_refusals_total{{{IN}}}": "0x70",
    f"qwicket_response_refusals_total{{{IN}}}": "0x70",
    f'qwicket_wrong_credentials_total{{{IN},kind="token"}}': "0+1x70",
    f"qwicket_access_lines_dropped_total{{{IN}}}": "0x70",
}
"""A server with some trouble, and not too much of it."""


def run_rules(folder: Path, series: dict[str, str], expected: list[dict[str, Any]]) -> None:
    """Feed metrics, one value a minute, to the rules; compare the alerts."""
    document = {
        "rule_files": [str(RULES)],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": k, "values": v} for k, v in series.items()],
                "alert_rule_test": expected,
            }
        ],
    }
    path = folder / "test.yaml"
    path.write_text(yaml.safe_dump(document))
    done = promtool("test", "rules", path)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_fires_and_says_what_is_wrong(name: str, tmp_path: Path) -> None:
    rule, fires = ALERTS[name], FIRES[name]
    alert = {
        "exp_labels": {**fires.labels, **rule["labels"]},
        "exp_annotations": {
            "summary": fires.summary,
            "description": rule["annotations"]["description"],
        },
    }
    at = f"{fires.after_min}m"
    expected = [{"alertname": name, "eval_time": at, "exp_alerts": [alert]}]
    run_rules(tmp_path, fires.series, expected)


def test_a_calm_server_fires_no_alert(tmp_path: Path) -> None:
    expected = [
        {"alertname": name, "eval_time": f"{at_min}m", "exp_alerts": []}
        for name in ALERTS
        for at_min in (20, 45, 69)
    ]
    run_rules(tmp_path, CALM, expected)


def test_every_alert_has_a_severity_and_its_row_on_the_page() -> None:
    assert FIRES.keys() == ALERTS.keys()
    rows = re.findall(r"^\| `(Qwicket\w+)` \| (\w+) \|", PAGE.read_text("utf-8"), re.MULTILINE)
    assert dict(rows) == {name: rule["labels"]["severity"] for name, rule in ALERTS.items()}
    for rule in ALERTS.values():
        assert rule["labels"]["severity"] in {"critical", "warning"}
        assert rule["annotations"].keys() == {"summary", "description"}


# --- dashboard ------------------------------------------------------------------------------------


def test_every_panel_has_targets_a_unit_and_the_chosen_data_source() -> None:
    assert len(PANELS) > 20
    for panel in PANELS:
        title = panel["title"]
        assert panel["type"] in {"stat", "timeseries"}, title
        assert panel["targets"], title
        assert panel["fieldConfig"]["defaults"]["unit"] in UNITS, title
        for each in (panel, *panel["targets"]):
            assert each["datasource"] == {"type": "prometheus", "uid": "${datasource}"}, title
        references = [target["refId"] for target in panel["targets"]]
        assert len(set(references)) == len(references), title
        assert all(target["expr"] and target["legendFormat"] for target in panel["targets"]), title


def test_panels_have_ids_of_their_own_and_do_not_overlap() -> None:
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])
        }
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells


def test_variables_of_the_dashboard_are_defined_and_of_metrics_that_there_are(
    exposed: dict[str, set[str]],
) -> None:
    used = set(re.findall(r"\$\{?(\w+)", json.dumps(DASHBOARD["panels"])))
    assert used - BUILT_IN.keys() == VARIABLES.keys()
    assert VARIABLES["datasource"]["type"] == "datasource"
    assert VARIABLES["datasource"]["query"] == "prometheus"
    for name in ("instance", "device"):
        query = VARIABLES[name]["query"]
        assert query.startswith("label_values(")
        assert query.endswith(f", {name})")
        assert names(query) <= exposed.keys()


def test_the_dashboard_and_the_alerts_use_the_job_name_of_the_page() -> None:
    (block,) = re.findall(
        r"```yaml\n(.*?)```", (ROOT / "docs" / "operations.md").read_text(), re.DOTALL
    )
    (job,) = yaml.safe_load(block)["scrape_configs"]
    assert EXPRESSIONS
    for text in EXPRESSIONS:
        for name in re.findall(r'job="(\w+)"', text):
            assert name == job["job_name"]
