"""Each fault and each scenario, through three unmodified clients of different dialects."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

import msgspec
import pytest

from qwicket import testing
from qwicket.testing import Cloud
from qwicket.testing.values import FaultKind, ScenarioKind
from support.bed_client import CLIENTS, BedClient

pytestmark = [pytest.mark.vendor, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def bed() -> Iterator[Cloud]:
    with testing.server() as cloud:
        yield cloud


@pytest.fixture(scope="module", params=CLIENTS)
def process(
    request: pytest.FixtureRequest, bed: Cloud, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[BedClient]:
    bed.reset()
    made = BedClient(request.param, bed, tmp_path_factory.mktemp(request.param))
    made.run()  # once, so that the client has signed in and knows the device
    yield made
    made.close()


@pytest.fixture
def client(process: BedClient, bed: Cloud) -> BedClient:
    bed.reset()
    return process


def test_a_client_runs_a_job_and_the_journal_has_no_token(client: BedClient, bed: Cloud) -> None:
    answer = client.answer()
    assert answer.counts is not None, answer.error
    assert answer.counts.keys() == {"00", "11"}
    entries = bed.requests(dialect=client.dialect)
    assert [each.status for each in entries if each.created] != []
    assert {each.unknown for each in entries} == {False}
    text = msgspec.json.encode(entries).decode()
    assert bed.token not in text
    bed.assert_one_job_each()


@pytest.mark.parametrize("kind", get_args(FaultKind))
def test_a_fault_strikes_one_request_of_a_client(
    kind: FaultKind, client: BedClient, bed: Cloud
) -> None:
    bed.fault(kind, method="GET", path="*jobs/*", times=1, seconds=0.1 if kind == "delay" else 0.0)
    bed.fault("throttle", bytes_per_s=10**9, dialect="none")  # is for nobody
    client.answer()
    struck = bed.assert_one(fault=kind)
    assert struck.method == "GET"
    assert struck.dialect == client.dialect
    assert not bed.requests(fault="throttle") or kind == "throttle"


def test_a_refusal_has_the_body_that_the_client_reads(client: BedClient, bed: Cloud) -> None:
    bed.fault("status", status=400, message="The trap is warm.", method="POST", path="*jobs*")
    answer = client.answer()
    assert "The trap is warm." in answer.error
    assert not [each for each in bed.requests() if each.created]


def test_a_job_whose_answer_is_lost_is_stored(client: BedClient, bed: Cloud) -> None:
    bed.fault("lost_answer", method="POST", path="*jobs*", times=1)
    client.answer()
    lost = bed.assert_one(fault="lost_answer")
    assert lost.status == 0
    assert len(lost.created) == 1


@pytest.mark.parametrize("kind", get_args(ScenarioKind))
def test_a_scenario_decides_what_a_client_sees(
    kind: ScenarioKind, client: BedClient, bed: Cloud
) -> None:
    text = "The fridge is warm."
    match kind:
        case "counts":
            # One outcome, because some clients draw shots from the probabilities.
            bed.scenario("counts", counts={"11": 100})
            assert client.answer().counts == {"11": 100}
        case "fail":
            bed.scenario("fail", message=text)
            answer = client.answer()
            assert answer.counts is None
            assert any(text in each.answer for each in bed.requests(dialect=client.dialect))
        case "refuse":
            bed.scenario("refuse", code="invalid_request", message=text)
            assert text in client.answer().error
        case "cancel":
            bed.scenario("cancel")
            assert client.answer().counts is None
            assert any("cancel" in each.answer.lower() for each in bed.requests())
        case "stay_queued":
            bed.scenario("stay_queued", polls=3)
            assert client.answer().counts is not None
            (job,) = next(each.jobs for each in bed.requests() if each.created)
            assert len([each for each in bed.requests(method="GET") if job in each.jobs]) >= 3
        case "slow":
            bed.scenario("slow", seconds=0.5)
            assert client.answer().counts is not None
            journal = bed.journal()
            made = next(each for each in journal.exchanges if each.created)
            assert journal.ended[made.created[0]] - made.at >= 0.5
        case "partial":
            bed.scenario("partial", parts=(0,), message=text)
            assert client.answer().counts is None
    assert client.answer().counts is not None  # it was for one job
