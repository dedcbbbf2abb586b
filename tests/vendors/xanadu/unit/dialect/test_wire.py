from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwicket.model.errors import InvalidRequest, LimitExceeded, NotFound
from qwicket.model.limits import Limits
from qwicket.model.states import JobState
from qwicket.vendors.xanadu.dialect import wire

CIRCUIT = "name t\nversion 1.0\ntarget X8_01 (shots=7)\nMeasureFock() | 0\n"


def submission(**body: Any) -> Any:
    return wire.submission(json.dumps(body).encode(), Limits())


def test_every_state_has_one_status() -> None:
    states = [state for states in wire.STATES.values() for state in states]
    assert sorted(states) == sorted(JobState)


def test_shots_and_target_come_from_the_circuit() -> None:
    found = submission(circuit=CIRCUIT)
    assert (found.device, found.shots, found.name) == ("X8_01", 7, "")
    assert found.source == CIRCUIT.encode()
    assert wire.vendor_fields(found.vendor_fields) == wire.VendorFields(None, "blackbird:1.0")
    named = submission(circuit="MeasureFock() | 0", target="X8_01", name="", language="blackbird:1")
    assert (named.device, named.shots) == ("X8_01", 1)
    assert wire.vendor_fields(named.vendor_fields) == wire.VendorFields("", "blackbird:1")


def test_the_refusal_of_a_language_names_those_that_are_taken() -> None:
    assert submission(circuit=CIRCUIT, language="blackbird:1.7").device == "X8_01"
    known = r'language must be blackbird:1 or blackbird:1\.N, not "blackbird:2"\.'
    with pytest.raises(InvalidRequest, match=known):
        submission(circuit=CIRCUIT, language="blackbird:2")


def test_only_the_header_is_read_here() -> None:
    """The gateway reads the rest, apart where it is long."""
    assert submission(circuit=CIRCUIT + "no sense (").shots == 7


@given(
    body=st.dictionaries(
        st.sampled_from(["circuit", "name", "target", "language", "more"]),
        st.none()
        | st.integers()
        | st.text()
        | st.sampled_from([CIRCUIT, "X8_01"])
        | st.lists(st.none()),
    )
)
def test_any_body_is_taken_or_refused(body: dict[str, Any]) -> None:
    try:
        found = submission(**body)
    except (InvalidRequest, LimitExceeded):
        return
    assert found.device
    assert found.shots > 0


@given(text=st.binary() | st.text("&=+%arefshtokngpy_;", max_size=80).map(str.encode))
def test_any_form_is_a_grant(text: bytes) -> None:
    found = wire.grant(text, Limits())
    assert isinstance(found.type, str)
    assert isinstance(found.token, str)


def test_a_form_is_limited_in_size_and_fields() -> None:
    for text in (b"a" * 101, b"a=b&" * 40):
        with pytest.raises(LimitExceeded, match="document_bytes"):
            wire.grant(text, Limits.from_names(document_bytes=100))


def test_a_refusal_is_named_by_what_the_client_sent() -> None:
    for field, word in (
        ("device", "target"),
        ("shots", "circuit"),
        (None, "circuit"),
        ("name",) * 2,
    ):
        assert wire.with_dialect_field(LimitExceeded("x", field=field)).field == word


def test_an_unknown_device_of_a_submission_is_a_wrong_field() -> None:
    recast = wire.recast(NotFound("There is no device x.", field="target"))
    assert isinstance(recast, InvalidRequest)
    body = json.loads(wire.problem(recast))
    assert (body["status"], body["code"]) == (400, "validation-error")
    assert body["meta"] == {"target": ["There is no device x."]}
    asked_for = NotFound("There is no device x.")
    assert wire.recast(asked_for) is asked_for
