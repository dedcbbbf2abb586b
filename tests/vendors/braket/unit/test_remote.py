"""Braket as another cloud: what is sent where, and what is made of its answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from qwicket import programs
from qwicket.circuits.frames import Frame, frames
from qwicket.circuits.options import RunOptions
from qwicket.circuits.outcomes import Outcome
from qwicket.devices.remotes import NoKey, Remote
from qwicket.drivers.remote import connect
from qwicket.drivers.remote.calls import CloudCalls
from qwicket.drivers.remote.clouds import (
    InvalidResult,
    KeyRefused,
    NotAccepted,
    OutcomeUnknown,
    Refused,
    RemoteProgram,
    TryLater,
)
from qwicket.drivers.remote.submission import account_hash
from qwicket.model.limits import Limits
from qwicket.vendors.braket.remote import BraketCloud
from support import braket
from support.bad_server import BadServer, Connection, Request, Step, answer, response
from support.for_each import for_each
from support.remotes import BELL
from support.waiting import until

SECRET = "the-secret-of-the-key"
SESSION = "the-token-of-the-session"
CLOSE = {"Connection": "close"}
MARKER = "qwicket-01a1fc34-7a5e-7cc3-98c4-dc0c0c07398f"
TASK = "arn:aws:braket:us-east-1:123456789012:quantum-task/a1"
HEADER = {"braketSchemaHeader": {"name": "braket.task_result.gate_model_task_result"}}
CAPABILITIES: dict[str, Any] = {
    "service": {"shotsRange": [1, 5000], "deviceCost": {"price": 0.5, "unit": "minute"}},
    "action": {"braket.ir.openqasm.program": {"supportedOperations": ["X", "cz", "prx", "rz"]}},
    "paradigm": {
        "qubitCount": 2,
        "connectivity": {"fullyConnected": False, "connectivityGraph": {"1": ["2"]}},
    },
    "standardized": {
        "T1": {"value": 1e-4, "unit": "s"},
        "T2": {"value": 1e-4, "unit": "s"},
        "singleQubitFidelity": [{"fidelity": 0.999}],
        "twoQubitGateFidelity": [{"fidelity": 0.99}],
        "readoutFidelity": [{"fidelity": 0.98}],
    },
}


@contextmanager
def at(
    *steps: Step, bucket: str = "bucket", role: str = ""
) -> Iterator[tuple[BraketCloud, BadServer]]:
    with BadServer(*steps) as server:
        remote = Remote(
            kind="braket",
            url=f"{server.url}/braket",
            region="us-east-1",
            bucket=f"{server.url}/s3/{bucket}",
            device="arn:aws:braket:::device/quantum-simulator/amazon/sv1",
            key_env="K",
            role_arn=role,
            sts_url=f"{server.url}/sts" if role else "",
        )
        cloud = connect(remote, f"AKID {SECRET} {SESSION}")
        assert isinstance(cloud, BraketCloud)
        try:
            yield cloud, server
        finally:
            cloud.close()


def program(shots: int = 4) -> RemoteProgram:
    read = programs.read("openqasm3", BELL.encode(), Limits())
    options = RunOptions(shots=shots, seed=1, outputs=("counts",))
    shapes = frames("qubit", read.circuits)
    return RemoteProgram(
        "braket.openqasm3", b'{"source":"","shots":0}', {}, read.circuits, "qubit", shapes, options
    )


def outcome(result: Any, **task: Any) -> Any:
    """Return the outcome of a task with this result."""

    def answered(request: Request) -> Any:
        if request.path.endswith("/qwicket/a1/programs/0.json"):
            return {"executableResults": ["run.json"]}
        if request.path.endswith("/qwicket/a1/run.json"):
            return of_bits(inputsIndex=0)
        if "/s3/" in request.path:
            return result
        place = {"outputS3Bucket": "bucket", "outputS3Directory": "qwicket/a1"}
        return {"quantumTaskArn": TASK, **place, **task}

    with at(answer(200, answered, CLOSE)) as (cloud, _):
        return cloud.outcomes(TASK, program())


def of_bits(**changes: Any) -> dict[str, Any]:
    rows = [[0, 1], [1, 1], [0, 1], [0, 0]]
    bits = {"measurements": rows, "measuredQubits": [1, 0]}
    return {**HEADER, "taskMetadata": {"id": TASK}, **bits, **changes}


def of_set(*programs: Any) -> dict[str, Any]:
    header = {"name": "braket.task_result.program_set_task_result"}
    return of_bits(braketSchemaHeader=header, programResults=programs)


WRONG: list[tuple[Any, str]] = [
    ([], "another task"),
    (of_bits(taskMetadata={"id": TASK[:-1]}), "another task"),
    (of_bits(measurements=[[0, 1]] * 3), "not 4 shots of 2 bits"),
    (of_bits(measurements=[[0], [1], [0], [0, 0]]), "no list of bits"),
    (of_bits(measurements=[[0, 2]] * 4), "not a bit"),
    (of_bits(measurements=[[0, 0.7]] * 4), "not a bit"),
    (of_bits(measuredQubits=[0, 0]), "qubit twice"),
    (of_bits(measuredQubits=[0, 2]), "no column for the qubit 1"),
    (of_bits(measuredQubits=["0", "1"]), "no list of measured qubits"),
    (of_bits(measurements=None), "neither measurements nor"),
    (of_bits(measurements=None, measurementProbabilities={"0": 1}), "not of 2 bits"),
    (of_bits(measurements=None, measurementProbabilities={"00": 0.4}), "add up to 0.4"),
    (of_set("https://elsewhere.example/part.json"), "not in its folder: 'https"),
    (of_set("../other/results.json"), "not in its folder"),
    (of_set(*["programs/0.json"] * 2), "too long a list"),
    (of_set({"executableResults": [of_bits(inputsIndex=1)]}), "lacks a run"),
]


def test_a_result_has_each_shots_bits_of_the_measured_qubits_or_frequencies() -> None:
    metadata = {"simulatorMetadata": {"executionDuration": 1500}}
    ((found,), seconds) = outcome(of_bits(additionalMetadata=metadata))
    assert (found.counts(), seconds) == ({1: 2, 3: 1, 0: 1}, 1.5)
    shares = {"01": 0.5, "11": 0.25, "00": 0.25}
    ((found,), seconds) = outcome(of_bits(measurements=None, measurementProbabilities=shares))
    assert (found.counts(), seconds) == ({1: 2, 3: 1, 0: 1}, 0.0)
    ((found,), _) = outcome(of_set("programs/0.json"))
    assert found.counts() == {1: 2, 3: 1, 0: 1}, "its parts are further objects of the bucket"
    for result, reason in WRONG:
        with pytest.raises(InvalidResult, match=reason):
            outcome(result)


def analog(shots: int = 3) -> RemoteProgram:
    action = json.loads(braket.analog_action())
    stored = {"register": action["setup"]["ahs_register"], "hamiltonian": action["hamiltonian"]}
    source = json.dumps(stored).encode()
    circuits = programs.read("ahs", source, Limits()).circuits
    options = RunOptions(shots=shots, seed=1, outputs=("samples",))
    shapes = frames("atoms", circuits)
    return RemoteProgram("ahs", source, {}, circuits, "atoms", shapes, options)


def shot(before: Any, after: Any, status: str = "Success") -> dict[str, Any]:
    result = {"preSequence": before, "postSequence": after}
    return {"shotMetadata": {"shotStatus": status}, "shotResult": result}


def sites_of(*shots: Any) -> Any:
    """Return the samples of an analog task with these shots."""

    def answered(request: Request) -> Any:
        if "/s3/" in request.path:
            return {"taskMetadata": {"id": TASK}, "measurements": shots}
        place = {"outputS3Bucket": "bucket", "outputS3Directory": "qwicket/a1"}
        return {"quantumTaskArn": TASK, **place}

    with at(answer(200, answered, CLOSE)) as (cloud, _):
        (found,), _ = cloud.outcomes(TASK, analog())
    assert isinstance(found, Outcome)
    return found.samples()


def test_an_analog_program_is_sent_as_it_is() -> None:
    with at(answer(201, {"quantumTaskArn": TASK}, CLOSE)) as (cloud, server):
        assert cloud.submit(analog(), MARKER, print) == TASK
        (request,) = server.requests
    assert json.loads(request.json["action"]) == json.loads(braket.analog_action())
    assert request.json["shots"] == 3


def test_shots_of_atoms_say_which_are_excited_and_which_sites_are_empty() -> None:
    good = shot([1, 1], [0, 1])
    found = sites_of(good, shot([0, 1], [0, 1]), shot(None, None, "Failure"))
    assert found == [[1, 0], [-1, 0], [-1, -1]]
    wrong = (shot([1], [1]), shot([1, 1], [1]), shot([1, 2], [1, 1]), shot([1, True], [1, 1]))
    for each in (*wrong, shot(None, None), shot(None, None, 7) | {"shotMetadata": 7}, 7, {}):
        with pytest.raises(InvalidResult, match="it has a shot without"):
            sites_of(good, good, each)
    for shots in ((good, good), ()):
        with pytest.raises(InvalidResult, match="it has not 3 shots"):
            sites_of(*shots)


def test_requests_go_to_the_two_addresses_of_the_file_alone() -> None:
    """Neither another bucket that a task names nor a redirect is followed; the secret stays."""
    with pytest.raises(InvalidResult, match="not in qwicket/a1 of the bucket bucket"):
        outcome(of_bits(), outputS3Bucket="other")
    with BadServer(answer(200, {})) as elsewhere:
        moved = answer(307, {}, {"Location": f"{elsewhere.url}/s3/bucket"})
        with at(moved) as (cloud, server):
            with pytest.raises(OutcomeUnknown, match="not followed"):
                cloud.submit(program(), MARKER, print)
            (request,) = server.requests
        assert elsewhere.connections == 0
    assert SECRET not in str(vars(request))
    assert request.headers["x-amz-security-token"] == SESSION
    assert "x-amz-security-token" in request.headers["authorization"]
    sent = json.loads(request.body)
    assert (sent["clientToken"], sent["tags"]) == (MARKER, {"qwicket_job": MARKER})
    exact = (Frame(n_readouts=1, shots=0),)
    with at(moved) as (cloud, server):
        for refused in (program()._replace(format="qir"), program()._replace(frames=exact)):
            with pytest.raises(Refused, match=r"no programs of qir|needs shots"):
                cloud.submit(refused, MARKER, print)
        assert not server.connections


@for_each(
    "status, code, message, meaning",
    [
        (400, "ValidationException", "bad shots", Refused),
        (400, "ValidationException", "clientToken: used with other content", OutcomeUnknown),
        (400, "ThrottlingException", "slow", TryLater),
        (400, "com.amazon#ExpiredTokenException:http://x", "old", KeyRefused),
        (402, "ServiceQuotaExceededException", "full", NotAccepted),
        (403, "AccessDeniedException", "no", KeyRefused),
        (409, "ConflictException", "twice", OutcomeUnknown),
        (410, "DeviceRetiredException", "gone", Refused),
        (424, "DeviceOfflineException", "off", NotAccepted),
        (429, "ThrottlingException", "slow", TryLater),
        (500, "InternalServiceException", "oh", OutcomeUnknown),
        (503, "ServiceUnavailableException", "oh", OutcomeUnknown),
    ],
)
def test_a_refusal_says_whether_a_task_may_exist(
    status: int, code: str, message: str, meaning: type[Exception]
) -> None:
    body = {"message": message}
    refused = answer(status, body, {"x-amzn-ErrorType": code})
    with at(refused) as (cloud, _), pytest.raises(meaning) as raised:
        cloud.submit(program(), MARKER, print)
    assert str(raised.value) == message


def test_a_device_is_read_with_its_queue_calibration_and_price() -> None:
    queues = [
        {"queue": "QUANTUM_TASKS_QUEUE", "queueSize": ">4000", "queuePriority": "Normal"},
        {"queue": "QUANTUM_TASKS_QUEUE", "queueSize": "2", "queuePriority": "Priority"},
        {"queue": "JOBS_QUEUE", "queueSize": "9"},
    ]
    machine = "arn:aws:braket:us-east-1::device/qpu/iqm/Garnet"
    away = "arn:aws:braket:eu-north-1::device/qpu/iqm/Emerald"

    def answered(request: Request) -> Any:
        if request.method == "POST":
            return {"devices": [{"deviceArn": each} for each in (machine, away)]}
        text = json.dumps(CAPABILITIES)
        about = {"deviceName": "Garnet", "providerName": "IQM", "deviceStatus": "OFFLINE"}
        return {**about, "deviceCapabilities": text, "deviceQueueInfo": queues}

    with at(answer(200, answered, CLOSE)) as (cloud, _):
        status = cloud.device_status()
        (listed,) = cloud.list_devices()
    assert (status.is_online, status.reason, status.n_waiting) == (
        False,
        "it is OFFLINE there",
        4002,
    )
    assert status.calibration is not None
    assert status.calibration.connectivity == ((1, 2),)
    assert listed.name == machine
    assert listed.qubits == 3, "numbers begin at 1"
    assert listed.spec["gates"] == ("x", "rz", "cz")
    assert listed.spec["cost"] == {"per_second": 0.5 / 60}


def test_a_device_between_its_windows_is_off_until_the_next_one() -> None:
    now = datetime.now(UTC)
    day = f"{now + timedelta(days=3):%A}"
    window = {"executionDay": day, "windowStartHour": "09:00", "windowEndHour": "17:00:00"}
    service = {**CAPABILITIES["service"], "executionWindows": [window]}
    text = json.dumps({**CAPABILITIES, "service": service})
    for about in ({"deviceStatus": "ONLINE"}, {"deviceStatus": "OFFLINE"}):
        with at(answer(200, {**about, "deviceCapabilities": text}, CLOSE)) as (cloud, _):
            found = cloud.device_status()
        assert not found.is_online
        if about["deviceStatus"] == "ONLINE":
            assert found.reason.startswith("its next window there opens at 20")
            assert found.reason.endswith(" 09:00 UTC")
        else:
            assert found.reason == "it is OFFLINE there"


def test_keys_come_from_files_and_profiles_that_others_cannot_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = f"aws_access_key_id = AKID\naws_secret_access_key = {SECRET}\n"
    file = tmp_path / "credentials"
    file.write_text(f"[lab]\n{pair}aws_session_token={SESSION}\n[role]\n{pair}role_arn = a\n[no]\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    place: dict[str, Any] = {
        "kind": "braket",
        "url": "https://b.example",
        "device": "d",
        "region": "r",
    }
    place |= {"bucket": "https://s3.example/bucket"}
    file.chmod(0o644)
    with pytest.raises(NoKey, match="profile: others can read"):
        Remote(**place, profile="lab").key()
    file.chmod(0o600)
    assert Remote(**place, profile="lab").key() == f"AKID {SECRET} {SESSION}"
    for name, reason in (
        ("role", "set role_arn in the device file"),
        ("no", "needs"),
        ("x", "no profile x"),
    ):
        with pytest.raises(NoKey, match=reason):
            Remote(**place, profile=name).key()
    key = tmp_path / "key"
    key.touch(0o600)
    key.write_text(f"AKID\n{SECRET}\n")
    assert Remote(**place, key_file=str(key)).key() == f"AKID {SECRET}"
    calls = CloudCalls(f"AKID {SECRET} {SESSION}", 1)
    assert calls.scrubbed(f"it failed with {SESSION}") == "it failed with …"
    assert not calls.is_id(f"arn:{SESSION}")
    for wrong in ({"bucket": ""}, {"kind": "ionq"}, {"bucket": "ftp://x/bucket"}):
        with pytest.raises(ValueError, match=r"needs bucket|has no region|must begin with https"):
            Remote(**{**place, **wrong}, key_env="K")
    for wrong in ({"region": "US"}, {"bucket": "https://s3.example/B"}):
        with pytest.raises(ValueError, match=r"region must be|bucket must be"):
            connect(Remote(**{**place, **wrong}, key_env="K"), f"AKID {SECRET}")
    with pytest.raises(ValueError, match="a key id and a secret"):
        connect(Remote(**place, key_env="K"), SECRET)


ROLE = "arn:aws:iam::123456789012:role/gate"


class RoleCloud:
    """A cloud that gives key pairs of a role, each with a number, and refuses some of them.

    Attributes:
        life_s: Life of a pair.
        refused: Tokens of sessions that Braket refuses.
        n_pairs: Pairs that were given.
    """

    def __init__(self, life_s: float = 3600) -> None:
        self.life_s = life_s
        self.refused: set[str] = set()
        self.n_pairs = 0

    def __call__(self, connection: Connection) -> None:
        request = connection.read()
        if request is None:
            return
        if request.path.startswith("/sts"):
            self.n_pairs += 1
            connection.send(response(200, self.pair().encode(), CLOSE))
        elif request.headers["x-amz-security-token"] in self.refused:
            code = {"x-amzn-ErrorType": "ExpiredTokenException", **CLOSE}
            connection.send(response(403, {"message": "old"}, code))
        else:
            made = {"quantumTaskArn": f"no {request.headers['x-amz-security-token']}"}
            connection.send(response(200, made, CLOSE))

    def pair(self) -> str:
        ends = (datetime.now(UTC) + timedelta(seconds=self.life_s)).isoformat()
        return (
            "<AssumeRoleResponse><AssumeRoleResult><Credentials>"
            f"<AccessKeyId>ASIA{self.n_pairs}</AccessKeyId>"
            f"<SecretAccessKey>secret{self.n_pairs}+/=</SecretAccessKey>"
            f"<SessionToken>session{self.n_pairs}+/=</SessionToken>"
            f"<Expiration>{ends}</Expiration>"
            "</Credentials></AssumeRoleResult></AssumeRoleResponse>"
        )


def test_a_role_signs_what_goes_to_braket_and_the_key_what_goes_to_sts() -> None:
    there = RoleCloud()
    with at(there, role=ROLE) as (cloud, server):
        checked: list[int] = []
        made = cloud.submit(program(), MARKER, lambda: checked.append(there.n_pairs))
        cloud.submit(program(), MARKER, print)
        assert made == "no ...", "a response may repeat the token"
        assert checked == [1], "the lease is checked after the role has its pair"
        sts, task, _ = server.requests
    assert (sts.method, sts.path) == ("POST", "/sts/")
    form = parse_qs(sts.body.decode())
    assert (form["Action"], form["RoleArn"]) == (["AssumeRole"], [ROLE])
    assert "Credential=AKID/" in sts.headers["authorization"]
    assert "/us-east-1/sts/aws4_request" in sts.headers["authorization"]
    assert "Credential=ASIA1/" in task.headers["authorization"]
    assert task.headers["x-amz-security-token"] == "session1+/="
    assert not any(each in str(vars(task)) for each in (SECRET, SESSION, "secret1"))
    assert SECRET not in str(vars(sts))


def test_a_pair_of_a_role_is_renewed_before_its_end_and_once_it_is_refused() -> None:
    there = RoleCloud()
    with at(there, role=ROLE) as (cloud, _):
        for _ in range(2):
            cloud.submit(program(), MARKER, print)
        assert there.n_pairs == 1
    there = RoleCloud(life_s=-5)
    with at(there, role=ROLE) as (cloud, _):
        until(lambda: cloud.submit(program(), MARKER, print) and there.n_pairs > 1, "a new pair")
    there = RoleCloud()
    there.refused = {"session1+/="}
    with at(there, role=ROLE) as (cloud, _):
        with pytest.raises(KeyRefused, match="old"):
            cloud.submit(program(), MARKER, print)
        assert cloud.submit(program(), MARKER, print)
    assert there.n_pairs == 2


def xml(code: str, message: str) -> str:
    return f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"


@for_each(
    "status, body, kind, said",
    [
        (403, xml("AccessDenied", "not you"), KeyRefused, "not you"),
        (403, xml("SignatureDoesNotMatch", SECRET), KeyRefused, r"\.\.\."),
        (400, xml("Throttling", "slow"), TryLater, "slow"),
        (503, "", NotAccepted, "503"),
        (302, "", NotAccepted, "redirects"),
        (200, "<html>", NotAccepted, "no key pair"),
        (200, "<AccessKeyId>A</AccessKeyId><SecretAccessKey>&amp;", NotAccepted, "no key pair"),
    ],
)
def test_without_a_pair_of_the_role_no_task_is_sent(
    status: int, body: str, kind: type[Exception], said: str
) -> None:
    refused = answer(status, body.encode(), CLOSE)
    with at(refused, role=ROLE) as (cloud, server):
        with pytest.raises(kind, match=said) as raised:
            cloud.submit(program(), MARKER, print)
        assert [each.path for each in server.requests] == ["/sts/"]
    assert "the role could not be assumed" in str(raised.value)
    assert SECRET not in str(raised.value)


@for_each(
    "place, said",
    [
        ({"role_arn": ROLE}, "set role_arn and sts_url, or neither"),
        ({"sts_url": "https://sts.example"}, "set role_arn and sts_url, or neither"),
        ({"role_arn": ROLE, "sts_url": "sts.example"}, "sts_url must begin with https"),
        (
            {"role_arn": "gate", "sts_url": "https://sts.example"},
            "role_arn must be the ARN of a role",
        ),
        (
            {"kind": "ionq", "region": "", "bucket": "", "role_arn": ROLE},
            "the kind ionq has no role_arn",
        ),
    ],
)
def test_places_of_roles_are_checked(place: dict[str, str], said: str) -> None:
    whole: dict[str, Any] = {"kind": "braket", "url": "https://b.example", "device": "d"}
    whole |= {"region": "r", "bucket": "https://s3.example/bucket", "key_env": "K", **place}
    with pytest.raises(ValueError, match=said):
        connect(Remote(**whole), f"AKID {SECRET}")


def test_jobs_of_another_role_are_told_apart() -> None:
    whole: dict[str, Any] = {"kind": "braket", "url": "https://b.example", "device": "d"}
    whole |= {"region": "r", "bucket": "https://s3.example/bucket", "key_env": "K"}
    role = {"role_arn": ROLE, "sts_url": "https://sts.example"}
    hashes = {account_hash(Remote(**whole, **each), SECRET) for each in (role, {})}
    assert len(hashes) == 2
