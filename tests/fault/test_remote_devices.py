"""A job is sent to another cloud once, however badly the cloud answers and this server dies.

The long form (`QWICKET_FAULT=long`) has 200 crashes of each kind of cloud, or `QWICKET_CRASHES`;
`-rP` shows the row of each kind for docs/reports/remote-crashes.md.
"""

from __future__ import annotations

import os
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

import qwicket
from qwicket.clients.native import Client, Job
from support import braket, iqm
from support.crooked_proxy import CrookedProxy
from support.remotes import ATOMS, PHOTONS, marker, write_copy, write_device
from support.server import LiveServer, running_server
from support.waiting import until

pytestmark = [pytest.mark.extended, pytest.mark.promise]

KILLS = int(
    os.environ.get("QWICKET_CRASHES", 200 if os.environ.get("QWICKET_FAULT") == "long" else 3)
)
"""Crashes of each kind of cloud."""
JOBS_PER_KILL = 3
FORWARDS_ONLY = ("--workers", "0", "--express-slots", "0")
SETTLE_S = 3.0
MAX_LIFE_S = 4.0
"""Most lives of the server are much shorter; some are long enough to prove that a job is absent."""
KINDS = (
    *("qwicket", "ionq", "ibm_qx", "ibm_runtime", "ibm_platform"),
    *("qbraid", "xanadu", "qlued", "iqm", "braket"),
)
COPIES = {"xanadu": "simulon_gaussian", "qlued": "singlequdit", "iqm": "garnet"}
"""Kinds whose devices are copies of built-in ones."""
DOUBTFUL = (*COPIES, "braket", "ibm_platform")
"""Kinds whose lists may prove nothing, so that a person decides about some jobs."""
WITHOUT_MARKERS = ("qlued", "iqm")
"""Kinds whose jobs have no marker, and that list no jobs."""
DEVICES = {
    "ibm_qx": "qwicket_simulator",
    "ibm_runtime": "qwicket_simulator",
    "ibm_platform": "qwicket_simulator",
    "qbraid": "qbraid:qbraid:sim:statevector",
    "braket": "arn:aws:braket:::device/quantum-simulator/qwicket/sv1",
}
BELL = (
    'OPENQASM 3.0; include "stdgates.inc"; qubit[2] q; bit[2] c;'
    " h q[0]; cx q[0], q[1]; c = measure q;"
)


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    server = LiveServer(tmp_path_factory.mktemp("behind"))
    yield server
    server.stop()


def sent(there: Client) -> Counter[str]:
    """Return how often each marker was sent."""
    return Counter(marker(job) for job in there.jobs(limit=100_000))


def add_device(
    folder: Path, behind: LiveServer, key: str, kind: str, url: str, **remote: float
) -> str:
    """Write the file of a device of a kind; return its name here."""
    # Jobs in doubt must not occupy all slots: then the next ones would not be sent.
    times: dict[str, Any] = {"settle_s": SETTLE_S, "timeout_s": 1.0, "jobs_at_once": 50, **remote}
    if kind not in COPIES:
        own = DEVICES.get(kind, "simulator")
        write_device(folder, behind, key, kind=kind, device=own, url=url, **times)
        return "far"
    url += "/qlued/api/v2" if kind == "qlued" else ""
    return write_copy(folder, behind, key, kind=kind, device=COPIES[kind], url=url, **times)


def submit(client: Client, device: str, kind: str, shots: int) -> str:
    """Submit a job with a number of shots; return its id."""
    if kind == "qlued":
        instructions = [["rlx", [0], [1.5]], ["measure", [0], []]]  # both outcomes are likely
        experiment = {**ATOMS["experiment_0"], "instructions": instructions, "shots": shots}
        program: Any = {"experiment_0": experiment}
        options: dict[str, Any] = {"format": "qlued.singlequdit", "outputs": ["samples"]}
    elif kind == "iqm":
        program, options = iqm.body(), {"format": "iqm.circuits"}
    elif kind == "xanadu":
        program = PHOTONS.replace("shots=6", f"shots={shots}").replace("(0.0, 0.0)", "(1.0, 0.0)")
        options = {"format": "blackbird", "outputs": ["samples"]}
    else:
        program, options = BELL, {"seed": 1}
    return client.submit(program, device, shots=shots, **options).id


