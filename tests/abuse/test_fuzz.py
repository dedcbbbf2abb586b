"""Random submissions: the response is a job, or an error in the dialect's shape.

They run in this process and without runners, so that an accepted job costs no time.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from abuse.dialects import FORMER_QBRAID, IONQ, NATIVE, QBRAID, Dialect, harmless
from qwicket import devices
from qwicket.compute import ParserPool
from qwicket.dialects import mounts, shown_by
from qwicket.gateway import Gateway
from qwicket.gateway.admin import Admin
from qwicket.model.limits import INT64_MAX, Limits
from qwicket.server.router import Router
from qwicket.store import open_sqlite
from support.programs import BELL

pytestmark = pytest.mark.extended

Post = Callable[[Dialect, bytes], httpx.Response]

FUZZED = (NATIVE, IONQ, QBRAID, FORMER_QBRAID)

fuzz = settings(
    max_examples=200,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

NUMBERS = st.sampled_from([0, 1, 2, 28, 29, 30, 10**6, INT64_MAX, INT64_MAX + 1, 2**64, -1, 1e308])
LEAVES = st.none() | st.booleans() | NUMBERS | st.integers() | st.floats() | st.text()
ANY = st.recursive(
    LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20
)
QUBITS = st.integers(0, 1)
GATES = st.sampled_from(
    ["h", "x", "cnot", "rx", "zz", "swap", "pauliexp", "gpi", "ms", "nop", "z", "", "H"]
)


def mostly(usual: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.integers(0, 19).flatmap(lambda n: usual if n else ANY)


GATE = st.fixed_dictionaries(
    {"gate": mostly(GATES)},
    optional={
        "target": mostly(QUBITS),
        "targets": mostly(st.lists(QUBITS, max_size=3)),
        "control": mostly(QUBITS),
        "controls": mostly(st.lists(QUBITS, max_size=3)),
        "rotation": mostly(st.floats(-10, 10)),
        "phase": mostly(st.floats(-10, 10)),
        "phases": mostly(st.lists(st.floats(-10, 10), max_size=3)),
        "angle": mostly(st.floats(-10, 10)),
        "time": mostly(st.floats(-10, 10)),
        "coefficients": mostly(st.lists(st.floats(-10, 10), max_size=3)),
        "terms": mostly(st.lists(st.text("IXYZ", max_size=3), max_size=3)),
    },
)
MEMBER = st.deferred(
    lambda: st.fixed_dictionaries(
        {
            "format": mostly(st.just("ionq.circuit.v0")),
            "data": mostly(st.just(BELL) | PROGRAM.map(json.dumps) | PROGRAM),
        }
    )
)
OUTPUT = st.sampled_from(["counts", "memory", "probabilities"])
CIRCUIT = st.lists(mostly(GATE), max_size=4)
PROGRAM: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"qubits": mostly(st.integers(2, 4))},
    optional={
        "circuit": mostly(CIRCUIT),
        "circuits": mostly(st.lists(st.fixed_dictionaries({"circuit": CIRCUIT}), max_size=3)),
        "gateset": mostly(st.sampled_from(["qis", "native"])),
    },
)
BODIES = {
    NATIVE.prefix: st.fixed_dictionaries(
        {"device": mostly(st.just("simulator")), "program": mostly(PROGRAM | st.just(BELL))},
        optional={
            "format": mostly(st.just("ionq.circuit.v1")),
            "shots": mostly(st.integers(0, 10**6)),
            "seed": mostly(st.integers(0, INT64_MAX)),
            "outputs": mostly(st.lists(OUTPUT, min_size=1, max_size=3)),
            "name": mostly(st.text()),
            "tags": mostly(st.lists(st.text())),
            "priority": mostly(st.integers(-101, 101)),
        },
    ),
    IONQ.prefix: st.fixed_dictionaries(
        {"backend": mostly(st.just("simulator")), "input": mostly(PROGRAM | st.just(BELL))},
        optional={
            "type": mostly(st.just("ionq.circuit.v1")),
            "shots": mostly(st.integers(0, 10**6) | st.text("0123456789", max_size=8)),
            "name": mostly(st.text()),
            "metadata": mostly(st.dictionaries(st.text(), st.text())),
            "noise": mostly(st.just({"model": "ideal", "seed": None})),
            "settings": mostly(st.dictionaries(st.text(), ANY)),
            "session_id": mostly(st.none()),
            "dry_run": mostly(st.just(False)),
            "lang": ANY,
        },
    ),
    QBRAID.prefix: st.fixed_dictionaries(
        {
            "deviceQrn": mostly(st.just("qbraid:qbraid:sim:statevector")),
            "program": mostly(MEMBER | st.lists(MEMBER, max_size=3)),
        },
        optional={
            "shots": mostly(st.integers(0, 10**6) | st.none()),
            "name": mostly(st.text()),
            "tags": mostly(st.dictionaries(st.text(), st.text() | st.integers() | st.booleans())),
            "runtimeOptions": mostly(st.dictionaries(st.text(), ANY)),
            "groupJobQrn": mostly(st.none()),
        },
    ),
    FORMER_QBRAID.prefix: st.fixed_dictionaries(
        {
            "qbraidDeviceId": mostly(st.just("qbraid_statevector")),
            "ionqCircuit": mostly(st.just(BELL) | PROGRAM.map(json.dumps) | PROGRAM),
        },
        optional={
            "openQasm": mostly(st.text()),
            "bitcode": mostly(st.none()),
            "shots": mostly(st.integers(0, 10**6) | st.none()),
            "seed": mostly(st.integers(0, INT64_MAX)),
            "memory": mostly(st.booleans()),
            "tags": mostly(st.dictionaries(st.text(), st.text()).map(json.dumps)),
            "runtimeOptions": mostly(st.none()),
            "circuitDepth": mostly(st.integers(0, 10)),
        },
    ),
}


@pytest.fixture(scope="module")
def post(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Post]:
    """Send a body to all dialects of a server without runners."""

    def now_ms() -> int:
        return time.time_ns() // 1_000_000

    with asyncio.Runner() as runner:
        folder = tmp_path_factory.mktemp("fuzz")
        store = open_sqlite(folder)
        admin = Admin(store, now_ms)
        runner.run(store.devices.seed(devices.built_in(shown_by), "builtin"))
        runner.run(store.calibrations.seed(devices.calibrations(), 0))
        runner.run(admin.add_account("ada", email=None, password=None))
        token = runner.run(admin.create_token("ada")).secret
        limits = Limits.from_names(memory_bytes=1 << 30, waiting_jobs=INT64_MAX)
        parsers = ParserPool(limits)
        gateway = Gateway(store, parsers, limits, now_ms)
        transport = httpx.ASGITransport(Router(mounts(gateway), limits))
        client = httpx.AsyncClient(transport=transport, base_url="http://gateway", verify=False)

        def post(dialect: Dialect, content: bytes) -> httpx.Response:
            return runner.run(
                client.post(dialect.jobs, content=content, headers=dialect.auth(token))
            )

        yield post
        runner.run(client.aclose())
        runner.run(parsers.close())
        runner.run(store.close())


def check(dialect: Dialect, response: httpx.Response) -> None:
    harmless(response)
    if response.status_code == 201:
        assert dialect.job(response)
    else:
        dialect.refused(response)


@pytest.mark.parametrize("dialect", FUZZED, ids=repr)
def test_any_json_is_taken_or_refused(post: Post, dialect: Dialect) -> None:
    @fuzz
    @given(ANY)
    def any_json(value: Any) -> None:
        check(dialect, post(dialect, json.dumps(value).encode()))

    any_json()


@pytest.mark.parametrize("dialect", FUZZED, ids=repr)
def test_anything_like_a_submission_is_taken_or_refused(post: Post, dialect: Dialect) -> None:
    taken = 0

    @fuzz
    @given(BODIES[dialect.prefix], st.booleans())
    def like_a_submission(body: Any, is_ascii: bool) -> None:
        nonlocal taken
        response = post(dialect, json.dumps(body, ensure_ascii=is_ascii).encode())
        check(dialect, response)
        taken += response.status_code == 201

    like_a_submission()
    assert taken > 10, "bodies that nobody takes test half of the way only"


@pytest.mark.parametrize("dialect", FUZZED, ids=repr)
def test_a_submission_with_bytes_changed_is_taken_or_refused(post: Post, dialect: Dialect) -> None:
    valid = dialect.text()
    change = st.tuples(st.integers(0, len(valid)), st.integers(0, 3), st.binary(max_size=3))

    @fuzz
    @given(st.lists(change, min_size=1, max_size=3))
    def changed(changes: list[tuple[int, int, bytes]]) -> None:
        body = valid
        for at, cut, put in changes:
            body = body[:at] + put + body[at + cut :]
        check(dialect, post(dialect, body))

    changed()
