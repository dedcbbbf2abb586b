"""The IonQ dialect over HTTP, beyond what its clients read: fields, limits, lists, artifacts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from qwicket.vendors.ionq.dialect import jobs
from support.for_each import for_each
from support.held import held_job
from support.ionq import hold_to_description
from support.programs import BELL
from support.server import LiveServer
from support.waiting import PROMPT_S, until

NEW, OLD = "/ionq/v0.4", "/ionq/v0.3"
TYPE = {NEW: {"type": "ionq.circuit.v1", "backend": "simulator"}, OLD: {"target": "simulator"}}
X = [{"gate": "x", "target": 0}]
NOISY = [{"gate": "x", "target": 0}, {"gate": "h", "target": 1}] * 10


@pytest.fixture(scope="module")
def http(server: LiveServer) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"apiKey {server.token('dialect')}"}
    with httpx.Client(base_url=server.url, timeout=60, verify=False, headers=headers) as client:
        hold_to_description(client)
        yield client


def submit(http: httpx.Client, prefix: str = NEW, **fields: Any) -> str:
    answer = http.post(f"{prefix}/jobs", json={**TYPE[prefix], "input": BELL, **fields})
    assert answer.status_code in (200, 201), answer.text
    return str(answer.json()["id"])


def done(http: httpx.Client, prefix: str = NEW, **fields: Any) -> dict[str, Any]:
    job = submit(http, prefix, **fields)

    def completed() -> Any:
        found = http.get(f"{prefix}/jobs/{job}").json()
        assert found["status"] != "failed", found
        return found if found["status"] == "completed" else None

    found: dict[str, Any] = until(completed, "the job completes", timeout_s=60)
    return found


def results(http: httpx.Client, job: str, what: str = "probabilities", **query: str) -> Any:
    answer = http.get(f"{NEW}/jobs/{job}/results/{what}", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def refused(answer: httpx.Response, status: int = 400) -> str:
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert body.keys() == {"statusCode", "error", "message"}
    return str(body["message"])


# --- fields ---------------------------------------------------------------------------------------

ANY = (b"null", b"true", b"-1", b"1.5", b"1e400", b"9" * 4000, b'""', b"[]", b'"x"', b"[[1]]")
FIELDS: dict[str, tuple[bytes, ...]] = {
    "target": (*ANY, b"{}"),
    "input": (*ANY, b"{}"),
    "shots": (b"null", b"true", b"-1", b"0", b"1.5", b"1e400", b'""', b'"x"', b"[]", b"9" * 4000),
    "name": (b"true", b"1", b"[]", b"{}", b'"' + b"x" * 256 + b'"'),
    "metadata": (b"true", b"1", b"[]", b'"x"'),
    "settings": (b"true", b"1", b"[]", b'"x"'),
    "registers": (b"true", b"1", b"[]", b'"x"'),
    "noise": (b"true", b"1", b"[]", b'{"model":1}', b'{"model":"x"}', b'{"seed":-1}'),
    "error_mitigation": (b"true", b"1", b"[]", b'{"debias":1}', b'{"debias":"x"}'),
    "session_id": (b"true", b"1", b"[]", b"{}", b'"x"'),
    "dry_run": (b"1", b'"x"', b"[]", b"{}"),
}


@for_each("field", FIELDS)
def test_a_wrong_field_of_v0_3_is_refused_by_name(http: httpx.Client, field: str) -> None:
    whole = {"target": b'"simulator"', "input": json.dumps(BELL).encode()}
    for value in (*FIELDS[field], b"NaN"):
        sent = b",".join(b'"%s":%s' % (k.encode(), v) for k, v in {**whole, field: value}.items())
        said = refused(http.post(f"{OLD}/jobs", content=b"{" + sent + b"}"))
        if value != b"NaN" and field != "input":
            word = "backend" if field == "target" else field
            assert word in said or field in said, (value[:20], said)
    for missing in ("target", "input"):
        left = {**TYPE[OLD], "input": BELL}
        del left[missing]
        assert refused(http.post(f"{OLD}/jobs", json=left)) == f"{missing} is missing."


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"error_mitigation": 1}, "settings.error_mitigation"),
        ({"error_mitigation": {"debiasing": "x"}}, "settings.error_mitigation.debiasing"),
        ({"error_mitigation": {"symmetry_verification": 1}}, "symmetry_verification"),
    ],
)
def test_a_wrong_setting_is_refused_by_its_path(
    http: httpx.Client, settings: dict[str, Any], said: str
) -> None:
    body = {**TYPE[NEW], "input": BELL, "settings": settings}
    assert said in refused(http.post(f"{NEW}/jobs", json=body))


def sent(http: httpx.Client, type_: str, program: Any) -> httpx.Response:
    return http.post(f"{NEW}/jobs", json={"type": type_, "backend": "simulator", "input": program})


def test_too_many_circuits_and_gates_are_refused_by_the_name_of_their_limit(
    http: httpx.Client,
) -> None:
    one, many = "ionq.circuit.v1", "ionq.multi-circuit.v1"
    program: dict[str, Any] = {"qubits": 1, "circuits": [{"circuit": X}] * 5_001}
    assert "circuits: 5001 is above the limit of 5000" in refused(sent(http, many, program))
    program = {"qubits": 1, "circuit": X * 150_001}
    said = "ionq_gates: 150001 is above the limit of 150000"
    assert said in refused(sent(http, one, program))
    program = {"qubits": 1, "circuits": [{"circuit": X * 50_001}] * 3}
    assert "ionq_gates: 150003" in refused(sent(http, many, program))


def test_types_that_are_not_spoken_and_programs_of_another_type_are_refused(
    http: httpx.Client,
) -> None:
    assert "quantum-function" in refused(sent(http, "quantum-function", BELL))
    assert refused(sent(http, "ionq.multi-circuit.v1", BELL)) == "input.circuits is missing."
    assert "input.data" in refused(sent(http, "ionq.qasm3.v1", {"data": 5}))
    said = refused(sent(http, "ionq.qasm3.v1", {"data": "OPENQASM 3.0; qubit q"}))
    assert said.startswith("line 1, column 22")


@for_each(
    "query",
    ["limit=0", "limit=x", "limit=1001", "next=x", "next=0", "status=odd", "next=" + "9" * 30],
)
@for_each("path", ["/jobs", "/sessions"])
def test_an_odd_query_of_a_list_is_refused_by_name(
    http: httpx.Client, path: str, query: str
) -> None:
    if path == "/sessions" and query.startswith("status"):
        return
    assert query.partition("=")[0] in refused(http.get(f"{NEW}{path}?{query}"))


def test_sessions_are_listed_to_the_last(server: LiveServer) -> None:
    with httpx.Client(base_url=server.url, timeout=60) as http:
        http.headers["Authorization"] = f"apiKey {server.token(server.unused('opener'))}"
        made = [
            http.post(f"{NEW}/sessions", json={"backend": "simulator"}).json()["id"]
            for _ in range(5)
        ]
        found, query = [], {"limit": "2"}
        while True:
            page = http.get(f"{NEW}/sessions", params=query).json()
            found += [each["id"] for each in page["sessions"]]
            if "next" not in page:
                break
            query["next"] = page["next"]
        assert found == made[::-1]


@pytest.mark.parametrize(
    "query", ["", "backend=simulator&shots=x", "backend=simulator&1q_gates=-1"]
)
def test_an_estimate_of_nonsense_is_refused_by_name(http: httpx.Client, query: str) -> None:
    name = query.rpartition("&")[2].partition("=")[0] or "backend"
    assert name in refused(http.get(f"{NEW}/jobs/estimate?{query}"))


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"job_count_limit": 0}, "job_count_limit"),
        ({"job_count_limit": 1.5}, "job_count_limit"),
        ({"duration_limit_min": -1}, "duration_limit_min"),
        ({"duration_limit_min": 10**9}, "group_life_s"),
        ({"cost_limit": {"unit": "usd", "value": -1}}, "cost_limit.value"),
        ({"cost_limit": {"unit": "x" * 17, "value": 1}}, "cost_limit.unit"),
        ({"cost_limit": 5}, "cost_limit"),
    ],
)
def test_a_wrong_limit_of_a_session_is_refused_by_name(
    http: httpx.Client, settings: dict[str, Any], field: str
) -> None:
    body = {"backend": "simulator", "settings": settings}
    assert field in refused(http.post(f"{NEW}/sessions", json=body))
    assert "backend" in refused(http.post(f"{NEW}/sessions", json={"backend": "qpu.none"}))


# --- jobs -----------------------------------------------------------------------------------------


def test_a_status_poll_of_a_hundred_circuits_is_small(http: httpx.Client) -> None:
    """Children are named when the job has ended: their ids alone are 4 kB."""
    blockers = [submit(http, input=held_job().program) for _ in range(3)]
    program = {"qubits": 1, "circuits": [{"circuit": X}] * 100}
    metadata = {"qiskit_header": "H4sI" * 2_000}
    job = submit(http, type="ionq.multi-circuit.v1", input=program, metadata=metadata)
    poll = http.get(f"{NEW}/jobs/{job}")
    assert poll.json()["status"] == "ready"
    assert poll.json()["stats"]["circuits"] == 100
    assert len(poll.content) - len(json.dumps(metadata)) < 2_000
    assert http.delete(f"{NEW}/jobs/{job}").json() == {"id": job, "status": "deleted"}
    assert http.get(f"{NEW}/jobs/{job}").status_code == 404
    for blocker in blockers:
        http.delete(f"{NEW}/jobs/{blocker}")


def test_a_hundred_circuits_end_and_have_readable_children(http: httpx.Client) -> None:
    circuits = [{"circuit": X * (n % 2), "name": f"c{n}"} for n in range(100)]
    found = done(http, type="ionq.multi-circuit.v1", input={"qubits": 1, "circuits": circuits})
    aggregated = results(http, found["id"], "probabilities/aggregated")
    assert [*aggregated] == found["child_job_ids"]
    assert [*aggregated.values()] == [{str(n % 2): 1.0} for n in range(100)]
    listed = http.get(f"{NEW}/jobs", params={"parent_job_id": found["id"]}).json()["jobs"]
    assert [each["name"] for each in listed] == [f"c{n}" for n in range(100)]
    assert results(http, listed[7]["id"]) == {"1": 1.0}
    assert refused(http.get(f"{NEW}/jobs/{found['id']}/results/shots"), 404)


def test_lists_are_filtered(http: httpx.Client) -> None:
    session = http.post(f"{NEW}/sessions", json={"backend": "qpu.aria-1"}).json()["id"]
    inside = done(http, backend="qpu.aria-1", session_id=session)["id"]
    outside = done(http)["id"]

    def listed(**query: str) -> list[str]:
        found = http.get(f"{NEW}/jobs", params={"limit": "100", **query}).json()
        return [each["id"] for each in found["jobs"]]

    assert listed(session_id=session) == [inside]
    assert inside in listed(target="qpu.aria-1")
    assert outside not in listed(target="qpu.aria-1")
    assert {inside, outside} <= set(listed(target="qpu.aria-1,simulator"))
    assert listed(ids=f"{outside},{inside},0") == [outside, inside]
    assert {inside, outside} <= set(listed(status="completed"))
    assert not {inside, outside} & set(listed(status="queued"))
    assert listed(submitter_id="somebody") == []


@pytest.mark.parametrize("prefix", [NEW, OLD])
def test_a_submission_is_ready_and_no_job_is_submitted(http: httpx.Client, prefix: str) -> None:
    """By IonQ's document it is `submitted`: a status that filters know, and that no job has."""
    answer = http.post(f"{prefix}/jobs", json={**TYPE[prefix], "input": BELL})
    assert answer.json()["status"] == "ready"
    job = answer.json()["id"]
    found = http.get(f"{prefix}/jobs", params={"status": "submitted"})
    assert found.status_code == 200, found.text
    assert found.json()["jobs"] == []
    assert job in [each["id"] for each in http.get(f"{prefix}/jobs").json()["jobs"]]


