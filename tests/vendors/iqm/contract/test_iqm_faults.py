"""The unmodified iqm-client at a test bed: what is lost on the way makes no second job."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import pytest

from qwicket import testing
from qwicket.testing import Cloud
from support.bed_client import BedClient
from support.repetitions import runs
from support.reported_clients import REPORTED

pytestmark = [pytest.mark.vendor, pytest.mark.extended, pytest.mark.timeout(300)]

SUBMISSION: Final = "*/circuit"
LOSSES: Final = runs(5, long=200)


@pytest.fixture(scope="module")
def bed() -> Iterator[Cloud]:
    with testing.server() as cloud:
        yield cloud


@pytest.fixture(scope="module")
def client(bed: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BedClient]:
    made = BedClient(REPORTED["iqm-client, Qiskit"], bed, tmp_path_factory.mktemp("home"))
    assert made.answer().error == ""
    yield made
    made.close()


def test_a_lost_answer_leaves_one_job_and_the_next_run_another(
    bed: Cloud, client: BedClient
) -> None:
    bed.reset()
    for _ in range(LOSSES):
        bed.fault("lost_answer", dialect="iqm", method="POST", path=SUBMISSION, times=1)
        assert client.answer().error.startswith("ConnectionError")
        assert client.answer().error == ""
    sent = [each for each in bed.requests(dialect="iqm", path=SUBMISSION) if each.method == "POST"]
    assert len(sent) == 2 * LOSSES
    assert len({job for each in sent for job in each.created}) == 2 * LOSSES
    bed.assert_one_job_each()


def test_a_status_is_the_exception_of_its_name(bed: Cloud, client: BedClient) -> None:
    for status, name in ((429, "RateLimitError"), (503, "SystemUnavailableError")):
        bed.reset()
        bed.fault("status", status=status, dialect="iqm", path=SUBMISSION, times=1)
        assert client.answer().error.startswith(name)
        assert not [job for each in bed.requests() for job in each.created]
