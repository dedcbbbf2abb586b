"""A device of IBM's Runtime API: what its answers mean, good ones and hostile ones."""

from __future__ import annotations

import zlib
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest

from qwicket.circuits import qubit
from qwicket.circuits.frames import frames
from qwicket.circuits.options import RunOptions
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
    TryLater,
)
from support.bad_server import BadServer, Connection, Request, response
from support.for_each import for_each

MARKER = "qwicket-01a1fc34-7a5e-7cc3-98c4-dc0c0c07398f"
KEY = "the-secret-key"
ACCESS = "the-access-token"
CIRCUITS = (
    qubit.QubitCircuit(
        2,
        (qubit.Gate("x", (0,)), qubit.Measure(0, 0), qubit.Measure(1, 9)),
        (qubit.Register("low", 9), qubit.Register("input", 1)),
    ),
    qubit.QubitCircuit(1, (qubit.Measure(0, 0),), (qubit.Register("c", 1),), shots=2),
)


def program_of(*circuits: qubit.QubitCircuit) -> RemoteProgram:
    packed = qubit.pack(circuits)
    options = RunOptions(shots=3, seed=1, outputs=("counts", "memory"))
    shapes = frames("qubit", packed)
    return RemoteProgram("openqasm2", b"", {}, packed, "qubit", shapes, options)


PROGRAM = program_of(*CIRCUITS)

Answer = tuple[int, Any]


class There:
    """A cloud that answers what it is told.

    Attributes:
        answers: Status and body for the last part of a path.
        paths: Methods and paths of the requests, without those of the sign-in.
        bodies: Bodies of the POST requests among them.
        runtime: Path of the Runtime API, or an address.
    """

    def __init__(self) -> None:
        self.answers: dict[str, Answer | Callable[[Request], Answer]] = {}
        self.paths: list[str] = []
        self.bodies: list[Any] = []
        self.runtime: Any = "/runtime"
        self.signed_in = 0

    def __call__(self, connection: Connection) -> None:
        request = connection.read()
        if request is None:
            return
        path = urlsplit(request.path).path
        name = path.rpartition("/")[2]
        found = self.answers.get(name)
        if found is None and name == "loginWithToken":
            self.signed_in += 1
            found = 200, {"id": ACCESS}
        elif found is None and name == "me":
            at = f"http://{request.headers['host']}"
            runtime = self.runtime
            is_path = isinstance(runtime, str) and runtime.startswith("/")
            found = 200, {"urls": {"services": {"runtime": at + runtime if is_path else runtime}}}
        elif "/users/" not in path:
            assert request.headers["x-access-token"] == ACCESS
            self.paths.append(f"{request.method} {request.path.removeprefix('/runtime')}")
            if request.method == "POST":
                self.bodies.append(request.json if request.body else None)
        status, body = found(request) if callable(found) else found or (404, {})
        connection.send(response(status, body, {"Connection": "close"}))


@contextmanager
def cloud_of(there: There) -> Iterator[Cloud]:
    with BadServer(there) as server:
        remote = Remote(
            kind="ibm_runtime", url=f"{server.url}/api", device="ibm_far", key_env="K", timeout_s=5
        )
        cloud = connect(remote, KEY)
        try:
            yield cloud
        finally:
            cloud.close()


def submit(there: There, program: RemoteProgram = PROGRAM) -> str:
    with cloud_of(there) as cloud:
        return cloud.submit(program, MARKER, lambda: None)


# --- submissions ---------------------------------------------------------------------------------


def test_a_program_is_sent_as_pubs_in_openqasm_3_with_its_marker() -> None:
    there = There()
    there.answers["jobs"] = 200, {"id": "theirs", "backend": "ibm_far"}
    assert submit(there) == "theirs"
    (body,) = there.bodies
    assert (body["program_id"], body["backend"]) == ("sampler", "ibm_far")
    assert body["tags"][0] == MARKER
    assert body["params"]["version"] == 2
    (first, second) = body["params"]["pubs"]
    assert "bit[9] c0;" in first[0]
    assert "bit[1] c1;" in first[0]
    assert first[1:] == [None, 3]
    assert second[2] == 2, "a circuit may have its own number of shots"
    assert KEY not in str(body)
    assert ACCESS not in str(body)


