"""A device of the IBM Quantum Platform: where its key and access tokens go, and its answers."""

from __future__ import annotations

import json
import time
import zlib
from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from io import BytesIO
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from msgspec.structs import replace

from qwicket.circuits import estimation as estimations
from qwicket.circuits import qubit
from qwicket.circuits.frames import frames
from qwicket.circuits.options import RunOptions
from qwicket.circuits.outcomes import Outcome
from qwicket.circuits.qubit import Mitigation, Pauli
from qwicket.devices.remotes import Remote
from qwicket.drivers.remote import connect
from qwicket.drivers.remote.clouds import (
    Cloud,
    CloudError,
    GroupingCloud,
    InvalidResult,
    KeyRefused,
    NoProof,
    NotAccepted,
    OutcomeUnknown,
    Refused,
    RemoteProgram,
    TryLater,
)
from qwicket.drivers.remote.submission import account_hash
from qwicket.model.groups import ForwardedGroup
from support.bad_server import BadServer, Connection, Request, response
from support.for_each import for_each

KEY = "the key/of the account"
MARKER = "qwicket-01a1fc34-7a5e-7cc3-98c4-dc0c0c07398f"
CRN = "crn:v1:bluemix:public:quantum-computing:us-east:a/account:instance::"
SINCE_MS = 1_767_225_600_000


class There:
    """The API and IAM of a cloud, at two addresses.

    Attributes:
        answers: Status and body by the last part of a path.
        life_s: Life of access tokens, as IAM states it.
        n_tokens: Access tokens that IAM gave.
        requests: Requests to the API.
        grants: Requests to IAM.
    """

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, Any]] = {}
        self.life_s: Any = 3600
        self.n_tokens = 0
        self.requests: list[Request] = []
        self.grants: list[Request] = []

    def grant(self, connection: Connection) -> None:
        if (request := connection.read()) is not None:
            self.grants.append(request)
            self.n_tokens += 1
            token = {"access_token": self.token, "expires_in": self.life_s}
            self._send(connection, *self.answers.get("token", (200, token)))

    def api(self, connection: Connection) -> None:
        if (request := connection.read()) is not None:
            self.requests.append(request)
            name = urlsplit(request.path).path.rpartition("/")[2]
            self._send(connection, *self.answers.get(name, (404, {})))

    @property
    def token(self) -> str:
        return f"an-access-token-{self.n_tokens}"

    @staticmethod
    def _send(connection: Connection, status: int, body: Any) -> None:
        connection.send(response(status, body, {"Connection": "close"}))


@contextmanager
def cloud_of(there: There) -> Iterator[Cloud]:
    with ExitStack() as stack:
        api = stack.enter_context(BadServer(there.api))
        iam = stack.enter_context(BadServer(there.grant))
        place: dict[str, Any] = {"url": f"{api.url}/", "iam_url": f"{iam.url}/iam", "instance": CRN}
        remote = Remote(kind="ibm_platform", device="ibm_far", key_env="K", timeout_s=5, **place)
        cloud = connect(remote, KEY)
        stack.callback(cloud.close)
        yield cloud


def program() -> RemoteProgram:
    ops = (qubit.Gate("sx", (3,)), qubit.Gate("z", (4,), (), (3,)), qubit.Measure(3, 0))
    packed = qubit.pack((qubit.QubitCircuit(5, ops, (qubit.Register("input", 1),)),))
    options = RunOptions(shots=3, seed=1, outputs=("counts",))
    return RemoteProgram("openqasm3", b"", {}, packed, "qubit", frames("qubit", packed), options)


def submit(there: There) -> str:
    with cloud_of(there) as cloud:
        return cloud.submit(program(), MARKER, lambda: None)


def test_the_key_goes_to_iam_and_the_access_token_to_the_api() -> None:
    there = There()
    there.answers["jobs"] = 200, {"id": "theirs"}
    assert submit(there) == "theirs"
    (grant,), (sent,) = there.grants, there.requests
    form = parse_qs(grant.body.decode())
    assert (grant.path, form["apikey"]) == ("/iam/identity/token", [KEY])
    assert form["grant_type"] == ["urn:ibm:params:oauth:grant-type:apikey"]
    assert (sent.method, sent.path) == ("POST", "/api/v1/jobs")
    assert sent.headers["authorization"] == "Bearer an-access-token-1"
    assert sent.headers["service-crn"] == CRN
    assert sent.headers["ibm-api-version"]
    assert KEY not in str(sent.headers) + sent.body.decode()


