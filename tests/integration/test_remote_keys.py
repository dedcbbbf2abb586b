"""The key of another cloud stays in the server's own memory, whatever the cloud says of it."""

from __future__ import annotations

import base64
import json
import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import httpx
import pytest

from support.cutting_proxy import CuttingProxy, message, moved
from support.own_addresses import own_url
from support.pages import Person
from support.postgres import PostgresServer
from support.processes import below
from support.remotes import ATOMS, BELL, PHOTONS, write_copy, write_device
from support.server import LiveServer
from support.waiting import until
from support.xanadu import fetch_access_token

pytestmark = pytest.mark.extended

_SECRETS = re.compile(rb"(?im)^(?:authorization|x-access-token|x-api-key|api-key): *(?:\w+ )?(\S+)")
_SUBMISSION = re.compile(rb"POST \S*(?:/jobs\b|/Jobs\b|post_job)", re.IGNORECASE)


class Repeater(CuttingProxy):
    """Refuses each submission with all that it was sent, plain and encoded.

    Attributes:
        secrets: What the requests signed in with.
    """

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.secrets: set[bytes] = set()

    def __enter__(self) -> Repeater:
        super().__enter__()
        return self

    def _exchange(self, client: socket.socket, server: socket.socket) -> bool:
        request = message(client)
        found = _SECRETS.findall(request)
        self.secrets.update(each for each in found if len(each) >= 16)  # Xanadu's first is "None"
        if not _SUBMISSION.match(request):
            server.sendall(request)
            client.sendall(moved(message(server), self.server_url, self.url))
            return True
        # Last the key alone, which must not be cut off with the end of a long text.
        texts = [each.decode("latin-1") for each in found]
        said = " ".join([*texts, *map(quote, texts), request.decode("latin-1")])
        coded = base64.b64encode(b" ".join(found)).decode()
        body = json.dumps(
            {"message": said, "detail": said, "error": said, "code": "refused", "status": coded}
        ).encode()
        head = b"HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: %d"
        client.sendall(head % len(body) + b"\r\n\r\n" + body)
        return True


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    server = LiveServer(tmp_path_factory.mktemp("behind"))
    yield server
    server.stop()


def write_devices(folder: Path, behind: LiveServer, url: str) -> list[str]:
    """Write the files of a device of each kind; return the names."""
    key = behind.token("gate")
    devices = {
        "ionq": "simulator",
        "ibm_qx": "qwicket_simulator",
        "ibm_runtime": "qwicket_simulator",
        "ibm_platform": "qwicket_simulator",
    }
    devices |= {"qwicket": "simulator", "qbraid": "qbraid:qbraid:sim:statevector"}
    for kind, device in devices.items():
        name = kind.replace("_", "-")
        write_device(folder, behind, key, kind=kind, name=name, device=device, url=url)
    # One of them has its key from the environment, which the server's processes could inherit.
    file = folder / "qwicket.toml"
    text = re.sub(r"^key_file = .*$", 'key_env = "FAR_KEY"', file.read_text(), flags=re.MULTILINE)
    file.write_text(text)
    at = f"{url}/qlued/api/v2"
    return [
        *("qwicket", "ionq", "ibm-qx", "ibm-runtime", "ibm-platform", "qbraid"),
        write_copy(folder, behind, key, kind="qlued", device="singlequdit", url=at),
        write_copy(folder, behind, key, kind="xanadu", device="simulon_gaussian", url=url),
    ]


class PassedThrough(NamedTuple):
    """An API whose requests pass through: the device, and how a user submits to it.

    Without a header the token is a field of the body.
    """

    device: str
    path: str
    header: str
    scheme: str
    body: dict[str, Any]


PASS_THROUGH = {
    "ionq": PassedThrough(
        *("simulator", "/v0.4/jobs", "Authorization", "apiKey "),
        body={"type": "ionq.circuit.v1", "backend": "simulator", "input": {"qubits": 1}},
    ),
    "qbraid": PassedThrough(
        *("qbraid:qbraid:sim:statevector", "/api/v1/jobs", "X-API-Key", ""),
        body={
            "deviceQrn": "qbraid:qbraid:sim:statevector",
            "program": {"format": "qasm3", "data": BELL},
        },
    ),
    "iqm": PassedThrough(
        *("garnet", "/api/v1/jobs/garnet/circuit", "Authorization", "Bearer "),
        body={"circuits": [{"name": "c", "instructions": []}]},
    ),
    "xanadu": PassedThrough(
        *("simulon_gaussian", "/jobs", "Authorization", "Bearer "),
        body={"target": "simulon_gaussian", "circuit": PHOTONS, "language": "blackbird:1.0"},
    ),
    "qlued": PassedThrough(
        *("singlequdit", "/api/v2/singlequdit/post_job", "", ""),
        body={"job": json.dumps(ATOMS)},
    ),
}


