"""The unmodified SDK of Amazon Braket at a test bed: lost answers, partial failures."""

from __future__ import annotations

import json
import os
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from contract.environments import interpreter
from qwicket import testing
from qwicket.testing import Cloud
from support import leftovers

pytestmark = [pytest.mark.vendor, pytest.mark.extended, pytest.mark.timeout(300)]

ACCOUNTS: Final = 10
TASKS: Final = 20
"""Tasks of each account, one after the other."""

# botocore repeats a request that got no answer, after up to a second.
ONE_BY_ONE: Final = """
import json, os, sys
from concurrent.futures import ThreadPoolExecutor
import boto3
from braket.aws import AwsDevice, AwsSession
from braket.circuits import Circuit

def run(pair):
    session = boto3.Session(*pair, region_name="us-east-1")
    device = AwsDevice(os.environ["ARN"], aws_session=AwsSession(boto_session=session))
    return [device.run(Circuit().h(0).cnot(0, 1), shots=10).id for _ in range(int(sys.argv[1]))]

pairs = json.loads(os.environ["PAIRS"])
with ThreadPoolExecutor(len(pairs)) as pool:
    print(json.dumps([arn for arns in pool.map(run, pairs) for arn in arns]))
"""
SET: Final = """
import json, os
from braket.aws import AwsDevice
from braket.circuits import Circuit
from braket.program_sets import ProgramSet

bell = Circuit().h(0).cnot(0, 1)
task = AwsDevice(os.environ["ARN"]).run(
    ProgramSet([bell, bell, bell], shots_per_executable=10), poll_interval_seconds=0.1
)
result = task.result()
runs = [entry.entries[0] for entry in result.entries]
print(json.dumps([
    task.state(),
    result.task_metadata.successfulShots,
    result.task_metadata.totalFailedExecutables,
    [sum(run.counts.values()) if hasattr(run, "counts") else str(run) for run in runs],
]))
"""


@pytest.fixture(scope="module")
def bed() -> Iterator[Cloud]:
    with testing.server() as cloud:
        yield cloud


@pytest.fixture
def cloud(bed: Cloud) -> Cloud:
    bed.reset()
    return bed


def run(cloud: Cloud, home: Path, program: str, *arguments: str, **env: str) -> Any:
    """Run a program in the SDK's environment; return what its last line says in JSON."""
    done = subprocess.run(
        [interpreter("braket/amazon_braket_sdk_1_127"), "-W", "ignore", "-c", program, *arguments],
        env={
            **leftovers.marks(),
            **cloud.env("braket"),
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "ARN": "arn:aws:braket:::device/quantum-simulator/qwicket/sv1",
            **env,
        },
        cwd=home,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3_000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_each_of_200_tasks_whose_answer_is_lost_is_created_once(
    cloud: Cloud, tmp_path: Path
) -> None:
    names = [f"lab{number}" for number in range(ACCOUNTS)]
    made = [cloud.account(name) for name in names]
    pairs = [(each.aws_key_id, each.aws_secret) for each in made]
    for name in names:
        for number in range(TASKS):
            # After each request that succeeds, one whose answer is lost.
            cloud.fault(
                *("lost_answer",), dialect="braket", account=name, method="POST",
                path="*/quantum-task", skip=number, times=1,
            )  # fmt: skip
    arns = run(cloud, tmp_path, ONE_BY_ONE, str(TASKS), PAIRS=json.dumps(pairs))
    lost = cloud.requests(fault="lost_answer")
    assert len(lost) == ACCOUNTS * TASKS
    jobs = Counter(job for each in cloud.requests() for job in each.created)
    assert len(jobs) == ACCOUNTS * TASKS
    assert {arn.rpartition("/")[2] for arn in arns} == set(jobs)
    cloud.assert_one_job_each()


def test_a_program_set_that_failed_in_part_has_the_other_results(
    cloud: Cloud, tmp_path: Path
) -> None:
    cloud.scenario("partial", dialect="braket", parts=(1,), message="The trap is warm.")
    state, shots, n_failed, (first, second, third) = run(cloud, tmp_path, SET)
    assert (state, shots, n_failed) == ("FAILED", 20, 1)
    assert (first, third) == (10, 10)
    assert "The trap is warm." in second
