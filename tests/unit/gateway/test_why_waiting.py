"""What keeps a waiting job from starting, besides the jobs before it."""

from __future__ import annotations

import pytest

from qwicket.gateway import Gateway
from qwicket.gateway.admin import Admin
from qwicket.model.jobs import Runner, Submission
from qwicket.store import Store
from support.stores import NOW

pytestmark = [pytest.mark.anyio, pytest.mark.needs_vendors]


@pytest.mark.parametrize(
    ("memories", "reason"),
    [
        ([], "no worker is connected"),
        ([1 << 20], "it needs 65 MiB of memory, and no connected worker has more than 1 MiB"),
        ([1 << 20, 1 << 30], ""),
        ([1 << 20, None], ""),  # a server runs what its limit admits
    ],
)
async def test_workers_that_are_missing_or_too_small(
    memories: list[int | None], reason: str, gateway: Gateway, store: Store, admin: Admin
) -> None:
    await admin.add_account("ada", email=None, password=None)
    ada = await gateway.auth.by_token((await admin.create_token("ada")).secret, "127.0.0.1")
    for number, memory in enumerate(memories):
        runner = Runner(f"r{number}", "pilot", 0, 1, memory_bytes=memory)
        await store.leases.register(runner, NOW)
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