def test_a_clone_is_ready(http: httpx.Client) -> None:
    assert http.post(f"{NEW}/jobs/{submit(http)}/clone", json={}).json()["status"] == "ready"


def listed(http: httpx.Client, **query: str) -> tuple[list[str], list[int]]:
    """Return the ids in all pages of a list, and the bytes of each page."""
    ids: list[str] = []
    sizes: list[int] = []
    further: dict[str, str] = {}
    while True:
        answer = http.get(f"{NEW}/jobs", params={**query, **further})
        assert answer.status_code == 200, answer.text
        sizes.append(len(answer.content))
        ids += [each["id"] for each in answer.json()["jobs"]]
        if answer.json()["next"] is None:
            return ids, sizes
        further = {"next": answer.json()["next"]}


MAX_PAGE_BYTES = 6 << 20
"""A page ends with the job that takes it above 4 MB; one job shows two documents of 1 MB."""


def test_jobs_listed_by_their_ids_come_in_pages_of_bounded_bytes(http: httpx.Client) -> None:
    long = {"k": "x" * 1_000_000}
    jobs = [done(http, metadata=long)["id"] for _ in range(6)]
    ids, sizes = listed(http, ids=",".join(jobs))
    assert ids == jobs
    assert len(sizes) == 2
    assert max(sizes) < MAX_PAGE_BYTES
    assert listed(http, ids=",".join(jobs[:3]), limit="2")[0] == jobs[:3]
    for job in jobs:
        http.delete(f"{NEW}/jobs/{job}")