def n_shots(job: Job) -> int:
    """Return the number of shots in a job's result."""
    (part,) = job.result(10).parts
    return sum(part.counts.values()) or len(part.samples)


def last_reason(front: LiveServer, id: str) -> str:
    """Return why a job is in its present state."""
    with front.client() as http:
        events = http.get(f"/v1/jobs/{id}/events").raise_for_status().json()["events"]
    return str(events[-1]["reason"]) if events else ""


def names_there(kind: str, behind: LiveServer, key: str) -> Callable[[str], str]:
    """Return a function that returns the id that a kind of cloud shows for one of its jobs."""
    if kind != "braket":
        return lambda id: id
    with httpx.Client(base_url=behind.url) as http:
        account = braket.account_number(http, behind.key_pair(key))
    return partial(braket.task_arn, account)


def decide(
    front: LiveServer, jobs: dict[str, int], there: Client, name: Callable[[str], str]
) -> Counter[str]:
    """Decide about jobs that wait for a person, as an administrator who looks at the cloud does.

    Args:
        front: The server with the jobs.
        jobs: Shots of each job, by which the administrator recognises its program.
        there: The cloud.
        name: Returns the id that the cloud shows for one of its jobs.

    Returns:
        Number of decisions by what was said: `sent` or `absent`.
    """
    said: Counter[str] = Counter()
    front.as_admin(lambda admin: admin.add_account("root", "admin", email=None, password=None))
    scopes = ("jobs:read", "admin")
    token = front.as_admin(lambda admin: admin.create_token("root", scopes=scopes)).secret
    with front.client() as own, front.client(token) as root:

        def have_all_ended() -> bool:
            query = {"state": "queued,running,uncertain,cancelling", "limit": "200"}
            left = own.get("/v1/jobs", params=query).raise_for_status().json()["jobs"]
            for each in left:
                id = each["id"]
                events = own.get(f"/v1/jobs/{id}/events").json()["events"]
                if not events or "qwicket job resolve" not in events[-1]["reason"]:
                    continue
                listed = there.jobs(limit=100_000)
                found = [name(job.id) for job in listed if job.body.shots == jobs[id]]
                answer = {"sent_as": found[0] if found else None}
                resolved = root.post(f"/v1/admin/jobs/{id}/resolve", json=answer)
                assert resolved.status_code in (200, 409), resolved.text
                said["sent" if found else "absent"] += resolved.status_code == 200
            return not left

        until(have_all_ended, "all jobs end", timeout_s=300)
    return said


@pytest.mark.timeout(120 + 60 * KILLS)
@pytest.mark.parametrize("kind", KINDS)
def test_crashes_and_bad_answers_lose_no_job_and_double_none(
    behind: LiveServer, tmp_path: Path, kind: str
) -> None:
    seed = random.randrange(1 << 32)
    dice = random.Random(seed)
    began = time.monotonic()
    said: Counter[str] = Counter()
    key = behind.token(f"gate-{kind}")
    with CrookedProxy(behind.url, seed) as proxy:
        # Without markers a cloud that mixes up its answers is believed.
        proxy.mixes_up = kind not in WITHOUT_MARKERS
        folder = tmp_path / "devices"
        device = add_device(folder, behind, key, kind, proxy.url)
        options = ("--device-dir", str(folder), "--lease-s", "3", *FORWARDS_ONLY)
        front = LiveServer(tmp_path / "front", *options)
        jobs: dict[str, int] = {}
        read: dict[str, Any] = {}
        try:
            for _ in proxy.rounds(KILLS):
                with qwicket.connect(front.url, front.token()) as client:
                    for _ in range(JOBS_PER_KILL):
                        shots = len(jobs) + 1
                        jobs[submit(client, device, kind, shots)] = shots
                        time.sleep(dice.random() * 0.2)
                    time.sleep(dice.random() ** 3 * MAX_LIFE_S)
                    for ended in client.jobs(state="completed", limit=JOBS_PER_KILL):
                        read[ended.id] = ended.result(10).parts
                front.kill()
                front.start()
            proxy.share = 0.1
            with qwicket.connect(front.url, front.token()) as client:
                if kind in DOUBTFUL:
                    with qwicket.connect(behind.url, key) as there:
                        said = decide(front, jobs, there, names_there(kind, behind, key))
                for id, shots in jobs.items():
                    job = client.job(id).wait(300)
                    assert job.state == "completed", (seed, id, job.body.error)
                    assert n_shots(job) == shots
                for id, parts in read.items():
                    assert client.job(id).result(10).parts == parts, (seed, id)
        finally:
            front.stop()
    with qwicket.connect(behind.url, key) as there:
        assert Counter(job.body.shots for job in there.jobs(limit=100_000)) == dict.fromkeys(
            jobs.values(), 1
        ), seed
        if kind not in WITHOUT_MARKERS:
            assert sent(there) == dict.fromkeys((f"qwicket-{id}" for id in jobs), 1), seed
    kinds = ", ".join(f"{n} {name}" for name, n in sorted(Counter(proxy.faults).items()))
    decisions = f"{said['sent']} + {said['absent']}"
    took_s = time.monotonic() - began
    n_kills = len(jobs) // JOBS_PER_KILL
    row = f"| `{kind}` | {n_kills} | {len(jobs)} | {kinds} | {decisions} | {took_s:.0f} |"
    sys.stdout.write(f"{row}\n")


