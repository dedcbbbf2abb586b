"""Servers that leave dialects out: without their routes, pages and modules, and nothing else."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

import qwicket
from qwicket.dialects import names
from support.pages import Person
from support.programs import BELL
from support.remotes import PHOTONS
from support.server import LiveServer, run_here
from support.waiting import until

NOTES = Path(__file__).parents[1] / "support" / "imported" / "sitecustomize.py"
PATHS = (
    ("ibm", "/ibm/api/users/loginWithToken"),
    ("runtime", "/ibm/runtime/iam/identity/token"),
    ("braket", "/braket/quantum-tasks"),
    ("braket", "/s3/amazon-braket-bell"),
    ("qbraid", "/qbraid/api/v1/devices"),
    ("qlued", "/qlued/api/v2/singlequdit/get_config"),
    ("xanadu", "/auth/realms/platform/protocol/openid-connect/token"),
    ("xanadu", "/healthz"),
    ("iqm", "/iqm/api/v1/quantum-computers"),
    ("iqm", "/api/v1/quantum-computers"),
)


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file with the modules of vendors that processes of the server have imported."""
    folder = tmp_path_factory.mktemp("imported")
    shutil.copy(NOTES, folder)
    return folder / "imported"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, imported: Path) -> Iterator[LiveServer]:
    """A server that offers the native dialect and IonQ's."""
    folder = tmp_path_factory.mktemp("server")
    env = {
        "PYTHONPATH": os.pathsep.join([str(imported.parent), os.environ.get("PYTHONPATH", "")]),
        "QWICKET_DIALECTS": "native,ionq",
    }
    live = LiveServer(folder, **env)
    yield live
    assert live.stop() == 0


def test_what_is_left_out_has_no_route(server: LiveServer, subtests: pytest.Subtests) -> None:
    for name, path in PATHS:
        with subtests.test(name), httpx.Client(base_url=server.url) as http:
            for method in ("GET", "POST"):
                found = http.request(method, path)
                assert found.status_code == 404
                assert found.text == "There is nothing at this path.\n"
            assert http.get(f"/docs/{name}").status_code == 404


def test_what_is_left_out_is_not_in_the_documentation_and_pages(server: LiveServer) -> None:
    left_out = {*names()} - {"ionq"}
    with httpx.Client(base_url=server.url) as http:
        assert http.get("/docs/ionq").status_code == 200
        links = http.get("/docs").text
    assert "docs/ionq" in links
    assert [name for name in left_out if f"docs/{name}" in links] == []
    with Person(server, "ada") as person:
        clients = person.browser.get("/ui/connect").text
    assert "qiskit-ionq" in clients
    assert [word for word in ("braket", "xcc", "qbraid", "qlued") if word in clients] == []


def test_programs_of_dialects_that_are_left_out_run(server: LiveServer) -> None:
    with qwicket.connect(server.url, server.token()) as client:
        job = client.submit(PHOTONS, "simulon_gaussian", shots=10, outputs=("samples",))
        assert len(job.result(60).samples) == 10


def test_no_module_of_what_is_left_out_is_imported(server: LiveServer, imported: Path) -> None:
    token = server.token()
    job = {"type": "ionq.circuit.v1", "backend": "simulator", "shots": 10, "input": BELL}
    with httpx.Client(base_url=server.url, headers={"Authorization": f"apiKey {token}"}) as http:
        sent = http.post("/ionq/v0.4/jobs", json=job)
        path = f"/ionq/v0.4/jobs/{sent.json()['id']}"
        until(lambda: http.get(path).json()["status"] == "completed", "the job")
        for _ in range(1_000):
            assert http.get("/ionq/v0.4/backends").status_code == 200
    found = {*imported.read_text().split()}
    assert "qwicket.vendors.ionq.dialect.routes" in found
    assert [name for name in found if ".dialect" in name and ".ionq." not in name] == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--dialects", "native,inoq"), "there is no dialect 'inoq'. Did you mean 'ionq'?"),
        (
            ("--dialects", "native", "--listen", "port=0,dialect=ionq"),
            "--listen: --dialects leaves ionq out, which has an address.",
        ),
    ],
)
def test_what_cannot_be_offered_is_refused(
    tmp_path: Path, options: tuple[str, ...], said: str
) -> None:
    done = run_here("serve", "--data-dir", str(tmp_path), *options)
    assert done.returncode == 2
    assert said in done.stderr