def test_children_of_a_job_come_in_pages_of_bounded_bytes(http: httpx.Client) -> None:
    circuits = [{"circuit": X}] * 1_500
    settings = {"note": "x" * 10_000}
    found = done(
        http,
        type="ionq.multi-circuit.v1",
        input={"qubits": 1, "circuits": circuits},
        settings=settings,
    )
    ids, sizes = listed(http, parent_job_id=found["id"])
    assert ids == found["child_job_ids"]
    assert max(sizes) < MAX_PAGE_BYTES
    first = http.get(f"{NEW}/jobs", params={"parent_job_id": found["id"], "limit": "3"}).json()
    assert [each["id"] for each in first["jobs"]] == ids[:3]


def test_what_is_kept_of_each_circuit_is_bounded(http: httpx.Client) -> None:
    """It is read with every look at the job or one of its children."""
    long = [{"circuit": X, "registers": {"note": "x" * 2_000}, "name": "n"}] * 1_000
    body = {**TYPE[OLD], "input": {"qubits": 1, "circuits": long}}
    said = refused(http.post(f"{OLD}/jobs", json=body))
    assert "input.circuits" in said
    assert "document_bytes" in said
    wide = [{"circuit": X, "registers": {"meas_mapped": list(range(29))}}] * 5_000
    fitting = {"qubits": 29, "circuits": wide}
    noise = {"model": "aria-1"}
    # What clients send of 5,000 wide circuits fits.
    job = submit(http, OLD, **TYPE[OLD], input=fitting, shots=1, noise=noise)
    http.delete(f"{OLD}/jobs/{job}")