class MixUp:
    """Loses the answer to the first submission, and gives it to the second one.

    Until the second one has it, nothing of jobs can be read.
    """

    def __init__(self) -> None:
        self.submissions = 0
        self.shows_jobs = False

    def __call__(self, line: bytes) -> str:
        if line.startswith(b"POST") and (b"/jobs " in line or b"/quantum-task " in line):
            self.submissions += 1
            return {1: "lost", 2: "other"}.get(self.submissions, "")
        is_of_device = b"limit=1 " in line  # how IonQ's API is asked whether it takes the key
        is_of_jobs = line.startswith(b"GET") and b"/jobs" in line.lower() and not is_of_device
        is_of_jobs = is_of_jobs or b"/quantum-task" in line
        return "" if self.shows_jobs or not is_of_jobs else "503"


@pytest.mark.parametrize("is_cancelled", [False, True])
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in COPIES])
def test_jobs_whose_ids_the_cloud_mixes_up_are_told_apart(
    behind: LiveServer, tmp_path: Path, kind: str, is_cancelled: bool
) -> None:
    """The second job gets the first one's id, whose own answer is lost: a bug, or a bad cache."""
    key = behind.token(f"gate-mixed-{kind}-{int(is_cancelled)}")
    with CrookedProxy(behind.url, 1) as proxy:
        proxy.rule = rule = MixUp()
        rule.shows_jobs = True
        folder = write_device(
            *(tmp_path / "devices", behind, key),
            kind=kind,
            device=DEVICES.get(kind, "simulator"),
            url=proxy.url,
            settle_s=3.0,
        )
        front = LiveServer(tmp_path / "front", "--device-dir", str(folder), *FORWARDS_ONLY)
        try:
            with qwicket.connect(front.url, front.token()) as client:
                until(lambda: client.device("far").status == "on", "the other cloud is seen")
                rule.shows_jobs = False
                first = client.submit(BELL, "far", shots=10)
                until(lambda: rule.submissions == 1, "the first is sent")
                second = client.submit(BELL.replace("h q[0]", "x q[0]"), "far", shots=10)
                until(lambda: rule.submissions == 2, "the second is sent")
                if is_cancelled:
                    second.cancel()
                rule.shows_jobs = True
                assert set(first.wait(60).result().counts) <= {"00", "11"}
                second.wait(60)
                ends = {"completed", "cancelled"} if is_cancelled else {"completed"}
                assert second.state in ends
                if second.state == "completed":
                    assert second.result().counts == {"11": 10}
        finally:
            front.stop()
    with qwicket.connect(behind.url, key) as there:
        assert sent(there) == {f"qwicket-{first.id}": 1, f"qwicket-{second.id}": 1}
        (done,) = (job for job in there.jobs() if marker(job) == f"qwicket-{first.id}")
        assert done.state == "completed", "the cancellation was for the second"


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in WITHOUT_MARKERS])
def test_a_job_that_the_cloud_may_have_deleted_is_not_sent_again(
    behind: LiveServer, tmp_path: Path, kind: str
) -> None:
    """The server is down for longer than the cloud keeps jobs that have ended."""
    key, kept_s = behind.token(f"gate-deleted-{kind}"), 2.0
    with CrookedProxy(behind.url, 1) as proxy, qwicket.connect(behind.url, key) as there:
        proxy.rule = rule = MixUp()
        rule.shows_jobs = True
        folder = tmp_path / "devices"
        times: dict[str, Any] = {"settle_s": 1.0, "keeps_jobs_s": kept_s, "mirror_s": 3600.0}
        device = add_device(folder, behind, key, kind, proxy.url, **times)
        front = LiveServer(tmp_path / "front", "--device-dir", str(folder), *FORWARDS_ONLY)
        try:
            with qwicket.connect(front.url, front.token()) as client:
                until(lambda: client.device(device).status == "on", "the other cloud is seen")
                rule.shows_jobs = False
                id = submit(client, device, kind, 10)
                until(lambda: rule.submissions == 1, "it is sent, and the answer is lost")
            front.kill()
            killed_at = time.monotonic()
            (sent_job,) = until(lambda: list(there.jobs(state="completed")), "it ends there")
            sent_job.delete()
            proxy.rule = lambda _: ""
            until(lambda: time.monotonic() - killed_at > kept_s, "jobs are deleted there")
            front.start()
            until(lambda: "may have deleted it" in last_reason(front, id), "a person is asked")
            assert f"qwicket-{id}" in last_reason(front, id)
            assert "`qwicket job resolve`" in last_reason(front, id)
            with front.client() as http:
                assert http.get(f"/v1/jobs/{id}").json()["state"] == "uncertain"
            assert len(proxy.submissions) == 1
            front.admin("job", "resolve", id, "--not-sent")
            with qwicket.connect(front.url, front.token()) as client:
                assert n_shots(client.job(id).wait(60)) == 10
        finally:
            front.stop()
        assert len(proxy.submissions) == 2, "again only when a person says so"
        assert [job.state for job in there.jobs()] == ["completed"]


