"""What the lists and answers of other clouds prove about a job: its presence, its absence, or not.

A list that is short, sorted otherwise, or of other jobs must not lead to a second submission.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

import pytest

from qwicket.circuits import qubit
from qwicket.circuits.frames import frames
from qwicket.circuits.options import RunOptions
from qwicket.circuits.outcomes import Outcome
from qwicket.circuits.qubit import Measure, QubitCircuit, Register
from qwicket.devices.remotes import Remote
from qwicket.drivers.remote import connect
from qwicket.drivers.remote.clouds import (
    Cloud,
    CloudError,
    InvalidResult,
    KeyRefused,
    NoProof,
    NoSuchJob,
    NotAccepted,
    OutcomeUnknown,
    Refused,
    RemoteProgram,
    RemoteStatus,
    RequireLease,
    TryLater,
)
from qwicket.model.errors import KeyReused
from qwicket.vendors.ionq.remote import IonQCloud
from qwicket.vendors.qlued.dialect.wire import UnknownJob, refusal
from support.bad_server import BadServer, Connection, Request, Step, answer, response
from support.for_each import for_each

pytestmark = pytest.mark.needs_vendors


MARKER = "qwicket-01a1fc34-7a5e-7cc3-98c4-dc0c0c07398f"
NOW = datetime.now(UTC)
SINCE_MS = int(NOW.timestamp() * 1000)
CLOSE = {"Connection": "close"}
CLOUDS: dict[str, str] = {
    "qwicket": "",
    "ionq": "/v0.4",
    "ibm_qx": "/api",
    "qbraid": "/api/v1",
    "xanadu": "",
}


@contextmanager
def at(kind: str, *steps: Step) -> Iterator[tuple[Cloud, BadServer]]:
    with BadServer(*steps) as server:
        url = server.url + CLOUDS.get(kind, "")
        remote = Remote(kind=kind, url=url, device="there", key_env="K", timeout_s=5)
        cloud = connect(remote, "the-secret-key", ("openqasm3",))
        try:
            yield cloud, server
        finally:
            cloud.close()


def found(kind: str, body: Any) -> str | None:
    """Look for the job in a list that the cloud answers with."""

    def answered(request: Request) -> Any:
        if "login" in request.path:
            return {"id": "access-token", "ttl": 1000, "userId": "u", "created": "2020"}
        return body(request) if callable(body) else body

    with at(kind, answer(200, answered, CLOSE)) as (cloud, _):
        return cloud.find(MARKER, SINCE_MS)


def lists(kind: str, marker: str) -> Any:
    """Return the list of a cloud with one job."""
    if kind == "ibm_qx":
        return [{"id": "theirs", "name": marker}]
    return {"data": [{"jobQrn": "theirs", "tags": {"qwicket_job": marker}}]}


EMPTY: dict[str, Any] = {
    "qwicket": {"jobs": [], "next": None},
    "ionq": {"jobs": [], "next": None},
    "ibm_qx": [],
    "qbraid": {"data": []},
    "xanadu": {"data": []},
}


@for_each("kind", EMPTY)
def test_an_empty_list_proves_that_a_job_is_absent(kind: str) -> None:
    assert found(kind, EMPTY[kind]) is None


SEARCHED: list[str] = ["ibm_qx", "qbraid"]


@pytest.mark.parametrize("kind", SEARCHED)
def test_a_cloud_that_ignores_what_it_is_asked_for_proves_nothing(kind: str) -> None:
    assert found(kind, lists(kind, MARKER)) == "theirs"
    with pytest.raises(NoProof, match="not asked for"):
        found(kind, lists(kind, "qwicket-another"))


def native(*tags: str) -> dict[str, Any]:
    """Return the list of a Qwicket with one job."""
    job = {"id": "theirs", "device": "there", "state": "running", "tags": tags}
    return {"jobs": [job], "next": None}


def test_a_job_of_another_qwicket_keeps_its_marker_beside_other_tags() -> None:
    tags = ("best", "qwicket-forwarded", MARKER)
    assert found("qwicket", native(*tags)) == "theirs"
    with at("qwicket", answer(200, native(*tags)["jobs"][0])) as (cloud, _):
        assert cloud.statuses(["theirs"]) == {"theirs": RemoteStatus("running", marker=MARKER)}
    with pytest.raises(NoProof, match="not asked for"):
        found("qwicket", native("best", "qwicket-forwarded"))


# --- IBM: drafts ---------------------------------------------------------------------------------


def drafted(status: str, name: str = MARKER) -> list[dict[str, Any]]:
    """Return the list of a cloud with one job whose program is uploaded."""
    kind = "q-object-external-storage"
    return [{"id": "theirs", "name": name, "status": status, "kind": kind}]


@pytest.mark.parametrize(
    ("status", "id"),
    [
        ("CREATING", None),
        ("ERROR_CREATING_JOB", None),
        ("ERROR_VALIDATING_JOB", "theirs"),
        ("QUEUED", "theirs"),
    ],
)
def test_a_draft_is_no_job_also_once_it_has_expired(status: str, id: str | None) -> None:
    assert found("ibm_qx", drafted(status)) == id
    direct = {"id": "direct", "name": MARKER, "status": status, "kind": "q-object"}
    assert found("ibm_qx", [*drafted(status), direct]) == (id or "direct")


@pytest.mark.parametrize("status", ["CREATING", "ERROR_CREATING_JOB"])
def test_drafts_that_were_not_asked_for_prove_nothing(status: str) -> None:
    with pytest.raises(NoProof, match="not asked for"):
        found("ibm_qx", drafted(status, "another"))


LARGE = RemoteProgram(
    "qobj",
    b'{"header": "%b"}' % (b"a" * (1 << 20)),
    {},
    b"",
    "qubit",
    (),
    RunOptions(shots=4, seed=1, outputs=("counts",)),
)


class Drafts:
    """A cloud that takes an upload, or refuses it, and then shows the draft in a status."""

    def __init__(self) -> None:
        self.listed: list[dict[str, Any]] = []
        self.refused = ""
        self.status = 200
        self.draft: dict[str, Any] = {}
        self.url = ""

    def body(self, request: Request) -> Any:
        if "login" in request.path:
            return {"id": "access-token"}
        if self.refused and self.refused in request.path:
            return {"error": {"message": "not now"}}
        if "jobUploadUrl" in request.path:
            return {"url": f"{self.url}/storage"}
        if "jobDataUploaded" in request.path:
            return {"job": {"id": "theirs", "status": "QUEUED"}}
        if request.method == "GET":
            return self.draft if request.path.endswith("/theirs") else self.listed
        return {"id": "theirs"}

    def __call__(self, connection: Connection) -> None:
        request = connection.read()
        if request is not None:
            is_refused = self.refused and self.refused in request.path
            is_draft = request.path.endswith("/theirs")
            status = 400 if is_refused else self.status if is_draft else 200
            connection.send(response(status, self.body(request), CLOSE))

    def submit(self, require_lease: RequireLease = lambda: None) -> tuple[str, list[str]]:
        """Submit; return the id, and the last parts of the paths of changes."""
        with at("ibm_qx", self) as (cloud, server):
            self.url = server.url
            try:
                id = cloud.submit(LARGE, MARKER, require_lease)
            except NotAccepted:
                id = ""
        sent = [each for each in server.requests if each.method != "GET"]
        return id, [each.path.split("?")[0].rpartition("/")[2] for each in sent][1:]


@pytest.mark.parametrize("n_checks", [0, 1, 2, 3])
def test_the_lease_is_checked_before_each_request_of_an_upload(n_checks: int) -> None:
    """Else a server that is paused between them adds a draft to that of the next server."""
    checks = iter(range(n_checks))

    def require_lease() -> None:
        if next(checks, None) is None:
            raise NotAccepted("another server has the job")

    requests = ["jobs", "storage", "jobDataUploaded"]
    assert Drafts().submit(require_lease) == (
        "theirs" if n_checks == 3 else "",
        requests[:n_checks],
    )


@pytest.mark.parametrize("refused", ["jobUploadUrl", "storage", "jobDataUploaded"])
def test_a_draft_that_runs_already_is_not_refused(refused: str) -> None:
    there = Drafts()
    there.listed, there.refused = drafted("CREATING"), refused
    there.draft = {"id": "theirs", "status": "RUNNING"}
    assert there.submit()[0] == "theirs"
    for status in ("CREATING", "ERROR_CREATING_JOB"):
        there.draft = {"id": "theirs", "status": status}
        with pytest.raises(Refused, match="not now"):
            there.submit()


@pytest.mark.parametrize(
    ("status", "draft"),
    [(500, {}), (404, {"error": {"message": "no job"}}), (200, {"id": "mine", "status": "?"})],
)
def test_a_refused_draft_that_cannot_be_read_leaves_doubt(
    status: int, draft: dict[str, Any]
) -> None:
    there = Drafts()
    there.listed, there.refused = drafted("CREATING"), "jobDataUploaded"
    there.status, there.draft = status, draft
    with pytest.raises(OutcomeUnknown):
        there.submit()


# --- IonQ: pages ---------------------------------------------------------------------------------


def ion(k: int, age: timedelta, *, name: str = "") -> dict[str, Any]:
    return {"id": f"id-{k}", "name": name, "submitted_at": (NOW - age).isoformat()}


def pages(jobs: list[dict[str, Any]], asked: list[str]) -> Callable[[Request], Any]:
    def page(request: Request) -> Any:
        asked.append(request.path)
        first = int(parse_qs(urlsplit(request.path).query).get("next", ["0"])[0])
        rest = first + 100
        return {"jobs": jobs[first:rest], "next": str(rest) if rest < len(jobs) else None}

    return page


OURS = {"id": "ours", "name": "x", "metadata": {"qwicket_job": MARKER}}


@for_each(
    "body",
    [
        {},
        {"jobs": None},
        {"jobs": {"id": "a"}, "next": None},
        {"jobs": [], "next": "a"},
        {"jobs": [ion(1, timedelta(0))], "next": "a"},
        {"message": "come back later"},
    ],
)
def test_a_list_of_ions_that_is_not_whole_proves_nothing(body: Any) -> None:
    with pytest.raises(CloudError, match=r"is incomplete|has no list of jobs"):
        found("ionq", body)


def test_a_list_of_ions_whose_oldest_come_first_is_read_to_its_end() -> None:
    jobs = [ion(k, timedelta(days=400 - k)) for k in range(350)]
    assert found("ionq", pages([*jobs, OURS], [])) == "ours"


def test_a_list_of_ions_is_read_until_its_jobs_are_older() -> None:
    asked: list[str] = []
    jobs = [ion(k, timedelta(days=2 + k)) for k in range(1000)]
    assert found("ionq", pages([ion(0, timedelta(0)), *jobs], asked)) is None
    assert len(asked) == 2


def test_a_wrong_clock_hides_no_job_of_ions() -> None:
    """Here the clock was ahead by a week when the job was made."""
    jobs = [ion(k, timedelta(seconds=k)) for k in range(50)]
    with at("ionq", answer(200, pages([*jobs, OURS], []), CLOSE)) as (cloud, _):
        assert cloud.find(MARKER, SINCE_MS + 7 * 86_400_000) == "ours"


def test_a_job_of_ions_is_found_by_its_name_alone() -> None:
    job = {"id": "ours", "name": MARKER, "metadata": None}
    assert found("ionq", {"jobs": [job], "next": None}) == "ours"


def test_a_result_of_ions_counts_although_only_the_name_is_the_marker() -> None:
    """What is found by its name must not be refused when it has completed: it was paid for."""
    job = {"id": "ours", "name": MARKER, "metadata": None, "status": "completed"}

    def body(request: Request) -> Any:
        return {"0": 1.0} if "results" in request.path else job

    options = RunOptions(shots=4, seed=1, outputs=("counts",))
    circuit = QubitCircuit(1, (Measure(0, 0),), (Register("c", 1),))
    packed = qubit.pack((circuit,))
    program = RemoteProgram("qobj", b"{}", {}, packed, "qubit", frames("qubit", packed), options)
    with at("ionq", answer(200, body, CLOSE)) as (cloud, _):
        assert cloud.statuses(["ours"]) == {"ours": RemoteStatus("completed", marker=MARKER)}
        (outcome,), _ = cloud.outcomes("ours", program)
    assert isinstance(outcome, Outcome)


def test_a_list_of_ions_without_an_end_proves_nothing() -> None:
    jobs = [ion(k, timedelta(0)) for k in range(1000)]
    with BadServer(answer(200, pages(jobs, []), CLOSE)) as server:
        remote = Remote(kind="ionq", url=f"{server.url}/v0.4", device="there", key_env="K")
        cloud = IonQCloud(remote, "the-secret-key", max_pages=3)
        with pytest.raises(NoProof, match="more than 3 pages"):
            cloud.find(MARKER, SINCE_MS)
        cloud.close()


# --- Xanadu: one page ----------------------------------------------------------------------------


def photons(*ages: timedelta) -> Any:
    return {
        "data": [
            {
                "id": f"id-{k}",
                "name": "x",
                "status": "complete",
                "meta": {},
                "created_at": (NOW - age).isoformat(),
            }
            for k, age in enumerate(ages)
        ]
    }


def test_a_list_of_photons_that_reaches_back_is_a_proof() -> None:
    hours = [timedelta(hours=k) for k in range(20)]
    assert found("xanadu", photons(*hours)) is None
    assert found("xanadu", photons(timedelta(0), timedelta(0))) is None


def test_a_list_of_photons_that_is_cut_or_sorted_otherwise_proves_nothing() -> None:
    for ages in (
        [timedelta(minutes=k) for k in range(10)],
        [timedelta(hours=100 - k) for k in range(90)],
    ):
        with pytest.raises(NoProof, match="does not reach back"):
            found("xanadu", photons(*ages))


def test_photons_that_a_list_leaves_out_are_asked_for_alone() -> None:
    asked: list[int] = []

    def body(request: Request) -> Any:
        parts = urlsplit(request.path)
        if ids := parse_qs(parts.query).get("id"):
            asked.append(len(ids))
            return {"data": [job(each) for each in ids if each != "id-7"]}
        return job(parts.path.rpartition("/")[2])

    def job(id: str) -> dict[str, Any]:
        return {"id": id, "name": MARKER, "status": "complete", "meta": {}}

    with at("xanadu", answer(200, body)) as (cloud, server):
        states = cloud.statuses([f"id-{k}" for k in range(120)])
    assert states == {f"id-{k}": RemoteStatus("completed", marker=MARKER) for k in range(120)}
    assert asked == [50, 50, 20]
    assert len(server.requests) == 4


def test_a_list_that_refuses_so_many_photonic_jobs_is_asked_for_fewer() -> None:
    refusal = answer(400, {"detail": "size must be 1 to 100"})
    with at("xanadu", refusal, answer(200, {"data": []})) as (cloud, server):
        assert cloud.find(MARKER, SINCE_MS) is None
        sizes = [parse_qs(urlsplit(each.path).query)["size"] for each in server.requests]
        assert sizes == [["1000"], ["100"]]


def test_photons_that_are_gone_are_gone() -> None:
    with at("xanadu", answer(200, {"data": []}), answer(404, {"detail": "?"})) as (cloud, _):
        assert isinstance(cloud.statuses(["a"])["a"], NoSuchJob)


# --- what a submission is answered ---------------------------------------------------------------


def submit(kind: str, *steps: Step, source: bytes = b"{}") -> str:
    options = RunOptions(shots=4, seed=1, outputs=("counts",))
    program = RemoteProgram("openqasm3", source, {}, b"", "qubit", (), options)
    with at(kind, *steps) as (cloud, _):
        return cloud.submit(program, MARKER, lambda: None)


@pytest.mark.parametrize("status", [400, 401, 403])
def test_an_api_key_that_is_refused_at_the_sign_in_refuses_no_job(status: int) -> None:
    refusal = answer(status, {"error": "invalid_grant"})
    with pytest.raises(KeyRefused, match=r"invalid|refused|Client Error"):
        submit("xanadu", answer(401, {"detail": "who?"}), refusal)


@pytest.mark.parametrize("status", [400, 403])
def test_a_limit_on_jobs_there_refuses_no_job(status: int) -> None:
    error = {"error": {"message": "Too many jobs", "code": 3458, "name": "LIMIT"}}
    signed_in = answer(200, {"id": "access-token"})
    with pytest.raises(NotAccepted, match="Too many jobs"):
        submit("ibm_qx", signed_in, answer(status, error))


@pytest.mark.parametrize(
    ("status", "kind"),
    [(429, TryLater), (404, NotAccepted), (500, NotAccepted), (503, NotAccepted)],
)
def test_a_list_that_fails_before_an_upload_leaves_no_doubt(
    status: int, kind: type[NotAccepted]
) -> None:
    large = b'{"header": "%b"}' % (b"a" * (1 << 20))
    signed_in = answer(200, {"id": "access-token"}, CLOSE)
    failed = answer(status, {"error": {"message": "no list"}}, {"Retry-After": "7"})
    with pytest.raises(NotAccepted, match="no list") as raised:
        submit("ibm_qx", signed_in, failed, source=large)
    assert type(raised.value) is kind
    assert raised.value.retry_after_s == pytest.approx(7, abs=1)


@pytest.mark.parametrize(
    ("status", "code"), [(409, "conflict"), (422, KeyReused.code), (408, "request_timeout")]
)
def test_a_key_that_is_known_there_may_be_of_this_job(status: int, code: str) -> None:
    with pytest.raises(OutcomeUnknown):
        submit("qwicket", answer(status, {"code": code, "detail": "another body"}))


@pytest.mark.parametrize(
    "body",
    [
        {"job_id": "None", "status": "ERROR", "detail": "?", "error_message": "None"},
        refusal(UnknownJob("a")),  # as qlued's own software has it
    ],
)
def test_an_answer_about_no_job_of_atoms_is_that_it_is_gone(body: dict[str, str]) -> None:
    remote = {"kind": "qlued", "device": "there", "key_env": "K"}
    with BadServer(answer(406, body)) as server:
        cloud = connect(Remote(url=server.url, **cast("Any", remote)), "the-secret-key", ())
        assert isinstance(cloud.statuses(["a"])["a"], NoSuchJob)
        with pytest.raises(NoProof):
            cloud.find(MARKER, SINCE_MS)
        cloud.close()


SIGNED_IN = answer(200, {"id": "access-token", "access_token": "access-token"}, CLOSE)
WHO = answer(401, {"error": {"message": "who?"}}, CLOSE)


@pytest.mark.parametrize(
    ("kind", "steps", "n_checks"),
    [
        ("ibm_qx", [SIGNED_IN], 0),
        ("ibm_qx", [SIGNED_IN, WHO, SIGNED_IN], 1),
        ("xanadu", [WHO, SIGNED_IN], 1),
    ],
)
def test_the_lease_is_checked_after_a_sign_in(kind: str, steps: list[Step], n_checks: int) -> None:
    """A sign-in takes time, in which another server may adopt the job."""
    checks = iter(range(n_checks))

    def require_lease() -> None:
        if next(checks, None) is None:
            raise NotAccepted("another server has the job")

    options = RunOptions(shots=4, seed=1, outputs=("counts",))
    program = RemoteProgram("qobj", b"{}", {}, b"", "qubit", (), options)
    taken = answer(200, {"id": "theirs", "status": "open"}, CLOSE)
    with at(kind, *steps, taken) as (cloud, server):
        with pytest.raises(NotAccepted, match="another server"):
            cloud.submit(program, MARKER, require_lease)
        assert len(server.requests) == len(steps)


OTHER: dict[str, Any] = {
    "qwicket": {"id": "other", "state": "completed", "shots": 4, "parts": []},
    "ionq": {"id": "other", "status": "completed", "metadata": {"qwicket_job": MARKER}},
    "ibm_qx": {"id": "theirs", "qObjectResult": {"job_id": "other", "results": []}},
    "qlued": {
        "job_id": "other",
        "status": "DONE",
        "results": [{"header": {}, "data": {"memory": ["0"]}}],
    },
}
"""Results of another job, where results name theirs."""


def test_a_result_of_a_job_without_a_marker_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(OTHER, "ionq", {"id": "theirs", "status": "completed"})
    test_a_result_of_another_job_does_not_count("ionq")


@pytest.mark.parametrize("kind", OTHER)
def test_a_result_of_another_job_does_not_count(kind: str) -> None:
    def body(request: Request) -> Any:
        return {"id": "access-token"} if "login" in request.path else OTHER[kind]

    options = RunOptions(shots=4, seed=1, outputs=("counts",))
    program = RemoteProgram("qobj", b"{}", {}, qubit.pack(()), "qubit", (), options)
    with (
        at(kind, answer(200, body, CLOSE)) as (cloud, _),
        pytest.raises(InvalidResult, match="belongs to another job"),
    ):
        cloud.outcomes("theirs", program)


def test_a_qbraid_cloud_gets_the_key_of_its_device_and_no_other_secret(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = tmp_path / "qbraidrc"
    settings.write_text("[default]\nemail = ada@example.org\nid-token = of-another-account\n")
    monkeypatch.setenv("QBRAID_CONFIG_FILE", str(settings))
    monkeypatch.setenv("QBRAID_REFRESH_TOKEN", "of-another-account")
    with BadServer(answer(200, {"data": []})) as server:
        remote = Remote(kind="qbraid", url=server.url, device="qrn", key_env="KEY")
        connect(remote, "key-of-this-device").list_devices()
        headers = {name.lower(): value for name, value in server.requests[0].headers.items()}
    assert headers["api-key"] == "key-of-this-device"
    assert not {"email", "refresh-token", "id-token"} & headers.keys()