@pytest.mark.parametrize("prefix", [NEW, OLD])
def test_a_key_makes_one_job_of_a_submission_however_often_it_comes(
    http: httpx.Client, prefix: str
) -> None:
    body = {**TYPE[prefix], "input": BELL, "name": f"keyed {prefix}"}
    headers = {"Idempotency-Key": f"k {prefix}"}

    def submitted() -> httpx.Response:
        return http.post(f"{prefix}/jobs", json=body, headers=headers)

    with ThreadPoolExecutor(8) as threads:
        answers = [each.result() for each in [threads.submit(submitted) for _ in range(16)]]
    assert {each.status_code for each in answers} == {200 if prefix == OLD else 201}
    assert len({each.json()["id"] for each in answers}) == 1
    job = answers[0].json()["id"]
    until(lambda: http.get(f"{NEW}/jobs/{job}").json()["status"] == "completed", "it completes")
    assert submitted().json()["id"] == job, "one that has ended is still that one"
    said = refused(http.post(f"{prefix}/jobs", json={**body, "shots": 7}, headers=headers), 422)
    assert "idempotency key" in said.lower()


def test_a_key_is_its_accounts_own_and_has_a_length(http: httpx.Client, server: LiveServer) -> None:
    body, headers = {**TYPE[NEW], "input": BELL}, {"Idempotency-Key": "mine"}
    mine = http.post(f"{NEW}/jobs", json=body, headers=headers).json()["id"]
    other = {**headers, "Authorization": f"apiKey {server.token('another')}"}
    assert http.post(f"{NEW}/jobs", json=body, headers=other).json()["id"] != mine
    for key in ("", "x" * 256):
        answer = http.post(f"{NEW}/jobs", json=body, headers={"Idempotency-Key": key})
        assert "Idempotency-Key" in refused(answer)


