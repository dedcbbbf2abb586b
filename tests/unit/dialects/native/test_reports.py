"""Bodies of agents and workers on other machines: lists that are too long, and their memory."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import msgspec

from qwicket.dialects.native import agent_wire, pilot_wire
from qwicket.model.errors import QwicketError
from qwicket.model.limits import Limits
from support.for_each import for_each
from support.pilots import offer

LIMITS = Limits.from_names(circuits=10, held_leases=5, pilot_leases=10)
AGENT = "0123456789abcdef"
LEASE = {"id": "x", "fence": 1, "nonce": "x"}
OFFER = offer(request=1)

Parse = Callable[[bytes, Limits], Any]
LISTS: dict[str, tuple[Parse, str, Any, dict[str, Any]]] = {
    "claim": (agent_wire.claim, "held", LEASE, {"agent": AGENT}),
    "renew": (agent_wire.renewal, "held", LEASE, {"agent": AGENT}),
    "finish": (agent_wire.finish, "parts", {}, {"agent": AGENT, "fence": 1, "nonce": "x"}),
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


@for_each("name", [each for each in LISTS if each != "finish"])
def test_a_list_that_is_a_little_too_long_is_refused_by_its_field(name: str) -> None:
    parse, field, item, others = LISTS[name]
    maximum = LIMITS.agents.pilot_leases if "offer" in others else LIMITS.agents.held_leases

    def refused(number: int) -> QwicketError | None:
        text = msgspec.json.encode({**others, field: [item] * number})
        return refusal(lambda: parse(text, LIMITS))

    assert refused(maximum) is None, name
    error = refused(maximum + 1)
    assert error is not None, name
    assert error.field == field, name
    assert f"not {maximum + 1}." in error.detail or "objects" in error.detail, error.detail


def test_too_many_parts_are_refused_with_their_number() -> None:
    text = msgspec.json.encode({"agent": AGENT, "fence": 1, "nonce": "x", "parts": [{}] * 11})
    body = agent_wire.finish(text, LIMITS)
    error = refusal(lambda: agent_wire.result(body, LIMITS))
    assert error is not None
    assert error.field == "parts"
    assert error.detail == "parts must have at most 10 items (limit circuits), not 11."