def test_a_program_names_the_qubits_of_the_machine() -> None:
    there = There()
    there.answers["jobs"] = 200, {"id": "theirs"}
    submit(there)
    body = there.requests[0].json
    assert (body["program_id"], body["backend"], body["tags"][0]) == ("sampler", "ibm_far", MARKER)
    ((text, values, shots),) = body["params"]["pubs"]
    assert text.splitlines()[2:] == ["bit[1] c0;", "sx $3;", "cz $3, $4;", "c0[0] = measure $3;"]
    assert (values["__type__"], shots) == ("ndarray", 3)


def estimation(*circuits: qubit.QubitCircuit) -> RemoteProgram:
    packed = qubit.pack(circuits)
    options = RunOptions(shots=100, seed=1, outputs=("counts",))
    return RemoteProgram("openqasm3", b"", {}, packed, "qubit", frames("qubit", packed), options)


def estimated(shots: int = 100, mitigation: Mitigation | None = None) -> qubit.QubitCircuit:
    """Return a circuit on three qubits with two observables, one of them a sum."""
    terms = (((Pauli("ZX", (0, 2)), 2.0), (Pauli("", ()), -1.0)), ((Pauli("Y", (1,)), 1.0),))
    found = estimations.estimation(terms, 100, mitigation)
    return qubit.QubitCircuit(3, (qubit.Gate("sx", (0,)),), (), shots, found)


def test_expectation_values_become_pubs_of_an_estimator() -> None:
    there = There()
    there.answers["jobs"] = 200, {"id": "theirs"}
    with cloud_of(there) as cloud:
        cloud.submit(estimation(estimated(), estimated(shots=2)), MARKER, lambda: None)
    body = there.requests[0].json
    assert body["program_id"] == "estimator"
    assert body["params"]["resilience_level"] == 0
    assert body["params"]["options"]["resilience"] == {
        "measure_mitigation": False,
        "zne_mitigation": False,
    }
    first, second = body["params"]["pubs"]
    assert first[0].splitlines()[2:] == ["sx $0;", "barrier $0, $1, $2;"]
    assert first[1] == [{"XIZ": 2.0, "III": -1.0}, {"IYI": 1.0}]
    assert first[3] == 0.1
    assert 1 / second[3] ** 2 == pytest.approx(2)


def test_error_mitigation_is_asked_for_as_the_job_has_it() -> None:
    there = There()
    there.answers["jobs"] = 200, {"id": "theirs"}
    mitigation = Mitigation(4, 8, 25, (1.0, 3.0), "front", ("linear",), (0.0, 1.0))
    less = replace(mitigation, randomizations=2)
    with cloud_of(there) as cloud:
        both = estimation(estimated(25, mitigation), estimated(30, less))
        cloud.submit(both, MARKER, lambda: None)
        cloud.submit(estimation(estimated(25, mitigation)), MARKER, lambda: None)
    differing, alone = (request.json["params"] for request in there.requests)
    assert alone["pubs"][0][3] == 0.1, "100 shots in 4 parts"
    assert alone["options"] == {
        "resilience": {
            "measure_mitigation": True,
            "measure_noise_learning": {"num_randomizations": 8, "shots_per_randomization": 25},
            "zne_mitigation": True,
            "zne": {
                "amplifier": "gate_folding_front",
                "noise_factors": [1.0, 3.0],
                "extrapolator": ["linear"],
                "extrapolated_noise_factors": [0.0, 1.0],
            },
        },
        "twirling": {
            "enable_measure": True,
            "num_randomizations": 4,
            "shots_per_randomization": 25,
        },
    }
    assert differing["options"]["twirling"]["num_randomizations"] == "auto"
    assert differing["options"]["twirling"]["shots_per_randomization"] == "auto"


def typed_floats(*values: Any, dtype: str = "<f8") -> dict[str, Any]:
    file = BytesIO()
    np.save(file, np.array(values, dtype))
    return {"__type__": "ndarray", "__value__": b64encode(zlib.compress(file.getvalue())).decode()}