def test_a_clone_under_a_key_is_made_once(http: httpx.Client) -> None:
    job, headers = submit(http), {"Idempotency-Key": "clone"}
    answers = [http.post(f"{NEW}/jobs/{job}/clone", json={}, headers=headers) for _ in range(2)]
    assert len({each.json()["id"] for each in answers}) == 1


def test_a_crowd_of_programs_of_one_account_is_read_in_turn_and_none_refused(
    http: httpx.Client,
) -> None:
    """The native dialect returns 429 from the 17th on; these clients would stop or repeat."""
    gates = [{"gate": "rx", "target": 0, "rotation": 0.1}] * 2_000
    body = {**TYPE[NEW], "input": {"qubits": 1, "circuit": gates}}
    with ThreadPoolExecutor(40) as pool:
        sent = [pool.submit(http.post, f"{NEW}/jobs", json=body) for _ in range(40)]
        assert {each.result().status_code for each in sent} == {201}


def test_a_waiting_job_knows_when_it_is_expected_to_start(http: httpx.Client) -> None:
    jobs = [submit(http, input=held_job().program) for _ in range(4)]
    last = http.get(f"{NEW}/jobs/{jobs[-1]}").json()
    assert last["status"] in ("ready", "submitted")
    until(  # the forecast may be a second old, and know nothing of these jobs
        lambda: http.get(f"{NEW}/jobs/{jobs[-1]}").json()["predicted_wait_time_ms"] is not None,
        "a start is expected: in 0 ms, once those that run are late",
        timeout_s=PROMPT_S,
    )
    body = {"ids": jobs}
    cancelled = http.put(f"{NEW}/jobs/status/cancel", json=body).json()
    assert cancelled == {"ids": jobs, "status": "canceled"}
    assert http.get(f"{NEW}/jobs/{jobs[-1]}").json()["predicted_wait_time_ms"] is None
    unknown = {"ids": [*jobs, "0"]}
    assert refused(http.request("DELETE", f"{NEW}/jobs", json=unknown), 404)
    assert http.get(f"{NEW}/jobs/{jobs[0]}").status_code == 200, "all are deleted, or none"
    assert http.request("DELETE", f"{NEW}/jobs", json=body).json()["status"] == "deleted"


def test_what_was_asked_in_vain_is_a_warning(http: httpx.Client) -> None:
    mitigation = {"debiasing": True, "symmetry_verification": True}
    found = done(http, shots=500, settings={"error_mitigation": mitigation})
    assert [text.split()[0] for text in found["warning"]["messages"]] == ["Debiasing", "Symmetry"]
    assert results(http, found["id"], sharpen="true") == {"0": 0.5, "3": 0.5}
    on_twin = done(http, backend="qpu.aria-1", shots=500, settings={"error_mitigation": mitigation})
    assert len(on_twin["warning"]["messages"]) == 1


