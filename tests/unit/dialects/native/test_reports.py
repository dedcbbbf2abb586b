"""Bodies of agents and workers on other machines: lists that are too long, and their memory."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import msgspec

from qwicket.dialects.native import pilot_wire
from qwicket.gateway.pilots import TaskJob
from qwicket.model.errors import QwicketError
from qwicket.model.jobs import Assignment, Lease
from qwicket.model.limits import Limits
from qwicket.model.states import JobState
from qwicket.store import FullProgram
from support.for_each import for_each
from support.pilots import offer

LIMITS = Limits.from_names(circuits=10, pilot_leases=10)
LEASE = {"id": "x", "fence": 1, "nonce": "x"}
OFFER = offer(request=1)

Parse = Callable[[bytes, Limits], Any]
LISTS: dict[str, tuple[Parse, str, Any, dict[str, Any]]] = {
    "pull": (pilot_wire.pull, "held", LEASE, {"offer": OFFER, "settled": 0}),
    "results": (pilot_wire.report, "results", {**LEASE, "parts": [{}]}, {"offer": OFFER}),
    "releases": (pilot_wire.report, "releases", {**LEASE, "reason": ""}, {"offer": OFFER}),
}


def refusal(parse: Callable[[], Any]) -> QwicketError | None:
    """Return the error that parsing raises, or None."""
    try:
        parse()
    except QwicketError as error:
        return error
    return None


@for_each("name", LISTS)
def test_a_list_that_is_too_long_is_refused_before_its_objects_exist(name: str) -> None:
    parse, field, item, others = LISTS[name]
    text = msgspec.json.encode({**others, field: [item] * 100_000})
    tracemalloc.start()
    error = refusal(lambda: parse(text, LIMITS))
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert error is not None, name
    assert error.code == "limit_exceeded", name
    assert "at most" in error.detail, error.detail
    assert "(limit" in error.detail, error.detail
    assert peak_bytes < 2 * len(text) + 100_000, (name, peak_bytes)


@for_each("name", LISTS)
def test_a_list_that_is_a_little_too_long_is_refused_by_its_field(name: str) -> None:
    parse, field, item, others = LISTS[name]
    maximum = LIMITS.agents.pilot_leases

    def refused(number: int) -> QwicketError | None:
        text = msgspec.json.encode({**others, field: [item] * number})
        return refusal(lambda: parse(text, LIMITS))

    assert refused(maximum) is None, name
    error = refused(maximum + 1)
    assert error is not None, name
    assert error.field == field, name
    assert f"not {maximum + 1}." in error.detail or "objects" in error.detail, error.detail


def test_too_many_parts_are_refused_with_their_number() -> None:
    result = {**LEASE, "parts": [{}] * 11}
    body = pilot_wire.report(msgspec.json.encode({"offer": OFFER, "results": [result]}), LIMITS)
    error = refusal(lambda: pilot_wire.results(body, LIMITS))
    assert error is not None
    assert error.field == "parts"
    assert error.detail == "parts must have at most 10 items (limit circuits), not 11."


def test_a_large_source_makes_a_response_large() -> None:
    """It is then encoded in a thread, not on the event loop."""
    assignment = Assignment(
        lease=Lease(job="x", fence=1, nonce="x", runner="x"),
        device="lab5",
        state=JobState.RUNNING,
        attempts=0,
        est_bytes=0,
        est_seconds=0.0,
        circuits=b"abc",
        options=b"",
    )
    program = FullProgram("openqasm3", b"x" * 1_000, "{}", b"", b"abc")
    assert pilot_wire.program_bytes([[TaskJob(assignment, "qubit", program)]]) == 1_003
    assert pilot_wire.program_bytes([[TaskJob(assignment, "qubit")]]) == 3