def test_a_list_that_lags_for_longer_than_expected_doubles_no_job(
    behind: LiveServer, tmp_path: Path
) -> None:
    """It has no job for as long as anybody waits, and then a person is wrong, too."""
    key = behind.token("gate-lagging")
    with CrookedProxy(behind.url, 1, share=0.0) as proxy:
        folder = tmp_path / "devices"
        device = add_device(folder, behind, key, "ibm_platform", proxy.url, settle_s=1.0)
        with (
            running_server(
                tmp_path / "front", "--device-dir", str(folder), *FORWARDS_ONLY
            ) as front,
            qwicket.connect(front.url, front.token()) as client,
        ):
            until(lambda: client.device(device).status == "on", "the other cloud is seen")
            proxy.rule = lambda line: (
                "lost" if b"POST" in line else "empty" if b"/jobs?" in line else ""
            )
            job = client.submit(BELL, device, shots=10)
            until(lambda: job.refresh().state == "uncertain", "nobody knows")
            until(lambda: "qwicket job resolve" in last_reason(front, job.id), "a person is asked")
            proxy.rule = None
            front.admin("job", "resolve", job.id, "--not-sent")
            assert n_shots(job.wait(60)) == 10
        assert proxy.submissions == ["lost"]


class FirstFault:
    """Puts a fault in the way of the first request whose line has a text."""

    def __init__(self, text: bytes, fault: str) -> None:
        self.text = text
        self.fault = fault
        self.was_used = False

    def __call__(self, line: bytes) -> str:
        if self.was_used or self.text not in line:
            return ""
        self.was_used = True
        return self.fault


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (b"/api/jobs HTTP", "lost"),
        (b"/jobUploadUrl ", "lost"),
        (b"/jobDataUploaded ", "lost"),
        (b"/jobDataUploaded ", "502"),
        (b"/jobDataUploaded ", "503"),
    ],
)
def test_a_program_that_is_uploaded_runs_once(
    behind: LiveServer, tmp_path: Path, text: bytes, fault: str
) -> None:
    """Only the request is counted that has the cloud run the job; a draft alone does nothing."""
    key = behind.token("gate-uploads")
    with CrookedProxy(behind.url, 1) as proxy:
        proxy.rule = rule = FirstFault(text, fault)
        folder = write_device(
            *(tmp_path / "devices", behind, key),
            kind="ibm_qx",
            device=DEVICES["ibm_qx"],
            url=proxy.url,
        )
        front = LiveServer(tmp_path / "front", "--device-dir", str(folder), *FORWARDS_ONLY)
        try:
            with qwicket.connect(front.url, front.token()) as client:
                until(lambda: client.device("far").status == "on", "the other cloud is seen")
                job = client.submit(BELL.replace("h q[0];", "h q[0];" * 60_001), "far", shots=10)
                assert set(job.result(60).counts) <= {"00", "11"}
        finally:
            front.stop()
        assert rule.was_used
    with qwicket.connect(behind.url, key) as there:
        found = [each.state for each in there.jobs(name=f"qwicket-{job.id}")]
    assert found.count("completed") == 1
    assert len(found) == 1, "the draft is used again"