def test_a_debiased_result_is_averaged_or_voted_for(http: httpx.Client) -> None:
    settings = {"error_mitigation": {"debiasing": True}}
    job = done(http, backend="qpu.aria-1", shots=1_000, settings=settings)["id"]
    averaged = results(http, job)
    assert all(round(1_000 * p) / 1_000 == p for p in averaged.values())
    voted = results(http, job, sharpen="true")
    assert voted == results(http, job, aggregation="voting") != averaged
    assert set(voted) <= {"0", "3"}
    assert sum(voted.values()) == pytest.approx(1)
    assert averaged == results(http, job, sharpen="False") == results(http, job, sharpen="x")
    answer = http.get(f"{NEW}/jobs/{job}/results/probabilities?aggregation=dnl")
    assert refused(answer).startswith("aggregation")


def test_counts_shots_and_frequencies_agree(http: httpx.Client) -> None:
    program = {"qubits": 2, "circuit": NOISY}
    noise = {"model": "harmony", "seed": 11}
    jobs = [done(http, shots=400, noise=noise, input=program)["id"] for _ in range(2)]
    counts = results(http, jobs[0], "histogram")
    assert sum(counts.values()) == 400
    assert results(http, jobs[1], "histogram") == counts
    shots = results(http, jobs[0], "shots")
    assert {key: shots.count(key) for key in counts} == counts
    assert results(http, jobs[0]) == {key: n / 400 for key, n in counts.items()}
    assert results(http, jobs[0], "shots") == shots != sorted(shots)


QASM3 = """OPENQASM 3.0;
include "stdgates.inc";
bit[2] a;
bit[1] b;
qubit[2] q;
x q[1];
a[0] = measure q[0];
a[1] = measure q[1];
reset q[1];
b[0] = measure q[1];
"""


def test_registers_of_openqasm_3_keep_their_names(http: httpx.Client) -> None:
    found = done(http, type="ionq.qasm3.v1", input={"data": QASM3}, shots=5)

    def artifact(form: str) -> Any:
        entry = found["results"][form]
        return http.get(f"{NEW}/jobs/{found['id']}/artifacts/{entry['id']}").json()

    shots = artifact("ionq.result.shots.json.v2")["shots"]
    assert shots == [{"registers": {"a": [0, 1], "b": [0]}}] * 5
    named = artifact("ionq.result.probabilities.json.v2")["probabilities"]["registers"]
    assert named == {"a": {"10": 1.0}, "b": {"0": 1.0}}
    counted = artifact("ionq.result.histogram.json.v2")["histogram"]["registers"]
    assert counted == {"a": {"10": 5}, "b": {"0": 5}}
    assert results(http, found["id"]) == {"2": 1.0}


# --- compiled circuits ----------------------------------------------------------------------------

NATIVE = "ionq.native.v1"


def native(http: httpx.Client, found: dict[str, Any]) -> httpx.Response:
    entry = found["output"]["compilation"]["compiled_circuits"][NATIVE]
    assert (entry["format"], entry["media_type"]) == (NATIVE, "application/json")
    return http.get(f"{NEW}/jobs/{found['id']}/artifacts/{entry['id']}")


@pytest.mark.parametrize(
    ("fields", "own"),
    [
        ({}, "ms"),
        ({"noise": {"model": "forte-1"}}, "zz"),
        ({"backend": "qpu.aria-1"}, "ms"),
        ({"backend": "qpu.forte-1"}, "zz"),
        ({"dry_run": True}, "ms"),
    ],
)
def test_a_compiled_circuit_runs_as_the_circuit_does(
    http: httpx.Client, fields: dict[str, Any], own: str
) -> None:
    turn = {"gate": "ry", "target": 1, "rotation": 0.7}
    circuit = {**BELL, "circuit": [*BELL["circuit"], turn, {"gate": "swap", "targets": [0, 1]}]}
    compiled = native(http, done(http, input=circuit, **fields)).json()
    assert compiled.keys() == {"qubits", "circuit"}
    assert {gate["gate"] for gate in compiled["circuit"]} <= {"gpi", "gpi2", own}
    again = done(http, input={"gateset": "native", **compiled})
    first = results(http, done(http, input=circuit)["id"])
    assert results(http, again["id"]) == pytest.approx(first, abs=1e-9)