def test_what_cannot_be_written_is_refused_by_name() -> None:
    there = There()
    matrix = qubit.Gate("unitary", (0,), (1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0))
    program = program_of(qubit.QubitCircuit(1, (matrix,), (qubit.Register("c", 1),)))
    with pytest.raises(Refused, match="it has a unitary"):
        submit(there, program)
    assert not there.paths


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, {"error": {"message": "too wide", "code": 1}}, Refused),
        (404, {"error": {"message": "no such backend", "code": 1}}, Refused),
        (403, {"error": {"message": "Too many jobs", "code": 3458}}, NotAccepted),
        (429, {}, TryLater),
        (403, {}, KeyRefused),
        (409, {}, OutcomeUnknown),
        (500, {}, OutcomeUnknown),
        (200, {"name": "no id"}, OutcomeUnknown),
        (200, b"<html>", OutcomeUnknown),
        (200, [], OutcomeUnknown),
    ],
)
def test_what_an_answer_means_for_a_submission(
    status: int, body: Any, kind: type[Exception]
) -> None:
    there = There()
    there.answers["jobs"] = status, body
    with pytest.raises(kind):
        submit(there)
    assert len(there.paths) == 1


@for_each("step", ["loginWithToken", "me"])
@for_each("status", [400, 401, 403, 404, 429, 500, 503])
def test_a_sign_in_that_fails_leaves_no_doubt(step: str, status: int) -> None:
    there = There()
    there.answers[step] = status, {"error": {"message": f"no {KEY}"}}
    with pytest.raises(NotAccepted) as raised:
        submit(there)
    assert KEY not in str(raised.value)
    assert not there.paths


@for_each("address", ["ftp://there", "http://elsewhere", "http://a@b", "http://", 7, None, {}])
def test_an_invalid_address_of_runtime_leaves_no_doubt(address: Any) -> None:
    there = There()
    there.runtime = address
    with pytest.raises(NotAccepted, match="address"):
        submit(there)


def test_the_lease_is_checked_again_after_a_sign_in() -> None:
    there = There()
    there.answers["jobs"] = lambda _: (401, {}) if there.signed_in == 1 else (200, {"id": "theirs"})
    checks = iter((1,))

    def require_lease() -> None:
        if next(checks, None) is None:
            raise NotAccepted("another server has the job")

    with cloud_of(there) as cloud:
        with pytest.raises(NotAccepted, match="another server"):
            cloud.submit(PROGRAM, MARKER, require_lease)
        assert (there.signed_in, len(there.paths)) == (2, 1)
        assert cloud.submit(PROGRAM, MARKER, lambda: None) == "theirs"


# --- lists and states ----------------------------------------------------------------------------


def job(id: str, status: str = "Running", *tags: str, **state: Any) -> dict[str, Any]:
    """Return a job as the API shows it."""
    return {"id": id, "state": {"status": status, **state}, "tags": [*tags, "qwicket-forwarded"]}


def found(body: Any) -> str | None:
    there = There()
    there.answers["jobs"] = 200, body
    with cloud_of(there) as cloud:
        id = cloud.find(MARKER, 0)
    assert parse_qs(urlsplit(there.paths[0]).query)["tags"] == [MARKER]
    return id


def test_a_job_is_found_by_its_tag() -> None:
    assert found({"jobs": [], "count": 0}) is None
    assert found({"jobs": [job("theirs", "Queued", "best", MARKER)]}) == "theirs"


@pytest.mark.parametrize("tags", [(), ("qwicket-another",), ("best",)])
def test_a_list_of_other_jobs_proves_nothing(tags: tuple[str, ...]) -> None:
    with pytest.raises(NoProof, match="not asked for"):
        found({"jobs": [job("theirs", "Queued", *tags)]})


@for_each("body", [{}, {"jobs": None}, {"jobs": {}}, {"jobs": [7]}, [], b"<html>"])
def test_an_answer_that_is_no_list_proves_nothing(body: Any) -> None:
    with pytest.raises((CloudError, TypeError, AttributeError)):
        found(body)