def estimates(circuit: qubit.QubitCircuit, **fields: Any) -> Outcome:
    """Return the outcome of a circuit whose pub has these fields as its result."""
    there = There()
    data = {"__value__": {"fields": fields}}
    result = {"__value__": {"pub_results": [{"__value__": {"data": data}}]}}
    there.answers["results"] = 200, result
    with cloud_of(there) as cloud:
        (found,), _ = cloud.outcomes("theirs", estimation(circuit))
    assert isinstance(found, Outcome)
    return found


def test_expectation_values_come_back() -> None:
    found = estimates(estimated(), evs=typed_floats(0.5, -1.0), stds=typed_floats(0.1, 0.0))
    assert (found.evs(), found.stds()) == ([0.5, -1.0], [0.1, 0.0])
    mitigation = Mitigation(0, 0, 0, (1.0, 3.0), "front", ("linear", "exponential"), (1.0,))
    rows = typed_floats([1.0, 2.0], [3.0, 4.0])
    points = typed_floats([[1.0], [2.0]], [[3.0], [float("nan")]])
    found = estimates(
        estimated(mitigation=mitigation),
        evs=typed_floats(0.5, -1.0),
        stds=typed_floats(0.1, 0.0),
        evs_noise_factors=rows,
        stds_noise_factors=rows,
        evs_extrapolated=points,
        stds_extrapolated=points,
    )
    assert found.floats("evs_noise_factors") == [1.0, 2.0, 3.0, 4.0]
    assert found.floats("evs_extrapolated")[:7] == [0.5, 1.0, 0.5, 2.0, -1.0, 3.0, -1.0]
    assert found.integers("runs") == [2, 200], "100 shots at each of two noise factors"


@for_each(
    "evs",
    [
        None,
        7,
        {"__value__": 7},
        {"__value__": "!"},
        typed_floats(0.5),
        typed_floats(0.5, 1.0, 2.0),
        typed_floats([0.5, 1.0]),
        typed_floats(1, 2, dtype="<i8"),
        typed_floats(0.5, 1.0, dtype="<f4"),
        {"__value__": b64encode(zlib.compress(b"\0" * 10_000_000)).decode()},
    ],
)
def test_expectation_values_of_another_form_do_not_count(evs: Any) -> None:
    with pytest.raises(InvalidResult, match=r"it has no evs of the shape \(2,\)"):
        estimates(estimated(), evs=evs, stds=typed_floats(0.0, 0.0))


def packed_tensor(array: Any, dtype: str) -> dict[str, Any]:
    data = np.packbits(array, bitorder="little") if dtype == "bool" else np.array(array, "<f8")
    text = b64encode(zlib.compress(data.tobytes())).decode()
    return {"data": text, "shape": np.shape(array), "dtype": dtype}


def executed(n_sets: int = 2) -> RemoteProgram:
    """Return a program of two items: one of the type circuit, and one that was drawn."""
    item = {"item_type": "circuit", "shape": [], "circuit_arguments": packed_tensor([], "f64")}
    drawn = {"item_type": "samplex", "shape": [n_sets], "samplex": {"samplex_json": "{}"}}
    arguments = packed_tensor(np.full((n_sets, 1), 0.5), "f64")
    program = {
        "shots": 3,
        "circuits": {"b64_data": "QPY", "num_programs": 2, "qpy_version": 17},
        "items": [item, drawn],
        "passthrough_data": {"mine": 1},
    }
    options = {"rep_delay": 0.5, "experimental": {"seed_simulator": 1}}
    params = {"schema_version": "v2.0", "quantum_program": program, "options": options}
    flips = {"measurement_flips.c": packed_tensor(np.zeros((n_sets, 1, 2), np.uint8), "bool")}
    source = {"program": "executor", "params": params}
    source["drawn"] = [None, {"arguments": arguments, "outputs": flips}]
    registers = (qubit.Register("c", 2), qubit.Register("_loose", 1), qubit.Register("d", 9))
    ops = (qubit.Gate("sx", (0,)), qubit.Measure(0, 0))
    packed = qubit.pack((qubit.QubitCircuit(1, ops, registers, 3),) * (1 + max(1, n_sets)))
    run = RunOptions(shots=3, seed=1, outputs=("counts", "memory"))
    shapes = frames("qubit", packed)
    text = json.dumps(source, default=list).encode()
    return RemoteProgram("qiskit.primitives", text, {}, packed, "qubit", shapes, run)