def test_each_of_several_circuits_is_compiled_by_its_own_job(http: httpx.Client) -> None:
    whole = done(
        http,
        type="ionq.multi-circuit.v1",
        input={"qubits": 2, "circuits": [{"circuit": X}, {"circuit": BELL["circuit"]}]},
    )
    assert whole["output"] == {}
    children = [http.get(f"{NEW}/jobs/{child}").json() for child in whole["child_job_ids"]]
    one, two = (native(http, child).json() for child in children)
    (flip,) = one["circuit"]
    assert flip == {"gate": "gpi", "target": 0, "phase": pytest.approx(0.0, abs=1e-12)}
    assert [gate["gate"] for gate in two["circuit"]].count("ms") == 1


def test_what_is_not_compiled_is_refused_with_the_reason(http: httpx.Client) -> None:
    terms = {"terms": ["XI", "ZZ"], "coefficients": [0.3, 0.4], "time": 1.0}
    circuit = [{"gate": "pauliexp", "targets": [0, 1], **terms}]
    found = done(http, input={"qubits": 2, "circuit": circuit})
    assert "do not commute" in refused(native(http, found))


def test_openqasm_3_has_no_compiled_circuit(http: httpx.Client) -> None:
    found = done(http, type="ionq.qasm3.v1", input={"data": QASM3}, shots=5)
    assert found["output"] == {}
    id_text = jobs.artifact_id(found["id"], NATIVE)
    refused(http.get(f"{NEW}/jobs/{found['id']}/artifacts/{id_text}"), 404)


def test_what_has_not_run_has_no_compiled_circuit(http: httpx.Client) -> None:
    job = submit(http, input=held_job().program)
    try:
        assert http.get(f"{NEW}/jobs/{job}").json()["output"] == {}
        refused(http.get(f"{NEW}/jobs/{job}/artifacts/{jobs.artifact_id(job, NATIVE)}"), 404)
    finally:
        http.put(f"{NEW}/jobs/{job}/status/cancel")


def test_a_clone_may_differ(http: httpx.Client) -> None:
    first = done(http, metadata={"k": "v"}, name="one", noise={"model": "aria-1", "seed": 4})
    answer = http.post(f"{NEW}/jobs/{first['id']}/clone", json={"backend": "qpu.forte-1"})
    assert "noise.model" in refused(answer), "a twin has no noise models"
    changes = {"noise": {"model": "ideal"}, "shots": "7", "name": "two", "metadata": {"k": "w"}}
    answer = http.post(f"{NEW}/jobs/{first['id']}/clone", json=changes)
    second = http.get(f"{NEW}/jobs/{answer.json()['id']}").json()
    assert (answer.status_code, second["shots"], second["name"]) == (201, 7, "two")
    assert (second["metadata"], second["noise"]["model"]) == ({"k": "w"}, "ideal")


def test_calibrations_are_paged_between_times(http: httpx.Client) -> None:
    path = f"{NEW}/backends/qpu.aria-1/characterizations"
    assert len(http.get(path).json()["characterizations"]) == 1
    assert http.get(f"{path}?page=2").json() == {"characterizations": [], "pages": 1}
    for query in ("start=2025-01-01T00:00:00Z", "start=1760000000000", "end=2024-01-01"):
        assert http.get(f"{path}?{query}").json()["characterizations"] == []
    assert "start" in refused(http.get(f"{path}?start=yesterday"))
    old = http.get(f"{OLD}/characterizations/backends/qpu.aria-1/current").json()
    assert old["date"] == 1_729_728_000  # 2024-10-24, a number in version 0.3
    assert http.get(f"{NEW}/calibrations/current").json()["date"] == "2024-10-24T00:00:00.000Z"