def test_many_jobs_are_asked_for_in_one_request() -> None:
    there = There()
    ids = [f"id-{k}" for k in range(150)]
    there.answers["jobs"] = 200, {"jobs": [job(id, "Completed", MARKER) for id in ids[1:]]}
    there.answers["id-0"] = 404, {}
    with cloud_of(there) as cloud:
        states = cloud.statuses(ids)
    assert len(there.paths) == 2, "one list, and the job that it does not have"
    assert isinstance(states["id-0"], NoSuchJob)
    assert {states[id] for id in ids[1:]} == {RemoteStatus("completed", marker=MARKER)}


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("Queued", "waiting"),
        ("QUEUED", "waiting"),
        ("Running", "running"),
        ("Completed", "completed"),
        ("Cancelled", "cancelled"),
        ("Cancelled - Ran too long", "failed"),
    ],
)
def test_states(status: str, state: Any) -> None:
    there = There()
    there.answers["theirs"] = 200, job("theirs", status, MARKER)
    with cloud_of(there) as cloud:
        assert cloud.statuses(["theirs"]) == {"theirs": RemoteStatus(state, "", MARKER)}


@for_each("body", [job("other"), job("theirs", "Odd"), {"id": "theirs", "state": 7}, [], b"<html>"])
def test_a_state_that_is_not_one_of_this_job_is_unknown(body: Any) -> None:
    there = There()
    there.answers["theirs"] = 200, body
    with cloud_of(there) as cloud:
        assert isinstance(cloud.statuses(["theirs"])["theirs"], CloudError)


def test_a_reason_is_kept_without_the_access_token() -> None:
    there = There()
    there.answers["theirs"] = 200, job("theirs", "Failed", MARKER, reason=f"helium {ACCESS}")
    there.answers["status"] = 200, {"state": False, "message": f"off {ACCESS}", "length_queue": 4}
    with cloud_of(there) as cloud:
        state = cloud.statuses(["theirs"])["theirs"]
        assert state == RemoteStatus("failed", "helium ...", MARKER)
        status = cloud.device_status()
    assert (status.is_online, status.reason, status.n_waiting) == (False, "off ...", 4)


@pytest.mark.parametrize("status", [204, 404, 409])
def test_a_job_that_has_ended_is_cancelled_without_an_error(status: int) -> None:
    there = There()
    there.answers["cancel"] = status, b""
    with cloud_of(there) as cloud:
        cloud.cancel("theirs")
    assert there.paths == ["POST /jobs/theirs/cancel"]


# --- results -------------------------------------------------------------------------------------


def packed(array: Any) -> str:
    file = BytesIO()
    np.save(file, array)
    return b64encode(zlib.compress(file.getvalue())).decode()


def typed(kind: str, value: Any) -> dict[str, Any]:
    return {"__type__": kind, "__value__": value}


def bits(rows: Any, size: int) -> dict[str, Any]:
    """Return the array of a register; `rows` may be its text instead."""
    text = rows if isinstance(rows, str) else packed(np.array(rows, np.uint8))
    return typed("BitArray", {"array": typed("ndarray", text), "num_bits": size})


def result(*pubs: dict[str, Any]) -> dict[str, Any]:
    parts = [
        typed("SamplerPubResult", {"data": typed("DataBin", {"fields": fields}), "metadata": {}})
        for fields in pubs
    ]
    return typed("PrimitiveResult", {"pub_results": parts, "metadata": {"version": 2}})


LOW = [[1, 0], [0, 3], [1, 255]]
FIRST = {"c0": bits(LOW, 9), "c1": bits([[1], [0], [1]], 1)}
SECOND = {"c0": bits([[0], [1]], 1)}


def outcomes(body: Any, metrics: Answer = (404, {})) -> Any:
    there = There()
    there.answers |= {"results": (200, body), "metrics": metrics}
    with cloud_of(there) as cloud:
        return cloud.outcomes("theirs", PROGRAM)


def test_registers_become_keys() -> None:
    (first, second), _ = outcomes(result(FIRST, SECOND))
    keys = first.arrays["memory"]
    numbers = [int.from_bytes(keys.data[at : at + 2], "little") for at in (0, 2, 4)]
    assert numbers == [0b11_0000_0000, 3, 0b11_1111_1111]
    assert second.arrays["memory"].shape[0] == 2