def test_a_program_of_the_executor_goes_as_such_with_what_was_drawn() -> None:
    there = There()
    there.answers["jobs"] = 200, {"id": "theirs"}
    with cloud_of(there) as cloud:
        cloud.submit(executed(), MARKER, lambda: None)
        cloud.submit(executed(n_sets=0), MARKER, lambda: None)
    first, second = (each.json for each in there.requests)
    assert (first["program_id"], second["program_id"]) == ("executor", "sampler")
    program = first["params"]["quantum_program"]
    assert program["circuits"] == {"b64_data": "QPY", "num_programs": 2, "qpy_version": 17}
    assert [each["item_type"] for each in program["items"]] == ["circuit", "circuit"]
    assert program["items"][1]["shape"] == [2]
    assert program["items"][1]["circuit_arguments"]["shape"] == [2, 1]
    assert first["params"]["options"] == {"init_qubits": True, "rep_delay": 0.5}
    assert "mine" not in str(first)


def bits_of(c: Any, d: Any) -> dict[str, Any]:
    return {"results": {"c": packed_tensor(c, "bool"), "d": packed_tensor(d, "bool")}}


def results_of(*items: Any) -> list[list[int]]:
    """Return the keys of each circuit of a program whose items have these results."""
    there = There()
    there.answers["results"] = 200, {"schema_version": "v2.0", "data": items}
    with cloud_of(there) as cloud:
        found, _ = cloud.outcomes("theirs", executed())
    return [list(cast("Outcome", each).each_shot()) for each in found]


def test_bits_of_the_executor_come_back_in_the_order_of_the_circuits() -> None:
    dice = np.random.default_rng(3)
    c, d = dice.integers(0, 2, (3, 3, 2)), dice.integers(0, 2, (3, 3, 9))
    expected = [
        [
            sum(int(bit) << k for k, bit in enumerate((*low, 0, *high)))
            for low, high in zip(*rows, strict=True)
        ]
        for rows in zip(c, d, strict=True)
    ]
    one, two = bits_of(c[0], d[0]), bits_of(c[1:], d[1:])
    assert results_of(one, two) == expected
    assert results_of(bits_of(c[:1], d[:1]), bits_of(c[1:, None], d[1:, None])) == expected
    wide = {"results": {"c": {**two["results"]["c"], "dtype": "u8"}, "d": two["results"]["d"]}}
    bomb = b64encode(zlib.compress(b"\0" * 10_000_000)).decode()
    huge = {"results": {"c": {**two["results"]["c"], "data": bomb}, "d": two["results"]["d"]}}
    # A product of these is a text of a terabyte.
    texts = {"results": {"c": {**two["results"]["c"], "shape": ["a" * 1000, 10**9, 3, 2]}}}
    for wrong in (one, {}, 7, {"results": {"c": two["results"]["c"]}}, wide, huge, texts):
        with pytest.raises(InvalidResult, match="it has not 3 shots of the"):
            results_of(one, wrong)
    for items in ((one,), (one, two, two)):
        with pytest.raises(InvalidResult, match="not the results of 2 items"):
            results_of(*items)


BATCH = ForwardedGroup("g", "native", b"{}", None, None)


def submit_in(cloud: Cloud, group: ForwardedGroup) -> None:
    cloud.submit(program()._replace(group=group), MARKER, lambda: None)


def test_a_group_is_one_session_until_it_takes_no_jobs() -> None:
    there = There()
    there.answers |= {"jobs": (200, {"id": "theirs"}), "sessions": (200, {"id": "first"})}
    there.answers["first"] = 200, {"accepting_jobs": True}
    until_ms = int(time.time() * 1000) + 100_000
    dedicated = ForwardedGroup("d", "runtime", b'{"mode": "dedicated"}', until_ms, None)
    with cloud_of(there) as cloud:
        for _ in range(2):
            submit_in(cloud, BATCH)
        there.answers["sessions"] = 200, {"id": "second"}
        submit_in(cloud, dedicated)
        there.answers["first"] = 200, {"accepting_jobs": False}
        submit_in(cloud, BATCH)
    sent = [each.json for each in there.requests if each.method == "POST"]
    opened = [each for each in sent if "mode" in each]
    assert [each["mode"] for each in opened] == ["batch", "dedicated", "batch"]
    assert {each["backend"] for each in opened} == {"ibm_far"}
    assert "max_ttl" not in opened[0]
    assert 0 < opened[1]["max_ttl"] <= 100
    used = [each["session_id"] for each in sent if "params" in each]
    assert used == ["first", "first", "second", "second"]