def write_pass_through(folder: Path, behind: LiveServer, url: str) -> list[str]:
    """Write the files of devices whose requests pass through; return options for addresses."""
    options = []
    for kind, api in PASS_THROUGH.items():
        name = f"lab-{kind}"
        place = (folder, behind, behind.token("gate"))
        write_device(*place, kind=kind, name=name, device=api.device, url=url, pass_through=True)
        options += ["--listen", f"port=0,dialect={kind},device={name}"]
    return options


def pass_through(live: LiveServer, kind: str) -> bytes:
    """Submit to a device whose requests pass through; return what its user is told."""
    api, token = PASS_THROUGH[kind], live.token("ada")
    with httpx.Client(base_url=own_url(live, kind), timeout=30) as client:
        if kind == "xanadu":
            token = fetch_access_token(client, token)
        headers, body = {api.header: api.scheme + token}, {**api.body, "shots": 5}
        if not api.header:
            headers, body = {}, {**body, "token": token}
        found = client.post(api.path, json=body, headers=headers)
    assert found.status_code == 400, found.text
    assert b'"code": "refused"' in found.content, found.text
    return found.content


@pytest.mark.both_databases
def test_no_key_leaves_the_server(
    behind: LiveServer, tmp_path: Path, request: pytest.FixtureRequest, database_kind: str
) -> None:
    folder, key = tmp_path / "devices", behind.token("gate")
    shown: dict[str, bytes] = {}
    postgres: PostgresServer | None = None
    if database_kind == "postgres":
        postgres = request.getfixturevalue("postgres")
    with (
        Repeater(behind.url) as repeater,
        postgres.database() if postgres else nullcontext() as url,
    ):
        names = write_devices(folder, behind, repeater.url)
        listen = write_pass_through(folder, behind, repeater.url)
        live = LiveServer(
            tmp_path / "front",
            *("--device-dir", str(folder), *listen),
            database_url=url,
            FAR_KEY=key,
        )
        with Person(live, "root", "admin") as root:
            client = root.client
            until(lambda: all(client.device(each).status == "on" for each in names), "all are on")
            jobs = [client.submit(BELL, each, shots=5) for each in names[:6]]
            for program, form, device, shots in (
                (ATOMS, "qlued.singlequdit", names[6], 3),
                (PHOTONS, "blackbird", names[7], 6),
            ):
                options: dict[str, Any] = {"format": form, "outputs": ["samples"]}
                jobs.append(client.submit(program, device, shots=shots, **options))
            for job in jobs:
                job.wait(60)
                shown[job.id] = json.dumps(job.refresh().info).encode()
                assert b"remote_refused" in shown[job.id]
                page = f"/ui/jobs/{job.id}"
                shown[page] = root.browser.get(page).content
            for kind in PASS_THROUGH:
                shown[f"response of {kind}"] = pass_through(live, kind)
            root.submit()  # a worker has worked
            for page in (
                *(f"devices/{each}" for each in names),
                "devices",
                "admin",
                "admin/settings",
            ):
                shown[page] = root.browser.get(f"/ui/{page}").content
        children = below(live.process.pid)
        assert len(children) > 3
        for pid in (live.process.pid, *children):
            shown[f"command of {pid}"] = Path(f"/proc/{pid}/cmdline").read_bytes()
        for pid in children:
            shown[f"environment of {pid}"] = Path(f"/proc/{pid}/environ").read_bytes()
            shown[f"memory of {pid}"] = memory(pid)
        assert key.encode() in memory(live.process.pid)  # or the search would find nothing
        assert live.stop() == 0
        if postgres is not None and url is not None:
            shown["dump"] = dump(postgres, url)
            assert jobs[0].id.encode() in shown["dump"]
            assert BELL.encode().hex().encode() in shown["dump"]  # bytes are in hexadecimal digits
    for path in (live.log, *(path for path in live.folder.rglob("*") if path.is_file())):
        shown[str(path)] = path.read_bytes()
    secrets = {key.encode(), *repeater.secrets}
    assert len(secrets) >= 3  # two of the clouds exchange the key for an access token
    for name, content in shown.items():
        for secret in secrets:
            assert secret not in content, name
            assert secret.hex().encode() not in content, name


def dump(postgres: PostgresServer, url: str) -> bytes:
    """Return all of a database as text."""
    command = [str(postgres.programs / "pg_dump"), f"--dbname={url}"]
    return subprocess.run(command, capture_output=True, check=True, timeout=60).stdout


def memory(pid: int) -> bytes:
    """Return the writable memory of a process, which is all that a core dump of it has."""
    found = []
    with Path(f"/proc/{pid}/maps").open() as maps, Path(f"/proc/{pid}/mem").open("rb") as file:
        for line in maps:
            place, rights = line.split()[:2]
            if not rights.startswith("rw"):
                continue
            start, end = (int(each, 16) for each in place.split("-"))
            try:
                file.seek(start)
                found.append(file.read(end - start))
            except (OSError, ValueError, OverflowError):
                continue  # of the kernel
    return b"".join(found)
