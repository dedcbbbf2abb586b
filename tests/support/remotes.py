"""Device files of devices at another server."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from qwicket import devices
from qwicket.clients.native import Job
from support.bad_server import BadServer, Request, answer
from support.server import LiveServer

HEAD = 'OPENQASM 3.0; include "stdgates.inc"; '
BELL = HEAD + "qubit[2] q; bit[2] c; h q[0]; cx q[0], q[1]; c = measure q;"
ATOMS = {
    "experiment_0": {
        "instructions": [["rlx", [0], [3.141592653589793]], ["measure", [0], []]],
        "num_wires": 1,
        "shots": 3,
        "wire_order": "sequential",
    }
}
FERMIONS = {
    "experiment_0": {
        "instructions": [["load", [0], []], ["measure", [0], []], ["measure", [1], []]],
        "num_wires": 8,
        "shots": 4,
        "wire_order": "interleaved",
    }
}
PHOTONS = """name p
version 1.0
target simulon_gaussian (shots=6)
S2gate(0.0, 0.0) | [0, 1]
MeasureFock() | [0, 1]
"""

_GATES = '["x", "y", "z", "h", "s", "si", "t", "ti", "v", "vi", "rx", "ry", "rz", "swap", "cnot"]'


def write_device(
    folder: Path,
    behind: LiveServer | BadServer,
    token: str,
    *,
    kind: str = "qwicket",
    name: str = "far",
    device: str = "simulator",
    url: str | None = None,
    spec: str = "",
    qubits: int = 26,
    pass_through: bool = False,
    **remote: float,
) -> Path:
    """Write the file of a device at another server, and its key beside; return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    key = folder / f"{name}.key"
    place = []
    if kind == "braket":
        assert isinstance(behind, LiveServer)
        token = behind.key_pair(token)
        place = [f'bucket = "{url or behind.url}/s3/amazon-braket-test"', 'region = "us-east-1"']
    key.write_text(token)
    key.chmod(0o600)
    paths = {"ionq": "/ionq/v0.4", "qbraid": "/qbraid/api/v1", "qlued": "/qlued/api/v2"}
    paths |= {"braket": "/braket"}
    paths |= dict.fromkeys(("ibm_qx", "ibm_runtime"), "/ibm/api")
    paths |= {"ibm_platform": "/ibm/runtime"}
    settings = {"poll_s": 0.1, "mirror_s": 0.5, "settle_s": 3.0, **remote}
    settings.setdefault("timeout_s", settings["settle_s"])
    formats = '["openqasm3", "openqasm2", "ionq.circuit.v1", "batch"]'
    lines = [
        f'name = "{name}"',
        'family = "qubit"',
        'provider = "elsewhere"',
        'driver = "remote"',
        "position = 500",
        "[spec]",
        'description = "A device of another cloud"',
        f"qubits = {qubits}",
        f"formats = {formats}",
        f"gates = {_GATES}" if kind == "ionq" else "",
        'outputs = ["counts", "memory", "probabilities"]' if kind == "qwicket" else "",
        spec,
        "[remote]",
        f'kind = "{kind}"',
        f'url = "{(url or behind.url) + paths.get(kind, "")}"',
        f'device = "{device}"',
        f'key_file = "{key}"',
        *place,
        *(f"{field} = {value}" for field, value in settings.items()),
        *(["pass_through = true"] if pass_through else []),
    ]
    (folder / f"{name}.toml").write_text("\n".join(lines) + "\n")
    return folder


def device_file(name: str) -> Path:
    """Return the file of a built-in device, of the core or of a vendor."""
    package = Path(devices.__file__).parents[1]
    found = [*package.glob(f"devices/{name}.toml"), *package.glob(f"vendors/*/devices/{name}.toml")]
    assert len(found) == 1, name
    return found[0]


def write_copy(
    folder: Path,
    behind: LiveServer | BadServer,
    token: str,
    *,
    kind: str,
    device: str,
    url: str,
    **remote: float,
) -> str:
    """Write the file of a device that is a built-in one at another server; return its name."""
    folder.mkdir(parents=True, exist_ok=True)
    name = f"far-{device}".replace("_", "-")
    key = folder / f"{name}.key"
    key.write_text(token)
    key.chmod(0o600)
    text = device_file(device).read_text("utf-8")
    for field, value in (("name", name), ("driver", "remote"), ("provider", "elsewhere")):
        text = re.sub(rf"^{field} = .*$", f'{field} = "{value}"', text, count=1, flags=re.MULTILINE)
    settings = {"poll_s": 0.1, "mirror_s": 0.5, "settle_s": 10.0, "timeout_s": 10.0, **remote}
    lines = [
        text,
        "[remote]",
        f'kind = "{kind}"',
        f'url = "{url}"',
        f'device = "{device}"',
        f'key_file = "{key}"',
        *(f"{field} = {value}" for field, value in settings.items()),
    ]
    (folder / f"{name}.toml").write_text("\n".join(lines) + "\n")
    return name


def marker(job: Job) -> str:
    """Return the marker of a job that another server sent: a tag of it, or its name."""
    tags = (tag.removeprefix("qwicket_job=") for tag in job.body.tags)
    return next((tag for tag in tags if tag.startswith("qwicket-0")), job.body.name)


@contextmanager
def cloud_without_ids(posts: list[Request]) -> Iterator[BadServer]:
    """Run a cloud with IonQ's API that gives each job an id that is none, and lists no jobs."""

    def machine(request: Request) -> Any:
        if request.method == "POST":
            posts.append(request)
            return {"id": "a\0b", "status": "submitted"}
        if "/backends" in request.path:
            return [{"backend": "simulator", "status": "available", "qubits": 5}]
        return {"jobs": [], "next": None}

    with BadServer(answer(200, machine)) as cloud:
        yield cloud