def test_another_server_finds_the_session_by_a_job_and_closes_it() -> None:
    there = There()
    there.answers |= {"jobs": (200, {"id": "new"}), "sessions": (200, {"id": "wrong"})}
    there.answers["earlier"] = 200, {"id": "earlier", "session_id": "theirs"}
    there.answers["theirs"] = 200, {"accepting_jobs": True}
    group = BATCH._replace(vendor_job_id="earlier")
    with cloud_of(there) as cloud:
        submit_in(cloud, group)
        assert there.requests[-1].json["session_id"] == "theirs"
        grouping = cast("GroupingCloud", cloud)
        assert grouping.open_groups == ("g",)
        grouping.close_group("g")
        assert (there.requests[-1].method, there.requests[-1].json) == (
            "PATCH",
            {"accepting_jobs": False},
        )
        assert grouping.open_groups == ()
        submit_in(cloud, group)
        there.answers["theirs"] = 200, {"accepting_jobs": False}
        grouping.close_group("g")
        assert (there.requests[-1].method, grouping.open_groups) == ("GET", ())


@for_each(
    "answer, kind",
    [
        ((400, {"errors": [{"message": "not on this plan"}]}), Refused),
        ((503, {}), NotAccepted),
        ((200, {}), NotAccepted),
        ((200, {"id": 7}), NotAccepted),
        ((200, b"<html>"), NotAccepted),
        ((403, {}), KeyRefused),
    ],
)
def test_without_a_session_no_job_is_sent(answer: tuple[int, Any], kind: type[Exception]) -> None:
    there = There()
    there.answers["sessions"] = answer
    with cloud_of(there) as cloud, pytest.raises(kind):
        submit_in(cloud, BATCH)
    assert [urlsplit(each.path).path for each in there.requests] == ["/api/v1/sessions"]


def test_an_access_token_is_used_until_it_is_old_or_refused() -> None:
    odd = (-1, "text", [1], float("nan"), float("inf"), 10**400)
    for life_s, n_tokens in ((3600, 1), (1e-9, 3), *((life_s, 1) for life_s in odd)):
        there = There()
        there.life_s = life_s
        there.answers["jobs"] = 200, {"jobs": []}
        with cloud_of(there) as cloud:
            for _ in range(3):
                with pytest.raises(NoProof):
                    cloud.find(MARKER, SINCE_MS)
        assert there.n_tokens == n_tokens, life_s
    there.answers["jobs"] = 401, {}
    there.life_s, there.n_tokens = 3600, 0
    with cloud_of(there) as cloud, pytest.raises(KeyRefused):
        cloud.find(MARKER, SINCE_MS)
    assert there.n_tokens == 2


def test_the_lease_is_checked_again_before_a_repetition() -> None:
    there = There()
    there.answers["jobs"] = 401, {}
    n_checks = iter((1,))

    def require_lease() -> None:
        if next(n_checks, None) is None:
            raise NotAccepted("another server has the job")

    with cloud_of(there) as cloud, pytest.raises(NotAccepted, match="another server"):
        cloud.submit(program(), MARKER, require_lease)
    assert (there.n_tokens, len(there.requests)) == (2, 1)


@for_each(
    "status, body, kind",
    [
        (400, {"errorCode": "BXNIM0415E", "errorMessage": f"Provided key {KEY}"}, KeyRefused),
        (403, {}, KeyRefused),
        (429, {}, TryLater),
        (500, {}, NotAccepted),
        (200, {"access_token": 7}, NotAccepted),
        (200, {"access_token": "two\nlines"}, NotAccepted),
        (200, {"access_token": "x" * 20_000}, NotAccepted),
        (200, b"<html>", NotAccepted),
        (302, {}, NotAccepted),
    ],
)
def test_a_sign_in_that_fails_leaves_no_doubt_and_shows_no_key(
    status: int, body: Any, kind: type[Exception]
) -> None:
    there = There()
    there.answers["token"] = status, body
    with pytest.raises(kind, match="sign-in there") as raised:
        submit(there)
    assert KEY not in str(raised.value)
    assert not there.requests