@for_each("charged", ["qpu_charge_time_seconds", "quantum_seconds"])
def test_the_seconds_that_are_charged_count(charged: str) -> None:
    usage = {"seconds": 9, charged: 1.5}
    assert outcomes(result(FIRST, SECOND), (200, {"usage": usage}))[1] == 1.5


@pytest.mark.parametrize(
    "metrics", [(200, {"usage": None}), (200, {"usage": {"quantum_seconds": []}}), (500, {})]
)
def test_a_job_of_unknown_run_time_has_its_result(metrics: Answer) -> None:
    assert outcomes(result(FIRST, SECOND), metrics)[1] == 0


def test_an_array_that_lies_by_columns_is_read() -> None:
    low = bits(packed(np.asfortranarray(np.array(LOW, np.uint8))), 9)
    turned, straight = (
        outcomes(result({**FIRST, "c0": each}, SECOND))[0][0].arrays["memory"].data
        for each in (low, FIRST["c0"])
    )
    assert turned == straight


HUGE = np.lib.format.header_data_from_array_1_0(np.zeros((3, 2), np.uint8))


def declared(shape: tuple[int, ...]) -> str:
    """Return an array that is much smaller than it says."""
    file = BytesIO()
    np.lib.format.write_array_header_1_0(file, {**HUGE, "shape": shape})
    return b64encode(zlib.compress(file.getvalue())).decode()


@for_each(
    "low",
    [
        bits(LOW[:2], 9),  # too few shots
        bits([*LOW, [0, 0]], 9),  # too many
        bits(LOW, 8),  # another width
        bits([[each] for each in (1, 2, 3)], 9),
        bits([[2, 0], [0, 0], [0, 0]], 9),  # a tenth bit
        bits("no base64!", 9),
        bits(b64encode(b"no zlib").decode(), 9),
        bits(b64encode(zlib.compress(b"no array")).decode(), 9),
        bits(b64encode(zlib.compress(bytes(10 << 20))).decode(), 9),
        bits(packed(np.array([["a"], [{}]], object)), 9),
        bits(packed(np.array(LOW, np.int64)), 9),
        bits(declared((3, 2)), 9),
        bits(declared((1 << 40, 2)), 9),
        typed("BitArray", None),
        7,
    ],
)
def test_shots_that_do_not_fit_do_not_count(low: Any) -> None:
    with pytest.raises(InvalidResult, match="it has not 3 shots of the 9 bits of low"):
        outcomes(result({**FIRST, "c0": low}, SECOND))


@for_each(
    "body",
    [
        {},
        typed("PrimitiveResult", {}),
        typed("PrimitiveResult", {"pub_results": [7]}),
        typed("PrimitiveResult", {"pub_results": {}}),
        result(FIRST),
        result(FIRST, SECOND, SECOND),
        result({}, SECOND),
        result(SECOND, FIRST),
    ],
)
def test_a_result_of_another_form_does_not_count(body: Any) -> None:
    with pytest.raises(InvalidResult):
        outcomes(body)


# --- devices -------------------------------------------------------------------------------------


def test_devices_of_an_unknown_form_are_left_out() -> None:
    there = There()
    there.answers["backends"] = 200, {"devices": ["ibm_far", "odd"]}
    there.answers["configuration"] = lambda request: (
        (200, {"backend_name": "ibm_far", "n_qubits": 5, "basis_gates": ["x"], "max_shots": 7})
        if "ibm_far" in request.path
        else (200, {"n_qubits": "many"})
    )
    with cloud_of(there) as cloud:
        (device,) = cloud.list_devices()
    assert (device.name, device.qubits, device.spec["max_shots"]) == ("ibm_far", 5, 7)


def test_a_device_that_is_not_there_is_refused() -> None:
    there = There()
    with cloud_of(there) as cloud, pytest.raises(Refused):
        cloud.device_status()


def test_an_access_token_does_not_go_from_https_to_http(monkeypatch: pytest.MonkeyPatch) -> None:
    from qwicket.vendors.ibm import remote_runtime as ibm_runtime

    monkeypatch.setattr(
        ibm_runtime._Client,
        "me",
        lambda _: {"urls": {"services": {"runtime": "http://there/runtime"}}},
    )
    remote = Remote(kind="ibm_runtime", url="https://there/api", device="d", key_env="K")
    with pytest.raises(NotAccepted, match="address"):
        connect(remote, KEY).device_status()
