"""A server whose remote devices return large results: one of them cannot end it."""

from __future__ import annotations

from pathlib import Path

import pytest

import qwicket
from support import hostile_cloud
from support.hostile_cloud import ResultCloud
from support.remotes import BELL, write_device
from support.server import running_server

pytestmark = pytest.mark.extended

MB = 1 << 20
COUNTS = {"0": 0.5, "3": 0.5}
"""Probabilities of a Bell state, as IonQ sends them."""


def test_a_result_that_needs_too_much_memory_fails_its_job_alone(tmp_path: Path) -> None:
    folder = tmp_path / "devices"
    limit = f"memory_bytes={96 * MB}"
    with (
        ResultCloud(hostile_cloud.numbers(16 * MB)) as hostile,
        ResultCloud(hostile_cloud.padded(COUNTS, 6 * MB)) as honest,
    ):
        for name, cloud in (("hostile", hostile), ("honest", honest)):
            write_device(folder, cloud, "the-key", kind="ionq", name=name)
        options = ("--device-dir", str(folder), "--limit", limit)
        with (
            running_server(tmp_path / "here", *options) as here,
            qwicket.connect(here.url, token=here.token()) as client,
        ):
            bad = client.submit(BELL, device="hostile", shots=10)
            good = client.submit(BELL, device="honest", shots=10)
            assert sum(good.result().counts.values()) == 10
            body = bad.wait().body
            client.submit(BELL, device="simulator", shots=10).result()
    assert body.error is not None
    assert body.error.code == "remote_result_invalid"
    assert "reading it takes more memory than 96 MiB (limit memory_bytes)" in body.error.message
