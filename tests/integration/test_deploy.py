"""The files of `deploy/`: each is checked by the program that reads it, its commands by ours."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from contract.environments import interpreter
from qwicket.scaling.kubernetes import KubernetesSite
from support.commands import assert_known, names, variables
from support.installed import installed
from support.programs import BELL
from support.server import running_server
from support.snippets import ROOT

pytestmark = pytest.mark.extended

DEPLOY = ROOT / "deploy"
CHART = DEPLOY / "helm" / "qwicket"
UNITS = sorted((DEPLOY / "systemd").iterdir())
FILES = sorted(path for path in DEPLOY.rglob("*") if path.is_file())
KUBERNETES = ("1.30", "1.37")
"""The oldest version that the chart allows, and the newest one whose schemas are installed."""


def tool(name: str) -> str:
    """Return the path of a program in the environment of tools."""
    return str(interpreter("deployment/tools").with_name(name))


def relative(path: Path) -> str:
    return path.relative_to(DEPLOY).as_posix()


# --- every file -----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_variables_that_a_file_sets_are_read(path: Path) -> None:
    assert names(path) <= variables()


def test_the_table_names_every_file_and_no_other() -> None:
    linked = re.findall(r"\]\((?!\.\.)([^)#]+)\)", (DEPLOY / "README.md").read_text())
    shown = {each for link in linked for each in FILES if each.is_relative_to(DEPLOY / link)}
    assert shown == {*FILES} - {DEPLOY / "README.md"}


# --- the image ------------------------------------------------------------------------------------


def instructions() -> list[tuple[str, str]]:
    """Return the Containerfile's instructions, each with its arguments."""
    text = re.sub(r"^\s*#.*\n", "", (DEPLOY / "Containerfile").read_text(), flags=re.MULTILINE)
    lines = text.replace("\\\n", " ").splitlines()
    return [(line.split(None, 1)[0], line.split(None, 1)[1]) for line in lines if line.strip()]


def test_the_image_has_two_stages_and_does_not_run_as_root() -> None:
    found = instructions()
    assert [name for name, _ in found].count("FROM") == 2
    last = [name for name, _ in found][::-1].index("FROM")
    final = dict(found[-last:])
    assert int(final["USER"].partition(":")[0]) > 0
    assert "HEALTHCHECK" in final
    assert json.loads(final["ENTRYPOINT"]) == ["tini", "-s", "--", "qwicket"]
    assert_known(json.loads(final["CMD"]))


def test_what_the_image_copies_is_there_and_is_not_ignored() -> None:
    kept = (DEPLOY / "Containerfile.dockerignore").read_text().splitlines()
    for name, arguments in instructions():
        if name == "COPY" and not arguments.startswith("--from"):
            for source in arguments.split()[:-1]:
                assert (ROOT / source).exists()
                assert f"!{source}" in kept


def test_the_images_health_check_sees_a_server(tmp_path: Path) -> None:
    (check,) = [rest for name, rest in instructions() if name == "HEALTHCHECK"]
    _, program, *arguments = json.loads(f'["", {check.partition("[")[2]}')
    assert program == "python"
    with running_server(tmp_path) as live:
        port = live.url.rpartition(":")[2]
        command = [sys.executable, *arguments]
        subprocess.run(command, env={"QWICKET_PORT": port}, check=True)
    done = subprocess.run(command, env={"QWICKET_PORT": port}, capture_output=True, check=False)
    assert done.returncode == 1


# --- Compose --------------------------------------------------------------------------------------


