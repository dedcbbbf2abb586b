"""Dishonest agents: forged leases, other accounts' devices, hostile specifications and outcomes."""

from __future__ import annotations

import base64
import hashlib
import math
import random
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from abuse.dialects import NATIVE
from abuse.test_access import MALFORMED
from qwicket.circuits.outcomes import Array, Outcome, encode
from support.agents import ATOMS, BELL_QASM, Lab, serving_token
from support.for_each import for_each
from support.pilots import Held, RawAgent, offer, states
from support.server import LiveServer, used_s

AGENT = "0123456789abcdef"
PULL = f"/v1/pilots/{AGENT}/pull"
RESULTS = f"/v1/pilots/{AGENT}/results"
SHOTS = 20


@pytest.fixture(scope="module")
def lab(server: LiveServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with Lab(server, tmp_path_factory.mktemp("lab"), device="abused") as opened:
        yield opened


@pytest.fixture(scope="module")
def agent(lab: Lab) -> Iterator[httpx.Client]:
    """A client with the token of the lab."""
    with lab.http() as client:
        yield client


@pytest.fixture
def pilot(lab: Lab, agent: httpx.Client) -> RawAgent:
    return RawAgent(agent, lab.device, AGENT)


@pytest.fixture
def held(pilot: RawAgent, http: httpx.Client) -> Iterator[Held]:
    with lease_in_hand(pilot, http) as lease:
        yield lease


@contextmanager
def lease_in_hand(pilot: RawAgent, http: httpx.Client) -> Iterator[Held]:
    """A lease of a job in hand; at the end the job can still be finished as it should."""
    job = submitted(pilot.device, http)
    lease = pilot.claimed()
    assert lease["id"] == job
    yield lease
    assert states(pilot.end(lease, parts=[part(outcome())])) == ["completed"]
    assert http.get(f"/v1/jobs/{job}/result").json()["parts"][0]["counts"] == {"00": SHOTS}


def submitted(device: str, http: httpx.Client) -> str:
    body = {"device": device, "program": BELL_QASM, "shots": SHOTS}
    return str(http.post("/v1/jobs", json=body).json()["id"])


def part(good: Outcome) -> dict[str, Any]:
    encoded = encode(good)
    return packed(encoded.body)


def packed(body: bytes) -> dict[str, Any]:
    return {
        "outcome": base64.b64encode(body).decode(),
        "sha256": hashlib.sha256(body).hexdigest(),
    }


def int64s(*numbers: int) -> bytes:
    return struct.pack(f"<{len(numbers)}q", *numbers)


KEYS = Array("|u1", (1, 1), b"\0")
COUNTS = Array("<i8", (1,), int64s(SHOTS))


def outcome(**changes: Any) -> Outcome:
    values: dict[str, Any] = {
        "registers": (("c", 2),),
        "arrays": {"keys": KEYS, "counts": COUNTS},
        "engine": "lab",
        "engine_version": "",
        "seed": 1,
        "seconds": 0.1,
    }
    return msgspec.convert({**values, **changes}, Outcome)


# --- leases ---------------------------------------------------------------------------------------

WRONG_LEASES: dict[str, dict[str, Any]] = {
    "a later fence": {"fence": 1 << 40},
    "another nonce": {"nonce": "0" * 32},
    "no nonce": {"nonce": ""},
}


@for_each("wrong", WRONG_LEASES)
def test_a_lease_that_is_not_the_newest_changes_nothing(
    pilot: RawAgent, http: httpx.Client, wrong: str
) -> None:
    with lease_in_hand(pilot, http) as held:
        forged = {**held, **WRONG_LEASES[wrong]}
        assert states(pilot.end(forged, parts=[part(outcome())])) == [None]
        assert states(pilot.release(forged)) == [None]


def ends(pilot: RawAgent, job: str, lease: Held, **changes: Any) -> list[str | None]:
    """Finish a job with all zeros, in the name of a lease; return its state."""
    return states(pilot.end({**lease, "id": job, **changes}, parts=[part(outcome())]))


def test_the_old_lease_of_a_job_that_one_holds_again_is_refused(
    pilot: RawAgent, http: httpx.Client
) -> None:
    job = submitted(pilot.device, http)
    old = pilot.claimed()
    assert states(pilot.release(old)) == ["queued"]
    assert ends(pilot, job, old) == [None], "while nobody holds it"
    new = pilot.claimed()
    assert (new["id"], new["fence"] > old["fence"]) == (job, True)
    assert ends(pilot, job, old) == [None]
    assert ends(pilot, job, old, fence=new["fence"]) == [None]
    assert ends(pilot, job, new, fence=old["fence"]) == [None]
    assert states(pilot.release(old)) == [None]
    assert http.get(f"/v1/jobs/{job}").json()["state"] == "running"
    assert ends(pilot, job, new) == ["completed"]
    assert ends(pilot, job, new) == [None], "a second result changes nothing"
    (told,) = http.get(f"/v1/jobs/{job}/result").json()["parts"]
    assert told["counts"] == {"00": SHOTS}


def test_a_lease_of_one_job_ends_no_other(
    lab: Lab, agent: httpx.Client, http: httpx.Client
) -> None:
    jobs = {submitted(lab.device, http), submitted(lab.device, http)}
    us, them = (RawAgent(agent, lab.device, name * 16) for name in "ab")
    mine, theirs = us.claimed(), them.claimed()
    assert {mine["id"], theirs["id"]} == jobs
    assert ends(them, theirs["id"], mine) == [None]
    assert ends(them, theirs["id"], mine, fence=theirs["fence"]) == [None]
    assert ends(them, theirs["id"], theirs, nonce=mine["nonce"]) == [None]
    assert ends(us, theirs["id"], theirs) == [None]
    assert states(us.release(theirs)) == [None]
    assert {http.get(f"/v1/jobs/{job}").json()["state"] for job in jobs} == {"running"}
    events = [http.get(f"/v1/jobs/{job}/events").json() for job in jobs]
    assert "failed" not in str(events)
    assert ends(us, mine["id"], mine) == ends(them, theirs["id"], theirs) == ["completed"]


def test_a_renewal_under_a_foreign_nonce_is_told_that_the_lease_is_lost(
    lab: Lab, agent: httpx.Client, held: Held
) -> None:
    """And it is another agent's word: what this one holds stays its own."""
    other = RawAgent(agent, lab.device, "f" * 16)
    assert other.renew({**held, "nonce": "0" * 32}) == "lost"


@for_each("text", MALFORMED)
def test_a_text_that_is_no_job_is_an_unknown_one(pilot: RawAgent, text: str) -> None:
    lease = {"id": MALFORMED[text], "fence": 1, "nonce": "x"}
    for sent in (
        pilot.pull([lease], tasks=0),
        pilot.end(lease, parts=[]),
        pilot.release(lease),
    ):
        if sent.status_code == 200:
            assert "lost" in sent.text or states(sent) == [None]
        else:
            NATIVE.refused(sent, 400)


def test_a_lease_of_a_device_that_is_not_served_looks_like_an_absent_one(
    server: LiveServer, lab: Lab, held: Held
) -> None:
    """Whatever is reported: its program would tell whether the parts fit."""
    with server.client(serving_token(server, "another")) as http:
        announced = http.put("/v1/agent/devices/another", json={"family": "qubit", "spec": SPEC})
        assert announced.status_code == 200, announced.text
        stranger = RawAgent(http, "another", AGENT)
        for parts in ([], [part(outcome())]):
            assert states(stranger.end(held, parts=parts)) == [None]
        assert states(stranger.release(held)) == [None]
        assert stranger.renew(held) == "lost"
        NATIVE.refused(RawAgent(http, lab.device, AGENT).end(held, parts=[]), 403)


def pull_of(*devices: str) -> dict[str, Any]:
    return {"offer": offer(request=1, devices=list(devices)), "settled": 0}


def test_a_token_serves_its_devices_and_nothing_else(
    server: LiveServer, lab: Lab, agent: httpx.Client, held: Held
) -> None:
    for path in ("/v1/jobs", f"/v1/jobs/{held['id']}", "/v1/devices", f"/v1/devices/{lab.device}"):
        NATIVE.refused(agent.get(path), 403)
    body = {"device": lab.device, "program": BELL_QASM}
    NATIVE.refused(agent.post("/v1/jobs", json=body), 403)
    NATIVE.refused(agent.post(f"/v1/jobs/{held['id']}/cancel"), 403)
    calls: list[tuple[str, str, dict[str, Any]]] = [
        ("PUT", "/v1/agent/devices/other", {"family": "qubit", "spec": SPEC}),
        ("POST", PULL, pull_of("other")),
        ("POST", PULL, pull_of("simulator")),
        ("POST", RESULTS, {"offer": offer(request=1, devices=["other"])}),
        ("POST", f"/v1/scalers/{AGENT}/demand", {"group": "x"}),
    ]
    for method, path, content in calls:
        NATIVE.refused(agent.request(method, path, json=content), 403)


def test_another_accounts_token_for_the_same_device_takes_nothing_from_its_agents(
    server: LiveServer, lab: Lab, held: Held
) -> None:
    """It may pull jobs, because an administrator said so, but is not the agent of that name."""
    server.token("bob")
    with server.client(serving_token(server, lab.device, account="bob")) as other:
        bobs = RawAgent(other, lab.device, AGENT)
        assert bobs.leave().status_code == 200
        assert bobs.claim(wait=0) is None
        announced = other.put(
            f"/v1/agent/devices/{lab.device}", json={"family": "qubit", "spec": SPEC}
        )
        NATIVE.refused(announced, 409)


@for_each("name", ["A" * 64, "a b", "a/b", "", "-a", "a\0b", "ä", "a" * 4_000])
def test_no_token_serves_a_device_of_such_a_name(server: LiveServer, name: str) -> None:
    with pytest.raises(Exception, match="A device's name must be 1 to 63"):
        serving_token(server, name)


def test_a_token_that_serves_can_do_nothing_else_and_names_its_devices(server: LiveServer) -> None:
    both = ("--scope", "devices:serve", "--scope", "jobs:read", "--device", "x")
    for arguments, said in ((both, "cannot be combined"), (both[:2], "must name its devices")):
        with pytest.raises(AssertionError, match=said):
            server.admin("token", "create", "--user", server.account, *arguments)


# --- devices --------------------------------------------------------------------------------------

SPEC: dict[str, Any] = {
    "description": "A machine",
    "qubits": 5,
    "formats": ["openqasm3"],
    "outputs": ["counts"],
}
WRONG_SPECS: dict[str, tuple[str, Any]] = {
    "no qubits": ("qubits", 0),
    "negative qubits": ("qubits", -1),
    "too many qubits": ("qubits", 5_001),
    "2^70 qubits": ("qubits", 2**70),
    "no shots": ("max_shots", 0),
    "too many shots": ("max_shots", 1_000_001),
    "no formats": ("formats", []),
    "unknown format": ("formats", ["x" * 4_000]),
    "format of another family": ("formats", ["blackbird"]),
    "a format twice": ("formats", ["openqasm3", "openqasm3"]),
    "unknown output": ("outputs", ["samples"]),
    "negative time": ("shot_s", -1),
    "endless time": ("shot_s", 1e300),
    "noise": ("noise_models", ["aria-1"]),
    "engines": ("engines", ["qsim"]),
    "exact": ("exact", True),
    "NUL in description": ("description", "a\0b"),
    "long description": ("description", "x" * 4_000),
    "escape in description": ("description", "\x1b[2J"),
    "long gate": ("gates", ["x" * 4_000]),
    "many gates": ("gates", ["x"] * 300),
    "NUL in gate": ("native_gates", ["\0"]),
    "atoms": ("atoms", {"version": "1", "kind": "spin", "gates": []}),
    "unknown key": ("rm -rf", 1),
}


@for_each("wrong", WRONG_SPECS)
def test_a_spec_that_makes_no_sense_is_refused_by_name(
    lab: Lab, agent: httpx.Client, wrong: str
) -> None:
    field, value = WRONG_SPECS[wrong]
    body = {"family": "qubit", "spec": {**SPEC, field: value}}
    response = agent.put(f"/v1/agent/devices/{lab.device}", json=body)
    assert NATIVE.names(response, f"spec.{field}") or NATIVE.names(response, field)


LAYOUTS: dict[str, str] = {
    "no Blackbird": "rm -rf /",
    "a file": 'include "/etc/passwd"\nMeasureFock() | 0',
    "a parameter that is no argument": "Sgate(-{x}) | 0\nMeasureFock() | 0",
    "many parameters": "\n".join(f"Rgate({{p{k}}}) | 0" for k in range(2_000)),
    "a long loop": "for int i in 0:90000\n  Sgate(0) | 0\nMeasureFock() | 0",
    "a long text": "# " + "x" * (65 << 10),
}


@for_each("wrong", LAYOUTS)
def test_a_layout_that_is_none_is_refused(server: LiveServer, wrong: str) -> None:
    spec = {**SPEC, "formats": ["blackbird"], "outputs": ["samples"]}
    spec["photonic"] = {"modes": 5, "layout": LAYOUTS[wrong], "since": "2026-01-01T00:00:00Z"}
    with server.client(serving_token(server, "chip")) as agent:
        body = {"family": "photonic", "spec": spec}
        response = agent.put("/v1/agent/devices/chip", json=body)
        assert NATIVE.names(response, "photonic")
        body = {"family": "qubit", "spec": {**SPEC, "photonic": spec["photonic"]}}
        assert NATIVE.names(agent.put("/v1/agent/devices/chip", json=body), "photonic")


def test_a_device_keeps_its_family_and_stands_at_dialects_of_its_family(
    lab: Lab, agent: httpx.Client
) -> None:
    path = f"/v1/agent/devices/{lab.device}"
    atoms = {**SPEC, "formats": ["qlued.lab"], "outputs": ["samples"]}
    NATIVE.refused(agent.put(path, json={"family": "atoms", "spec": atoms}), 409)
    for dialects in (["qlued"], ["native", "x" * 4_000], ["\0"]):
        body = {"family": "qubit", "spec": SPEC, "dialects": dialects}
        assert NATIVE.names(agent.put(path, json=body), "dialects")


def test_no_lab_takes_over_a_device_of_the_server(server: LiveServer) -> None:
    with server.client(serving_token(server, "simulator")) as thief:
        body = {"family": "qubit", "spec": SPEC}
        NATIVE.refused(thief.put("/v1/agent/devices/simulator", json=body), 409)
        NATIVE.refused(thief.post(PULL, json=pull_of("simulator")), 409)


def test_a_device_that_was_not_announced_has_no_jobs(server: LiveServer) -> None:
    with server.client(serving_token(server, "ghost")) as early:
        NATIVE.refused(early.post(PULL, json=pull_of("ghost")), 404)
        NATIVE.refused(early.put("/v1/agent/devices/ghost/calibration", json=FIGURES), 404)


FIGURES: dict[str, Any] = {
    "valid_from": "2026-01-31T12:00:00Z",
    "source": "a bench",
    "qubit": {"t1_s": 1.0, "t2_s": 1.0, "one_for_zero": 0.1, "zero_for_one": 0.1},
    "one_qubit": {"error": 0.01, "duration_s": 1e-6},
    "two_qubit": {"error": 0.01, "duration_s": 1e-6},
}


@for_each(
    "wrong",
    [
        {"valid_from": "yesterday"},
        {"qubit": {**FIGURES["qubit"], "t2_s": 3.0}},
        {"connectivity": [[0, 8]]},
        {"connectivity": [[0, 0]]},
        {"source": "a\0b"},
        {"source": "x" * (2 << 20)},
        {"one_qubit": {"error": -1, "duration_s": 1}},
    ],
)
def test_figures_that_make_no_sense_are_refused(
    lab: Lab, agent: httpx.Client, wrong: dict[str, Any]
) -> None:
    path = f"/v1/agent/devices/{lab.device}/calibration"
    NATIVE.refused(agent.put(path, json={**FIGURES, **wrong}))


# --- pulls ----------------------------------------------------------------------------------------

LEASE = {"id": "x", "fence": 1, "nonce": "x"}


@for_each(
    "wrong",
    [
        {"offer": {}},
        {"offer": offer(request=1)},
        {"offer": offer(request=1, devices=["abused", "other"])},
        {"offer": offer(request=0, devices=["abused"])},
        {"offer": offer(request=1, devices=["abused"], slots=0)},
        {"held": "x"},
        {"held": [{**LEASE, "fence": 0}]},
        {"held": [{**LEASE, "fence": 2**63}]},
        {"held": [{**LEASE, "id": "x" * 4_000}]},
        {"held": [{**LEASE, "done": 1.5}]},
        {"held": [{**LEASE, "text": "\0"}]},
        {"held": [LEASE] * 65},
        {"held": [LEASE] * 40_000},
    ],
)
def test_a_pull_that_makes_no_sense_is_refused(
    lab: Lab, agent: httpx.Client, wrong: dict[str, Any]
) -> None:
    NATIVE.refused(agent.post(PULL, json={**pull_of(lab.device), **wrong}), 400)


@for_each("name", ["-a", "a b", "a" * 64, "a%00b", "%C3%A4"])
def test_an_agent_of_such_a_name_is_refused(lab: Lab, agent: httpx.Client, name: str) -> None:
    NATIVE.refused(agent.post(f"/v1/pilots/{name}/pull", json=pull_of(lab.device)), 400)


OLD_REQUESTS = (
    ("POST", "/v1/devices/{device}/leases"),
    ("POST", "/v1/leases/x/renew"),
    ("POST", "/v1/leases/x/finish"),
    ("POST", "/v1/leases/x/release"),
    ("DELETE", "/v1/agent/devices/{device}/agents/0123456789abcdef"),
)


@for_each("method, path", OLD_REQUESTS)
def test_an_agent_older_than_the_server_is_told_what_to_do(
    lab: Lab, agent: httpx.Client, method: str, path: str
) -> None:
    answer = agent.request(method, path.format(device=lab.device))
    NATIVE.refused(answer, 410)
    assert "start `qwicket agent` again" in answer.json()["detail"]


# --- outcomes -------------------------------------------------------------------------------------


def arrays(**changes: Array | None) -> Outcome:
    known = {"keys": KEYS, "counts": COUNTS, **changes}
    return outcome(arrays={name: array for name, array in known.items() if array is not None})


HOSTILE: dict[str, Callable[[], dict[str, Any]]] = {
    "wrong hash": lambda: {**part(outcome()), "sha256": "0" * 64},
    "no hash": lambda: {"outcome": part(outcome())["outcome"]},
    "hash that is none": lambda: {**part(outcome()), "sha256": "x" * 64},
    "no base64": lambda: {"outcome": "*", "sha256": "0" * 64},
    "outcome and error": lambda: {**part(outcome()), "error": {"code": "x", "message": "y"}},
    "error with an odd code": lambda: {"error": {"code": "a\0b", "message": "y"}},
    "error with much text": lambda: {"error": {"code": "x", "message": "y" * 4_000}},
    "nothing": dict,
    "empty": lambda: packed(b""),
    "no msgpack": lambda: packed(b"\xc1"),
    "a number": lambda: packed(b"\x07"),
    "deep msgpack": lambda: packed(b"\x91" * 200_000 + b"\x90"),
    "a list of four billion": lambda: packed(b"\xdd\xff\xff\xff\xff"),
    "no zlib": lambda: packed(b"x" * 5_000),
    "cut zlib": lambda: packed(zlib.compress(msgspec.msgpack.encode(outcome()))[:-5]),
    "zlib and more": lambda: packed(zlib.compress(msgspec.msgpack.encode(outcome())) + b"more"),
    "zlib bomb": lambda: packed(zlib.compress(bytes(300 << 20), 9)),
    "zlib in zlib": lambda: packed(zlib.compress(zlib.compress(bytes(1 << 20)))),
    "no arrays": lambda: part(outcome(arrays={})),
    "no counts": lambda: part(arrays(counts=None)),
    "memory that nobody asked for": lambda: part(
        arrays(memory=Array("|u1", (SHOTS, 1), bytes(SHOTS)))
    ),
    "vote": lambda: part(arrays(sharpened=Array("<f8", (1,), bytes(8)))),
    "an array of a strange name": lambda: part(arrays(**{"x" * 4_000: KEYS})),
    "samples": lambda: part(outcome(arrays={"samples": Array("<i2", (SHOTS, 1), bytes(40))})),
    "other registers": lambda: part(outcome(registers=(("d", 2),))),
    "wider registers": lambda: part(outcome(registers=(("c", 2**40),))),
    "too few shots": lambda: part(arrays(counts=Array("<i8", (1,), int64s(SHOTS - 1)))),
    "negative counts": lambda: part(
        arrays(keys=Array("|u1", (2, 1), b"\0\1"), counts=Array("<i8", (2,), int64s(-1, SHOTS + 1)))
    ),
    "counts that wrap around": lambda: part(
        arrays(
            keys=Array("|u1", (3, 1), b"\0\1\2"),
            counts=Array("<i8", (3,), int64s(2**63 - 1, 2**63 - 1, SHOTS + 2)),
        )
    ),
    "a key twice": lambda: part(
        arrays(keys=Array("|u1", (2, 1), b"\0\0"), counts=Array("<i8", (2,), int64s(10, 10)))
    ),
    "a key of too many bits": lambda: part(arrays(keys=Array("|u1", (1, 1), b"\4"))),
    "keys that are numbers": lambda: part(arrays(keys=Array("<i8", (1, 1), bytes(8)))),
    "counts of another type": lambda: part(arrays(counts=Array("<f8", (1,), bytes(8)))),
    "objects": lambda: part(arrays(counts=Array("|O", (1,), bytes(8)))),
    "no dtype": lambda: part(arrays(counts=Array("\0" * 4_000, (1,), bytes(8)))),
    "shape without data": lambda: part(arrays(keys=Array("|u1", (2**40, 1), b"\0"))),
    "negative shape": lambda: part(arrays(keys=Array("|u1", (-1, -1), b"\0"))),
    "flat keys": lambda: part(arrays(keys=Array("|u1", (1,), b"\0"))),
    "no keys": lambda: part(arrays(keys=Array("|u1", (0, 1), b""), counts=Array("<i8", (0,), b""))),
    "a note that is none": lambda: part(outcome(notes=("<script>",))),
    "a long engine": lambda: part(outcome(engine="x" * 4_000)),
    "NUL in the engine": lambda: part(outcome(engine="a\0b")),
    "seconds that are no number": lambda: part(outcome(seconds=math.nan)),
    "endless seconds": lambda: part(outcome(seconds=math.inf)),
    "negative seconds": lambda: part(outcome(seconds=-1.0)),
    "a huge seed": lambda: part(outcome(seed=2**64 - 1)),
}


@for_each("hostile", HOSTILE)
def test_a_hostile_outcome_is_refused_and_the_job_goes_on(
    pilot: RawAgent, http: httpx.Client, hostile: str
) -> None:
    with lease_in_hand(pilot, http) as held:
        sent = pilot.end(held, parts=[HOSTILE[hostile]()])
        NATIVE.refused(sent, 400)
        assert len(sent.content) < 2_000
        assert http.get(f"/v1/jobs/{held['id']}").json()["state"] == "running"


ABUNDANT: dict[str, Any] = {
    "family": "atoms",
    "spec": {
        "description": "Many wires",
        "qubits": 20,
        "formats": ["qlued.lab"],
        "outputs": ["samples"],
        "shot_s": 1e-6,
    },
}


def test_results_that_are_several_for_one_job_or_too_many_are_refused(
    pilot: RawAgent, held: Held
) -> None:
    """Each may take seconds to check, while other labs wait."""
    result = {**held, "parts": [part(outcome())]}
    assert NATIVE.names(pilot.report([result] * 2), "results")
    assert NATIVE.names(pilot.report([result] * 65), "results")
    assert NATIVE.names(pilot.report(releases=[{**held, "reason": "x"}] * 65), "releases")


@pytest.mark.parametrize("number", [0, 2, 5_001])
def test_too_few_or_too_many_parts_are_refused(pilot: RawAgent, held: Held, number: int) -> None:
    failed = {"error": {"code": "x", "message": "y"}}
    assert NATIVE.names(pilot.end(held, parts=[failed] * number), "parts")


@pytest.mark.extended
def test_an_outcome_as_large_as_jobs_may_ask_for_is_taken(
    server: LiveServer, http: httpx.Client, tmp_path: Path
) -> None:
    """The limits of a program and of an outcome fit: 20 million numbers, which hardly compress."""
    shots, columns = 1_000_000, 20
    readings = [["measure", [wire], []] for wire in range(columns)]
    experiment = {"instructions": readings, "num_wires": columns, "shots": shots}
    with Lab(server, tmp_path, device="abundant", kind=ATOMS) as lab, lab.http() as agent:
        agent.put(f"/v1/agent/devices/{lab.device}", json=ABUNDANT)
        body = {
            "device": lab.device,
            "format": "qlued.lab",
            "outputs": ["samples"],
            "program": {"experiment_0": experiment},
        }
        job = http.post("/v1/jobs", json=body).json()["id"]
        pilot = RawAgent(agent, lab.device, AGENT)
        lease = pilot.claimed()
        numbers = random.Random(1).randbytes(2 * shots * columns)
        samples = {"samples": Array("<i2", (shots, columns), numbers)}
        done = pilot.end(lease, parts=[part(outcome(registers=(), arrays=samples))])
        assert done.json()["states"] == {job: "completed"}


def test_a_huge_outcome_is_refused_by_its_size(pilot: RawAgent, held: Held) -> None:
    try:
        response = pilot.end(held, parts=[{"outcome": "A" * (65 << 20), "sha256": "0" * 64}])
    except httpx.WriteError:
        return  # refused before it was sent
    NATIVE.refused(response, 413)


@for_each(
    "body", [{"seconds": -1}, {"seconds": 1e300}, {"seconds": "1"}, {"error": {}}, {"more": 1}]
)
def test_a_report_that_makes_no_sense_is_refused(
    pilot: RawAgent, http: httpx.Client, body: dict[str, Any]
) -> None:
    with lease_in_hand(pilot, http) as held:
        NATIVE.refused(pilot.end(held, **{"parts": [part(outcome())], **body}), 400)


def test_samples_that_do_not_fit_the_program_are_refused(
    server: LiveServer, http: httpx.Client, tmp_path_factory: pytest.TempPathFactory
) -> None:
    program = {"experiment_0": {"instructions": [["measure", [0], []]], "num_wires": 1, "shots": 3}}
    folder = tmp_path_factory.mktemp("atoms")
    with Lab(server, folder, device="abusedatoms", kind=ATOMS) as lab, lab.http() as agent:
        body = {"device": lab.device, "format": "qlued.lab", "program": program}
        job = http.post("/v1/jobs", json={**body, "outputs": ["samples"]}).json()["id"]
        pilot = RawAgent(agent, lab.device, AGENT)
        lease = pilot.claimed()
        assert lease["id"] == job

        def send(samples: Array, **more: Any) -> httpx.Response:
            given = outcome(registers=(), arrays={"samples": samples}, **more)
            return pilot.end(lease, parts=[part(given)])

        for samples in (
            Array("<i2", (2, 1), bytes(4)),
            Array("<i2", (3, 2), bytes(12)),
            Array("<i2", (3,), bytes(6)),
            Array("<i2", (), b""),
            Array("<i2", (3, 1, 1), bytes(6)),
            Array("<f8", (3, 1), bytes(24)),
            Array("<i2", (3, 1), bytes(5)),
            Array("<i2", (3, -1), bytes(6)),
        ):
            NATIVE.refused(send(samples), 400)
        assert send(Array("<i2", (3, 1), bytes(6))).status_code == 200


@pytest.mark.parametrize("kind", ["parts", "error"])
def test_a_lab_cannot_charge_more_time_than_it_held_the_job(
    server: LiveServer, pilot: RawAgent, http: httpx.Client, kind: str
) -> None:
    submitted(pilot.device, http)
    error = {"code": "failed", "message": "so it says"}
    report: Any = error if kind == "error" else [part(outcome())]
    sent = pilot.end(pilot.claimed(), seconds=1e7, **{kind: report})
    assert states(sent) in (["completed"], ["failed"])
    assert used_s(server) < 1e6