@for_each(
    "status, body, kind, said",
    [
        (400, {"errors": [{"code": 1, "message": "not ISA"}]}, Refused, "not ISA"),
        (403, {"errors": [{"message": "no an-access-token-1"}]}, KeyRefused, "no "),
        (409, {}, OutcomeUnknown, "409"),
        (503, {"error": {"message": "maintenance"}}, OutcomeUnknown, "maintenance"),
        (302, {}, OutcomeUnknown, "redirects"),
    ],
)
def test_what_an_answer_means_for_a_submission(
    status: int, body: Any, kind: type[Exception], said: str
) -> None:
    there = There()
    there.answers["jobs"] = status, body
    with pytest.raises(kind, match=said) as raised:
        submit(there)
    assert there.token not in str(raised.value)
    assert len(there.requests) == 1


def test_a_list_finds_a_job_and_never_proves_that_it_is_absent() -> None:
    there = There()
    with cloud_of(there) as cloud:
        there.answers["jobs"] = 200, {"jobs": [{"id": "theirs", "tags": ["best", MARKER]}]}
        assert cloud.find(MARKER, SINCE_MS) == "theirs"
        there.answers["jobs"] = 200, {"jobs": [], "count": 0}
        with pytest.raises(NoProof, match="may lag"):
            cloud.find(MARKER, SINCE_MS)
    query = parse_qs(urlsplit(there.requests[0].path).query)
    assert query["tags"] == [MARKER]
    assert query["created_after"] == ["2025-12-31T23:00:00+00:00"], "clocks differ"


def test_an_instance_without_seconds_takes_no_jobs() -> None:
    there = There()
    there.answers["status"] = 200, {"state": True, "status": "active", "length_queue": 4}
    usage = {"usage_limit_reached": True, "usage_consumed_seconds": 600, "usage_limit_seconds": 600}
    with cloud_of(there) as cloud:
        for answer, reason in (
            ((200, usage), "the instance has used 600 of its 600 seconds"),
            ((200, {**usage, "usage_limit_reached": False}), ""),
            ((404, {}), ""),
        ):
            there.answers["usage"] = answer
            found = cloud.device_status()
            assert (found.is_online, found.reason, found.n_waiting) == (not reason, reason, 4)


def test_a_device_is_listed_without_gates_of_some_angles() -> None:
    there = There()
    there.answers["backends"] = 200, {"devices": [{"name": "ibm_far", "status": {}}]}
    there.answers["configuration"] = (
        200,
        {
            "backend_name": "ibm_far",
            "n_qubits": 5,
            "basis_gates": ["cz", "id", "rx", "rz", "rzz", "sx", "x"],
            "supported_instructions": ["cz", "measure", "reset", "if_else", "delay"],
        },
    )
    with cloud_of(there) as cloud:
        (device,) = cloud.list_devices()
        assert device.spec["gates"] == ["cz", "id", "rz", "sx", "x", "reset", "if_else"]
        there.answers["backends"] = 200, {"devices": [7, {"name": None}]}
        there.answers["configuration"] = 404, {}
        with pytest.raises(CloudError):
            cloud.list_devices()


def test_places_are_checked_and_instances_are_told_apart() -> None:
    place: dict[str, Any] = {"device": "ibm_far", "key_env": "K"}
    ours: dict[str, Any] = {"kind": "ibm_platform", "url": "https://there/ibm/runtime"}
    for wrong, said in (
        (
            {"kind": "ionq", "url": "https://there", "instance": CRN},
            "the kind ionq has no instance",
        ),
        ({**ours, "iam_url": "there"}, "iam_url must begin"),
        ({**ours, "instance": "two\nlines"}, "instance must be printable"),
        ({**ours, "url": "https://quantum.cloud.ibm.com/api/v1"}, "set iam_url; that of IBM is"),
    ):
        with pytest.raises(ValueError, match=said):
            connect(Remote(**place, **wrong), KEY)
    hashes = {account_hash(Remote(**place, **ours, instance=each), KEY) for each in ("", CRN, "a")}
    assert len(hashes) == 3
