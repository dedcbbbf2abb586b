"""Cassettes of four unmodified clients of different dialects; a server of ours is the vendor."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from qwicket import testing
from qwicket.testing import AwsKeys, Cloud, Recording, Replay
from qwicket.testing.cassettes.scrubbing import Scrubber
from support.bed_client import CLIENTS, BedClient, Kind

pytestmark = [pytest.mark.vendor, pytest.mark.extended, pytest.mark.timeout(600)]

BRAKET = Kind(
    *("amazon-braket-sdk", "braket/amazon_braket_sdk_1_127", "run_braket_sdk", "braket", "braket")
)


@pytest.fixture(scope="module")
def vendor() -> Iterator[Cloud]:
    with testing.server() as cloud:
        yield cloud


def run(name: Kind | str, session: Recording | Replay, folder: Path) -> list[dict[str, int] | str]:
    """Run two jobs with a new process of a client; return what each returned or raised."""
    made = BedClient(name, session, folder)
    try:
        answers = [made.answer(), made.answer()]
        return [each.counts or each.error.replace(session.url, "") for each in answers]
    finally:
        made.close()


@pytest.mark.parametrize("name", CLIENTS)
def test_an_unmodified_client_is_recorded_replayed_and_checked(
    name: str, vendor: Cloud, tmp_path: Path
) -> None:
    tape = tmp_path / "tape.json"
    vendor.reset()
    vendor.fault("status", status=400, message="Warm.", method="POST", path="*jobs*", times=1)
    with testing.record(tape, {"/": vendor.url}, key=vendor.token) as session:
        recorded = run(name, session, tmp_path)
    assert "Warm." in recorded[0]
    assert not isinstance(recorded[1], str)
    assert recorded[1].keys() == {"00", "11"}
    text = tape.read_text()
    assert not Scrubber([vendor.token, session.token]).contains_secret(text.encode())
    count = len(vendor.requests())

    with testing.replay(tape) as replayed:
        assert run(name, replayed, tmp_path) == recorded
    assert len(vendor.requests()) == count

    vendor.reset()
    refused = [each.number for each in vendor.check(tape)]
    exchanges = json.loads(text)["exchanges"]
    refusal = next(n for n, e in enumerate(exchanges, 1) if "Warm." in json.dumps(e["response"]))
    assert {*refused} == {refusal}  # the only answer that a server without faults does not give


def test_requests_that_are_signed_are_signed_anew(vendor: Cloud, tmp_path: Path) -> None:
    tape, account = tmp_path / "tape.json", vendor.account()
    vendor.reset()
    keys = AwsKeys(account.aws_key_id, account.aws_secret)
    with testing.record(tape, {"/": vendor.url}, aws=keys) as session:
        recorded = run(BRAKET, session, tmp_path)
    assert [each.keys() for each in recorded if not isinstance(each, str)] == [{"00", "11"}] * 2
    vendor.assert_count(2, path="/braket/quantum-task", status=201)
    text = tape.read_text()
    secrets = [keys.key_id, keys.secret, session.token]
    assert not Scrubber(secrets).contains_secret(text.encode())
    number = _account_number(vendor)
    assert number not in text
    assert "arn:aws:braket:us-east-1:000000000001:quantum-task/" in text

    with testing.replay(tape) as replayed:  # signed with a key pair of no server
        assert run(BRAKET, replayed, tmp_path) == recorded

    vendor.reset()
    assert vendor.check(tape) == []
    shown = {"status": 500, "body": {"json": {"__type": "InternalServiceException"}}}
    document = json.loads(text)
    document["exchanges"][-1]["response"] |= shown
    tape.write_text(json.dumps(document))
    assert [each.field for each in vendor.check(tape)][:1] == ["status"]


def _account_number(cloud: Cloud) -> str:
    """Return the number of the account, which is in the names of its tasks."""
    (made, *_) = cloud.requests(path="/braket/quantum-task", status=201)
    found: str = json.loads(made.response_body)["quantumTaskArn"].split(":")[4]
    return found
