"""What keeps a waiting job from starting, besides the jobs before it."""

from __future__ import annotations

from typing import Any

import pytest

from qwicket.gateway import Gateway
from qwicket.gateway.admin import Admin
from qwicket.model.jobs import Projects, Runner, Submission
from qwicket.store import Store
from support.stores import NOW

pytestmark = [pytest.mark.anyio, pytest.mark.needs_vendors]


OTHERS = Projects(frozenset({"another"}), are_left=False)
MANY = "no connected worker has more than"
SUCH = "no connected worker for such jobs has more than"


@pytest.mark.parametrize(
    ("workers", "reason"),
    [
        ([], "no worker is connected"),
        ([{"memory_bytes": 1 << 20}], f"it needs 65 MiB of memory, and {MANY} 1 MiB"),
        ([{"memory_bytes": 1 << 20}, {"memory_bytes": 1 << 30}], ""),
        ([{"memory_bytes": 1 << 20}, {}], ""),  # a server runs what its limit admits
        ([{"projects": OTHERS}], "no connected worker takes this project's jobs"),
        ([{"projects": OTHERS._replace(are_left=True)}], ""),
        ([{"ends_at": NOW}], f"it runs for about 1 s, and {MANY} 0 s left"),
        ([{"ends_at": NOW - 9_000}], f"it runs for about 1 s, and {MANY} 0 s left"),
        ([{"ends_at": NOW}, {"ends_at": NOW + 1_000}], ""),
        ([{"ends_at": NOW}, {"projects": OTHERS}], f"it runs for about 1 s, and {SUCH} 0 s left"),
        (
            [{"task_bytes": 1 << 20}, {"projects": OTHERS}],
            f"it needs 65 MiB of memory, and {SUCH} 1 MiB",
        ),
        (
            [{"task_bytes": 1 << 20}, {"ends_at": NOW}],
            f"it runs for about 1 s, and {SUCH} 0 s left",
        ),
    ],
)
async def test_workers_that_are_missing_or_take_no_such_job(
    workers: list[dict[str, Any]], reason: str, gateway: Gateway, store: Store, admin: Admin
) -> None:
    await admin.add_account("ada", email=None, password=None)
    ada = await gateway.auth.by_token((await admin.create_token("ada")).secret, "127.0.0.1")
    for number, takes in enumerate(workers):
        await store.leases.register(Runner(f"r{number}", "pilot", 0, 1, **takes), NOW)
    program = b'{"qubits": 20, "circuit": []}'
    job = await gateway.jobs.submit(
        ada,
        Submission(
            dialect="ionq", device="simulator", format="ionq.circuit.v1", source=program, shots=10
        ),
    )
    position = await gateway.queue.position(job)
    assert position is not None
    assert position.reason == reason