def test_the_compose_file_is_one() -> None:
    command = [tool("check-jsonschema"), "--builtin-schema", "vendor.compose-spec"]
    done = subprocess.run(
        [*command, str(DEPLOY / "compose.yaml")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_services_of_the_compose_file_are_hardened_and_their_parts_are_there() -> None:
    document = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    assert {*document["services"]} == {"server", "worker", "postgres"}
    for service in document["services"].values():
        assert {*service.get("secrets", [])} <= {*document["secrets"]}
        volumes = {volume.partition(":")[0] for volume in service.get("volumes", [])}
        assert volumes <= {*document["volumes"]}
        if "postgres" in service["image"]:
            continue
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]
        assert_known(service.get("command", ["serve"]))
    assert (DEPLOY / document["services"]["server"]["build"]["context"]).resolve() == ROOT


# --- systemd --------------------------------------------------------------------------------------


@pytest.fixture(params=UNITS, ids=lambda path: str(path.name))
def unit(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A unit whose program is that of this checkout: systemd checks that there is one."""
    path: Path = request.param
    text = path.read_text()
    assert "=/opt/qwicket/bin/qwicket " in text
    copy = tmp_path / path.name
    copy.write_text(text.replace("/opt/qwicket/bin", str(Path(sys.executable).parent)))
    return copy


def test_systemd_takes_a_unit(unit: Path) -> None:
    done = subprocess.run(
        [installed("systemd-analyze"), "verify", "--man=no", "--recursive-errors=no", str(unit)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_a_unit_is_hardened(unit: Path) -> None:
    """systemd's own scale ends at 10, for a service without any of its restrictions."""
    done = subprocess.run(
        [
            *(installed("systemd-analyze"), "security", "--no-pager", "--offline=true"),
            *("--threshold=15", str(unit)),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    text = unit.read_text()
    assert "\nDynamicUser=yes\n" in text
    assert "\nProtectSystem=strict\n" in text


def test_a_unit_calls_a_command_of_ours(unit: Path) -> None:
    (line,) = re.findall(r"^ExecStart=(.*)$", unit.read_text(), re.MULTILINE)
    assert_known(shlex.split(line)[1:])


# --- Slurm and Apptainer --------------------------------------------------------------------------


def test_the_batch_script_is_shell_with_a_command_of_ours() -> None:
    script = DEPLOY / "slurm" / "worker.sbatch"
    subprocess.run(["bash", "-n", str(script)], check=True)
    text = script.read_text().replace("\\\n", " ")
    (line,) = re.findall(r"^srun .* qwicket (worker .*)$", text, re.MULTILINE)
    assert_known(shlex.split(line))
    # The signal goes to job steps: the worker must be one.
    assert re.search(r"^#SBATCH --signal=USR1@60$", text, re.MULTILINE)


def test_the_batch_script_names_what_is_missing() -> None:
    script = str(DEPLOY / "slurm" / "worker.sbatch")
    done = subprocess.run(["bash", script], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "the address of the server is missing" in done.stderr


def test_the_definition_for_apptainer_has_its_parts() -> None:
    text = (DEPLOY / "apptainer" / "qwicket.def").read_text()
    header, *sections = re.split(r"^%", text, flags=re.MULTILINE)
    keys = dict(re.findall(r"^(\w+): (.+)$", header, re.MULTILINE))
    assert keys == {"Bootstrap": "docker-archive", "From": "qwicket.tar"}
    scripts = dict(section.split("\n", 1) for section in sections)
    assert {*scripts} == {"environment", "runscript", "test"}
    for script in scripts.values():
        subprocess.run(["bash", "-n"], input=script, text=True, check=True)
    assert 'exec qwicket "$@"' in scripts["runscript"]


# --- Kubernetes -----------------------------------------------------------------------------------

SECRET = {"token": {"secret": "workers"}}
TAKEN: dict[str, dict[str, Any]] = {
    "default": {},
    "database": {"server": {"replicas": 3}, "database": {"secret": "postgres"}},
    "workers": {"worker": {"replicas": 2, **SECRET}},
    "workers of another server": {
        "worker": {"replicas": 1, "server": "https://lab.example.org", **SECRET}
    },
    "scaled workers": {"worker": {"scale": {"max": 8, "min": 1}, **SECRET}},
    "everything": {
        "image": {"repository": "registry.example.org/qwicket", "tag": "1", "pullPolicy": "Always"},
        "imagePullSecrets": [{"name": "registry"}],
        "server": {
            "replicas": 2,
            "settings": {
                "public-url": "https://lab.example.org",
                "trusted-proxy": "10.0.0.0/8",
                "keep-days": 0.5,
                "access-log": True,
                "limits": {"stored_bytes": 50_000_000_000, "express_s": 1.5, "shots": 5_000},
                "device-dir": "/run/secrets/qwicket",
                "oidc-issuer": "https://login.example.org/realms/lab",
                "oidc-client-id": "qwicket",
                "oidc-client-secret-file": "/run/secrets/qwicket/oidc",
                "oidc-groups": {
                    "staff": {"role": "admin", "projects": ["class", "lab"]},
                    'a "group"': {"projects": ["class"]},
                },
            },
            "secret": "sign-in",
            "env": [{"name": "QWICKET_ACCESS_LOG", "value": "true"}],
            "envFrom": [{"secretRef": {"name": "keys"}}],
            "nodeSelector": {"disk": "fast"},
            "tolerations": [{"key": "quantum", "operator": "Exists"}],
        },
        "database": {"secret": "postgres", "key": "url"},
        "service": {"type": "NodePort", "port": 80},
        "ingress": {
            "enabled": True,
            "className": "nginx",
            "host": "lab.example.org",
            "tlsSecret": "lab-tls",
            "annotations": {"nginx.ingress.kubernetes.io/proxy-body-size": "64m"},
        },
        "worker": {
            "replicas": 4,
            "slots": 8,
            "devices": ["simulator", "clifford"],
            "nodeSelector": {"disk": "fast"},
            "tolerations": [{"key": "quantum", "operator": "Exists"}],
            **SECRET,
        },
        "networkPolicy": {
            "from": [{"namespaceSelector": {"matchLabels": {"name": "ingress"}}}],
            "egress": [{"ports": [{"port": 443, "protocol": "TCP"}]}],
        },
    },
    "own volume": {"storage": {"size": "2Ti", "className": "fast"}},
    "no policy": {"networkPolicy": {"enabled": False}},
    "names of digits": {
        "server": {"settings": {"oidc-groups": {"staff": {"role": "admin"}}}},
        "database": {"secret": "10", "key": "11"},
        "storage": {"size": "1Gi", "className": "12"},
        "ingress": {"enabled": True, "className": "13", "host": "a.example", "tlsSecret": "14"},
        "worker": {"replicas": 1, "token": {"secret": "15", "key": "16"}},
    },
    "egress alone": {
        "networkPolicy": {"egress": [{"ports": [{"port": 443, "protocol": "TCP"}]}]},
    },
}
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "unknown key": ({"serverr": {}}, "serverr"),
    "wrong type": ({"service": {"port": "http"}}, "/service/port"),
    "two servers, one folder": ({"server": {"replicas": 2}}, "/database/secret"),
    "workers without a token": ({"worker": {"replicas": 1}}, "/worker/token/secret"),
    "a scaler without a token": ({"worker": {"scale": {"max": 1}}}, "/worker/token/secret"),
    "a scaler and replicas": (
        {"worker": {"replicas": 1, "scale": {"max": 1}, **SECRET}},
        "/worker/replicas",
    ),
    "ingress without a host": ({"ingress": {"enabled": True}}, "/ingress/host"),
    "setting of the chart": ({"server": {"settings": {"port": 9000}}}, "/server/settings"),
    "password in the settings": (
        {"server": {"settings": {"database-url": "postgresql://q:secret@host/q"}}},
        "/server/settings",
    ),
    "a group with an unknown role": (
        {"server": {"settings": {"oidc-groups": {"staff": {"role": "owner"}}}}},
        "/server/settings/oidc-groups/staff/role",
    ),
    "a variable of the chart": (
        {"server": {"env": [{"name": "QWICKET_DATABASE_URL", "value": "postgresql://q:s@h/q"}]}},
        "/server/env/0/name",
    ),
    "not a size": ({"storage": {"size": "large"}}, "/storage/size"),
}

Documents = list[dict[str, Any]]


@pytest.fixture(scope="module")
def charts() -> dict[str, dict[str, Any]]:
    """What Helm and Kubernetes' schemas make of all cases."""
    cases = {**TAKEN, **{name: values for name, (values, _) in REFUSED.items()}}
    done = subprocess.run(
        [tool("python"), str(ROOT / "tests" / "support" / "charts.py"), str(CHART)],
        input=json.dumps({"kubernetes": KUBERNETES, "cases": cases}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answers: dict[str, dict[str, Any]] = json.loads(done.stdout)
    return answers


@pytest.fixture(params=TAKEN)
def documents(request: pytest.FixtureRequest, charts: dict[str, dict[str, Any]]) -> Documents:
    """The objects of a case."""
    found: Documents = charts[request.param]["documents"]
    return found


def pods(documents: Documents) -> Iterator[dict[str, Any]]:
    """Yield the templates of all pods, those of the Jobs that a scaler creates, too."""
    for document in documents:
        if "template" in document.get("spec", {}):
            yield document["spec"]["template"]
        if "job.json" in document.get("data", {}):
            yield job_of(document)["spec"]["template"]


def job_of(document: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(document["data"]["job.json"])
    return found


def of(documents: Documents, *kinds: str) -> Documents:
    return [each for each in documents if each["kind"] in kinds]


@pytest.mark.parametrize("case", TAKEN)
def test_helm_and_kubernetes_take_the_chart(case: str, charts: dict[str, dict[str, Any]]) -> None:
    assert charts[case].get("refused") is None
    assert charts[case]["problems"] == []


@pytest.mark.parametrize("case", REFUSED)
def test_values_that_cannot_work_are_refused(case: str, charts: dict[str, dict[str, Any]]) -> None:
    assert REFUSED[case][1] in charts[case].get("refused", "")


def test_the_kind_of_the_server_follows_from_its_database(
    charts: dict[str, dict[str, Any]],
) -> None:
    kinds = {case: {each["kind"] for each in charts[case]["documents"]} for case in TAKEN}
    assert "StatefulSet" in kinds["default"]
    assert not kinds["default"] & {"Deployment", "PodDisruptionBudget", "Ingress"}
    assert "StatefulSet" not in kinds["database"]
    assert kinds["database"] >= {"Deployment", "PodDisruptionBudget"}
    assert "Ingress" in kinds["everything"]
    assert "NetworkPolicy" not in kinds["no policy"]


def test_several_servers_are_spread_over_nodes(charts: dict[str, dict[str, Any]]) -> None:
    spread = {
        case: [
            (pod["metadata"]["labels"], rule)
            for pod in pods(charts[case]["documents"])
            for rule in pod["spec"].get("topologySpreadConstraints", [])
        ]
        for case in ("default", "database")
    }
    assert spread["default"] == []
    ((labels, rule),) = spread["database"]
    assert rule["labelSelector"]["matchLabels"].items() <= labels.items()


def test_pods_keep_the_restricted_standard(documents: Documents) -> None:
    """https://kubernetes.io/docs/concepts/security/pod-security-standards, "restricted"."""
    assert list(pods(documents))
    for pod in pods(documents):
        spec = pod["spec"]
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        # A scaler alone asks Kubernetes for something.
        is_scaler = spec["containers"][0]["name"] == "scaler"
        assert spec["automountServiceAccountToken"] is is_scaler
        # A service named "qwicket" would set QWICKET_PORT to an address of its own.
        assert spec["enableServiceLinks"] is False
        for container in spec["containers"]:
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False
            assert context["readOnlyRootFilesystem"] is True
            assert context["capabilities"] == {"drop": ["ALL"]}
            mounted = {mount["name"] for mount in container["volumeMounts"]}
            assert container["resources"]["limits"]["memory"]
            assert "tmp" in mounted


def test_pods_have_the_volumes_that_they_mount(documents: Documents) -> None:
    for document in of(documents, "Deployment", "StatefulSet"):
        spec = document["spec"]
        there = {volume["name"] for volume in spec["template"]["spec"]["volumes"]}
        there |= {each["metadata"]["name"] for each in spec.get("volumeClaimTemplates", [])}
        (container,) = spec["template"]["spec"]["containers"]
        assert {mount["name"] for mount in container["volumeMounts"]} == there


def test_selectors_meet_pods_of_one_component(documents: Documents) -> None:
    labels = [pod["metadata"]["labels"] for pod in pods(documents)]
    for document in documents:
        spec = document.get("spec", {})
        selector = spec.get("podSelector") or spec.get("selector")
        if selector is None:
            continue
        wanted = selector.get("matchLabels", selector).items()
        assert len([each for each in labels if wanted <= each.items()]) == 1, document["kind"]


@pytest.mark.parametrize(
    ("case", "port", "is_encrypted"),
    [("workers", "http", False), ("workers of another server", 443, True)],
)
def test_workers_may_connect_to_their_server_alone(
    case: str, port: str | int, is_encrypted: bool, charts: dict[str, dict[str, Any]]
) -> None:
    documents = charts[case]["documents"]
    (policy,) = [
        each["spec"]
        for each in of(documents, "NetworkPolicy")
        if each["metadata"]["name"].endswith("-worker")
    ]
    assert policy["ingress"] == []
    dns, server = policy["egress"]
    assert {each["port"] for each in dns["ports"]} == {53}
    assert [each["port"] for each in server["ports"]] == [port]
    (worker,) = [
        pod["spec"]["containers"][0]["args"]
        for pod in pods(documents)
        if pod["metadata"]["labels"]["app.kubernetes.io/component"] == "worker"
    ]
    assert ("--insecure" in worker) is not is_encrypted


def test_pods_run_commands_of_ours(documents: Documents) -> None:
    for pod in pods(documents):
        (container,) = pod["spec"]["containers"]
        assert_known([*container["args"]])
        given = {variable["name"] for variable in container.get("env", [])}
        assert given <= variables()
        if container["args"][0] == "serve":
            paths = {
                "livenessProbe": "/livez",
                "startupProbe": "/readyz",
                "readinessProbe": "/readyz",
            }
            assert {name: container[name]["httpGet"]["path"] for name in paths} == paths


def test_a_scaler_takes_the_charts_manifest_and_may_do_what_it_does(
    charts: dict[str, dict[str, Any]],
) -> None:
    documents = charts["scaled workers"]["documents"]
    (document,) = [each for each in of(documents, "ConfigMap") if "job.json" in each["data"]]
    job = job_of(document)
    KubernetesSite(job, "group", slots=1, idle_s=60, url="http://127.0.0.1:9")
    assert job["spec"]["template"]["spec"]["restartPolicy"] == "Never"
    assert job["metadata"]["namespace"]
    (role,) = of(documents, "Role")
    assert role["rules"] == [
        {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["list", "create", "delete"]}
    ]


def test_groups_of_the_identity_provider_are_those_of_the_values(
    charts: dict[str, dict[str, Any]],
) -> None:
    (settings,) = of(charts["everything"]["documents"], "ConfigMap")
    found = tomllib.loads(settings["data"]["qwicket.toml"])["oidc-groups"]
    assert found == TAKEN["everything"]["server"]["settings"]["oidc-groups"]


def test_a_group_without_projects_has_a_role_alone(charts: dict[str, dict[str, Any]]) -> None:
    (settings,) = of(charts["names of digits"]["documents"], "ConfigMap")
    found = tomllib.loads(settings["data"]["qwicket.toml"])["oidc-groups"]
    assert found == {"staff": {"role": "admin", "projects": []}}


@pytest.mark.parametrize(
    ("case", "ports"),
    [
        ("default", []),
        ("database", [53, 53, 5432]),
        ("everything", [53, 53, 5432, 443]),
        ("egress alone", [53, 53, 443]),
    ],
)
def test_a_server_may_connect_to_its_database_and_where_the_values_say(
    case: str, ports: list[int], charts: dict[str, dict[str, Any]]
) -> None:
    (policy,) = [
        each["spec"]
        for each in of(charts[case]["documents"], "NetworkPolicy")
        if not each["metadata"]["name"].endswith("-worker")
    ]
    found = [port["port"] for rule in policy["egress"] for port in rule["ports"]]
    assert found == ports


def test_keys_of_a_secret_are_files_and_variables_of_the_server(
    charts: dict[str, dict[str, Any]],
) -> None:
    (pod,) = [
        each
        for each in pods(charts["everything"]["documents"])
        if each["metadata"]["labels"]["app.kubernetes.io/component"] == "server"
    ]
    (volume,) = [each for each in pod["spec"]["volumes"] if each["name"] == "secret"]
    assert volume["secret"]["secretName"] == "sign-in"
    mounts = {each["name"]: each for each in pod["spec"]["containers"][0]["volumeMounts"]}
    assert mounts["secret"]["mountPath"] == "/run/secrets/qwicket"
    assert mounts["secret"]["readOnly"] is True
    (container,) = pod["spec"]["containers"]
    assert container["envFrom"] == [{"secretRef": {"name": "keys"}}]
    assert [each["name"] for each in container["env"]] == [
        "QWICKET_CONFIG",
        "QWICKET_DATABASE_URL",
        "QWICKET_ACCESS_LOG",
    ]


@pytest.mark.parametrize("case", ["default", "everything"])
def test_a_server_runs_with_the_charts_settings(
    case: str, charts: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    (settings,) = of(charts[case]["documents"], "ConfigMap")  # without a scaler
    file = tmp_path / "qwicket.toml"
    text = settings["data"]["qwicket.toml"]
    secret = tmp_path / "secret"
    secret.mkdir()
    file.write_text(text.replace("/run/secrets/qwicket", str(secret)))
    (secret / "oidc").write_text("secret")
    (secret / "oidc").chmod(0o600)
    with running_server(tmp_path, QWICKET_CONFIG=str(file)) as live:
        for path in ("/livez", "/readyz"):
            assert httpx.get(live.url + path).status_code == 200
        asked = {"device": "simulator", "program": BELL, "shots": 5_001}
        with live.client() as client:
            status = client.post("/v1/jobs", json=asked).status_code
    first = live.log.read_text().splitlines()[0]
    assert json.loads(first)["level"] == "info"  # log-format
    assert status == (400 if case == "everything" else 201)  # limit shots


def test_the_chart_and_the_image_have_this_version() -> None:
    project = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert project is not None
    assert yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"] == project[1]