def test_a_job_in_doubt_is_not_sent_to_another_account(behind: LiveServer, tmp_path: Path) -> None:
    """The key is replaced by that of another account while a job may be at the first one."""
    keys = [behind.token(f"gate-{name}") for name in ("first", "second")]
    with CrookedProxy(behind.url, 1, share=0.0) as proxy:
        folder = write_device(
            *(tmp_path / "devices", behind, keys[0]),
            kind="ionq",
            url=proxy.url,
            settle_s=1.0,
            mirror_s=3600.0,
        )
        front = LiveServer(tmp_path / "front", "--device-dir", str(folder), *FORWARDS_ONLY)
        try:
            with qwicket.connect(front.url, front.token()) as client:
                until(lambda: client.device("far").status == "on", "the other cloud is seen")
                proxy.share = 1.0
                proxy.only("lost")
                job = client.submit(BELL, "far", shots=10)
                until(lambda: "lost" in proxy.submissions, "it was sent")
            front.kill()
            proxy.share = 0.0
            (folder / "far.key").write_text(keys[1])
            front.start()
            with front.client() as http:

                def last_reason() -> str:
                    events = http.get(f"/v1/jobs/{job.id}/events").json()["events"]
                    return str(events[-1]["reason"])

                until(lambda: "another address or key" in last_reason(), "a person is asked")
        finally:
            front.stop()
    with (
        qwicket.connect(behind.url, keys[0]) as first,
        qwicket.connect(behind.url, keys[1]) as other,
    ):
        assert sent(first) == {f"qwicket-{job.id}": 1}
        assert sent(other) == {}


def test_a_job_of_which_the_cloud_says_nothing_is_not_sent_again(
    behind: LiveServer, tmp_path: Path
) -> None:
    """While the cloud cannot be asked, a job that may be there stays uncertain."""
    key = behind.token("gate-silent")
    with CrookedProxy(behind.url, 1, share=0.0) as proxy:
        folder = write_device(
            *(tmp_path / "devices", behind, key),
            kind="ionq",
            url=proxy.url,
            settle_s=1.0,
            timeout_s=1.0,
            mirror_s=3600.0,
        )
        front = LiveServer(tmp_path / "front", "--device-dir", str(folder), *FORWARDS_ONLY)
        try:
            with qwicket.connect(front.url, front.token()) as client:
                until(lambda: client.device("far").status == "on", "the other cloud is seen")
                proxy.share = 1.0
                proxy.only("hang")
                job = client.submit(BELL, "far", shots=10)
                until(lambda: "hang" in proxy.submissions, "it was sent")
            front.kill()
            front.start()
            with qwicket.connect(front.url, front.token()) as client:
                job = client.job(job.id)
                assert until(lambda: job.status == "uncertain", "its state is unknown")
                proxy.share = 0.0
                assert sum(job.result(60).counts.values()) == 10
        finally:
            front.stop()
    with qwicket.connect(behind.url, key) as there:
        assert sent(there) == {f"qwicket-{job.id}": 1}
