"""A dialect has an address of its own: its root is there, and nothing else of the server."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from qwicket.clients.ibm_qx import IBMQXClient
from qwicket.clients.ionq import IonQClient
from qwicket.clients.qlued import QluedClient
from qwicket.clients.xanadu import Connection, Job
from qwicket.dialects import offered
from support.certificates import certificate
from support.for_each import for_each
from support.ibm import SIMULATOR, H, experiment, measure, qobj
from support.own_addresses import live_with_own, own_url
from support.server import LiveServer, run_cli

DIALECTS = [each.name for each in offered()]
ROOTS = {
    "ionq": "/v0.4/backends",
    "ibm": "/api/version",
    "runtime": "/backends",
    "ibm-platform": "/api/v1/backends",
    "braket": "/device/arn",
    "qbraid": "/api/v1/devices",
    "qlued": "/api/v2/backends",
    "xanadu": "/devices",
    "iqm": "/api/v1/quantum-computers",
}
"""A path of each dialect's own at the root of its address."""
IONQ_BELL = {
    "qubits": 2,
    "circuit": [{"gate": "h", "target": 0}, {"gate": "cnot", "control": 0, "target": 1}],
}


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    live = live_with_own(tmp_path_factory.mktemp("own"), DIALECTS)
    yield live
    assert live.stop() == 0
    live.assert_calm()


def ask(url: str, path: str) -> httpx.Response:
    return httpx.get(url + path, headers={"Authorization": "Bearer wrong"}, timeout=30)


@for_each("name", DIALECTS)
def test_the_root_is_the_dialects_and_nothing_else_is_there(live: LiveServer, name: str) -> None:
    url = own_url(live, name)
    registration = next(each for each in offered() if each.name == name)
    own, usual = ask(url, ROOTS[name]), ask(live.url, registration.root + ROOTS[name])
    assert (own.status_code, shape(own)) == (usual.status_code, shape(usual))
    assert own.status_code in {200, 401, 403}
    others = {at for each in offered() for at in each.mounts} - {*registration.mounts}
    for path in ("/v1/devices", "/ui", "/docs", "/readyz", "/metrics", *(others - {""})):
        answer = ask(url, f"{path}/devices")
        assert answer.status_code in {400, 401, 403, 404, 405}, path
        assert "problem+json" not in answer.headers["content-type"]
        assert "<html" not in answer.text


def shape(answer: httpx.Response) -> object:
    try:
        body = answer.json()
    except json.JSONDecodeError:
        return answer.headers["content-type"]
    return sorted(body) if isinstance(body, dict) else type(body)


def test_requests_are_counted_with_those_of_the_usual_address(live: LiveServer) -> None:
    ask(own_url(live, "ionq"), "/v0.4/backends")
    with live.client() as client:
        text = client.get("/metrics").text
    assert [line for line in text.splitlines() if 'dialect="/ionq/v0.4"' in line]
    assert 'dialect="/v0.4"' not in text


def test_our_clients_work_at_the_root(live: LiveServer) -> None:
    token = live.token()
    with IonQClient(token, own_url(live, "ionq") + "/v0.4") as ionq:
        job = ionq.submit_job({"backend": "simulator", "shots": 20, "input": IONQ_BELL})["id"]
        assert ionq.wait(job, timeout=60)["status"] == "completed"
        assert ionq.get_results(job) == pytest.approx({"0": 0.5, "3": 0.5})

    with QluedClient(own_url(live, "qlued") + "/api/v2", token) as qlued:
        assert qlued.backends()
    xanadu = urlsplit(own_url(live, "xanadu"))
    assert xanadu.hostname is not None
    assert xanadu.port is not None
    connection = Connection(token, host=xanadu.hostname, port=xanadu.port, tls=False)
    circuit = "name a\nversion 1.0\ntarget simulon_gaussian (shots=3)\nMeasureFock() | 0\n"
    made = Job.submit(connection, "x", "simulon_gaussian", circuit, "blackbird:1.0")
    made.wait(timeout=60)
    assert made.status == "complete"


def urls_of(url: str, token: str) -> dict[str, Any]:
    """Return the addresses that a client of IBM's is given at an own address."""
    signed = httpx.post(f"{url}/api/users/loginWithToken", json={"apiToken": token}).json()
    user = httpx.get(f"{url}/api/users/me", headers={"X-Access-Token": signed["id"]}).json()
    found: dict[str, Any] = user["urls"]
    return found


def test_addresses_in_responses_lead_back(live: LiveServer) -> None:
    """A large program is uploaded to an address from a response, and the wait is a websocket."""
    url = own_url(live, "ibm")
    big = qobj(experiment(*[H, H] * 30_000, *measure(0), qubits=1))
    with IBMQXClient(live.token(), url=url + "/api") as client:
        job = client.run_qobj(big, SIMULATOR)
        assert job.kind == "q-object-external-storage"
        assert client.wait(job.id, 60).status == "COMPLETED"
        assert client.result(job.id).counts() == {"0x0": 100}
    urls = urls_of(url, live.token())
    assert urls["http"] == f"{url}/api"
    assert urls["services"]["runtime"] == f"{live.url}/ibm/runtime/classic"


def test_each_address_has_its_own_tls(tmp_path: Path) -> None:
    main, own = tmp_path / "main", tmp_path / "own"
    main.mkdir()
    own.mkdir()
    first, second = certificate(main), certificate(own)
    file = tmp_path / "qwicket.toml"
    file.write_text(f"""
        tls_cert = "{first.chain}"
        tls_key = "{first.key}"
        listen = [
            {{port = 0, dialect = "ionq"}},
            {{port = 0, dialect = "qlued", tls_cert = "{second.chain}", tls_key = "{second.key}"}},
        ]
    """)
    live = LiveServer(tmp_path / "live", QWICKET_CONFIG=str(file))
    expected = {live.url: first, own_url(live, "ionq"): first, own_url(live, "qlued"): second}
    for url, files in expected.items():
        assert url.startswith("https://")
        for authority in (first, second):
            trusting = ssl.create_default_context(cafile=str(authority.authority))
            if authority is files:
                assert httpx.get(f"{url}/nothing", verify=trusting).status_code == 404
            else:
                with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
                    httpx.get(f"{url}/nothing", verify=trusting)
    assert live.stop() == 0
    live.assert_calm()


def test_the_public_address_of_a_dialect_is_in_its_responses(tmp_path: Path) -> None:
    listen = "port=0,dialect=ibm,public_url=https://ibm.lab.example/"
    live = LiveServer(tmp_path, "--listen", listen, "--public-url", "https://lab.example")
    url = own_url(live, "ibm")
    urls = urls_of(url, live.token())
    assert urls["http"] == "https://ibm.lab.example/api"
    assert urls["services"]["runtime"] == "https://lab.example/ibm/runtime/classic"
    assert live.stop() == 0


def test_a_port_that_is_taken_frees_the_others(tmp_path: Path, live: LiveServer) -> None:
    taken = urlsplit(own_url(live, "ionq")).port
    folder = ("--data-dir", str(tmp_path / "data"))
    listen = ("--listen", f"port={taken},dialect=ionq")
    done = run_cli("serve", "--port", "0", *folder, *listen)
    assert done.returncode == 1
    assert f"--listen: another program listens on 127.0.0.1:{taken}" in done.stderr
    found = run_cli("doctor", *folder, env={"QWICKET_LISTEN": f"port={taken},dialect=ionq"})
    assert f"another program listens on 127.0.0.1:{taken}" in found.stdout + found.stderr
    assert f"Process {live.process.pid}" in found.stdout + found.stderr
