"""The memory of a server whose remote devices are at clouds that answer without bounds."""

from __future__ import annotations

import re
from contextlib import ExitStack
from pathlib import Path

import pytest

from measured.conftest import Record
from support import hostile_cloud
from support.hostile_cloud import Attack, HostileCloud, ResultCloud
from support.processes import resident_bytes
from support.remotes import BELL, write_device
from support.server import running_server
from support.waiting import until

MB = 1 << 20
KINDS = ("ionq", "ibm_qx", "qbraid", "qwicket")
ANSWERS = 20
"""Answers of each cloud, after which the memory is read."""


def most_bytes(pid: int) -> int:
    """Return the most memory that a process has had."""
    text = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", text)
    assert found is not None
    return int(found[1]) << 10


@pytest.mark.parametrize("n_devices", [1, len(KINDS)])
@pytest.mark.parametrize(
    "attack", [hostile_cloud.endless_chunks, hostile_cloud.compressed], ids=["endless", "gzip"]
)
def test_what_answers_without_bounds_take(
    attack: Attack, n_devices: int, tmp_path: Path, record: Record
) -> None:
    folder = tmp_path / "devices"
    with ExitStack() as stack:
        plain = stack.enter_context(running_server(tmp_path / "plain"))
        clouds = [stack.enter_context(HostileCloud(attack)) for _ in KINDS[:n_devices]]
        for kind, cloud in zip(KINDS[:n_devices], clouds, strict=True):
            name = f"far-{kind}".replace("_", "-")
            write_device(
                folder, cloud, "the-key", kind=kind, name=name, mirror_s=0.2, settle_s=30.0
            )
        live = stack.enter_context(
            running_server(tmp_path / "attacked", "--device-dir", str(folder))
        )
        until(lambda: all(each.n_attacks >= ANSWERS for each in clouds), "answers", timeout_s=120)
        grown = most_bytes(live.process.pid) - resident_bytes(plain.process.pid)
    name = "endless" if attack is hostile_cloud.endless_chunks else "compressed"
    what = f"{name} answers of {n_devices} other cloud{'s'[: n_devices > 1]}: memory"
    record(what, grown / MB, at_most=min(256, 64 * n_devices), unit="MiB")


RESULT_BYTES = 64 * MB
RESULTS: dict[str, Attack] = {
    "endless": hostile_cloud.endless_chunks,
    "numeric": hostile_cloud.numbers(RESULT_BYTES - MB),
}
JOBS = 8
"""Jobs of each device, which run at the same time."""


@pytest.mark.parametrize("n_devices", [1, 4])
@pytest.mark.parametrize("name", RESULTS)
def test_what_results_without_bounds_take(
    name: str, n_devices: int, tmp_path: Path, record: Record
) -> None:
    folder = tmp_path / "devices"
    with ExitStack() as stack:
        plain = stack.enter_context(running_server(tmp_path / "plain"))
        clouds = [stack.enter_context(ResultCloud(RESULTS[name])) for _ in range(n_devices)]
        for k, cloud in enumerate(clouds):
            write_device(folder, cloud, "the-key", kind="ionq", name=f"far-{k}", jobs_at_once=JOBS)
        limit = f"result_bytes={RESULT_BYTES}"
        options = ("--device-dir", str(folder), "--limit", limit)
        live = stack.enter_context(running_server(tmp_path / "attacked", *options))
        with live.client() as client:
            for k in range(n_devices * JOBS):
                body = {"device": f"far-{k % n_devices}", "program": BELL, "shots": 10}
                assert client.post("/v1/jobs", json=body).status_code == 201
        until(lambda: all(each.n_attacks >= 2 * JOBS for each in clouds), "reads", timeout_s=300)
        grown = most_bytes(live.process.pid) - resident_bytes(plain.process.pid)
    what = f"{name} results of {n_devices} other cloud{'s'[: n_devices > 1]}: memory"
    record(what, grown / MB, at_most=64 * n_devices, unit="MiB")
