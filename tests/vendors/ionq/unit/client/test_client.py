"""The client's surface; how it is tried again is in `test_transport.py`."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from qwicket.clients import ionq
from qwicket.clients.http import RetryPolicy
from qwicket.vendors.ionq.client import (
    DEFAULT_URL,
    Circuit,
    IonQAPIError,
    IonQClient,
    IonQClientError,
    IonQCredentialsError,
    IonQJobTimeoutError,
    IonQRetriableError,
)
from support.bad_server import BadServer, Request, answer, drop
from support.given_clock import GivenClock

KEY = "the-key-of-ada"
ID = "0d7c2f5e-1111-4222-8333-444455556666"
READY = {"id": ID, "status": "ready"}
STARTED = {"id": ID, "status": "started"}
COMPLETED = {"id": ID, "status": "completed"}
CLOSE = {"Connection": "close"}
"""Else the next request may go to a connection that the server is about to close."""
QUICK = RetryPolicy(max_attempts=3, total_s=5.0, first_pause_s=0.01, max_pause_s=0.02)


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("IONQ_API_KEY", raising=False)
    monkeypatch.delenv("IONQ_API_URL", raising=False)


def client(server: BadServer, version: str = "v0.4", **options: Any) -> IonQClient:
    made = IonQClient(KEY, f"{server.url}/{version}", **options)
    made.retry_policy = QUICK
    return made


def query(request: Request) -> dict[str, str]:
    pairs = parse_qs(urlsplit(request.path).query, keep_blank_values=True)
    return {name: ",".join(values) for name, values in pairs.items()}


# --- what a client is made of ----------------------------------------------------------------


def test_the_surface_is_that_of_the_original() -> None:
    # The documented page of qiskit_ionq.ionq_client.IonQClient (v0.3), and estimate_job of 1.1.1.
    surface: dict[Callable[..., object], str] = {
        IonQClient: "token url custom_headers",
        IonQClient.make_path: "self parts",
        IonQClient.submit_job: "self job",
        IonQClient.retrieve_job: "self job_id",
        IonQClient.cancel_job: "self job_id",
        IonQClient.delete_job: "self job_id",
        IonQClient.get_calibration_data: "self backend_name",
        IonQClient.get_results: "self job_id sharpen extra_query_params",
        IonQClient.estimate_job: (
            "self backend oneq_gates twoq_gates qubits shots error_mitigation session job_type"
        ),
    }
    for method, names in surface.items():
        parameters = list(inspect.signature(method).parameters)
        assert parameters[: len(names.split())] == names.split()
    assert isinstance(vars(IonQClient)["api_headers"], property)


def test_every_method_and_error_is_in_the_documentation() -> None:
    root = Path(__file__).parents[5]
    page = (root / "docs/clients/ionq.md").read_text("utf-8")
    names = [name for name in vars(IonQClient) if not name.startswith("_")]
    missing = [name for name in [*names, *ionq.__all__] if name not in page]
    assert missing == []


def test_a_client_keeps_what_it_is_given() -> None:
    made = IonQClient("key", "http://lab.invalid/ionq/v0.4/", {"X-Lab": "7"})
    assert (made._token, made._url) == ("key", "http://lab.invalid/ionq/v0.4")
    assert made._custom_headers == {"X-Lab": "7"}


def test_key_and_address_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IONQ_API_KEY", "from-there")
    monkeypatch.setenv("IONQ_API_URL", "http://lab.invalid/v0.3")
    made = IonQClient()
    assert (made._token, made._url) == ("from-there", "http://lab.invalid/v0.3")
    assert IonQClient("given", "http://other.invalid")._token == "given"
    assert IonQClient("given", "http://other.invalid")._url == "http://other.invalid"


def test_the_address_is_ionqs_own_by_default() -> None:
    assert IonQClient("key")._url == DEFAULT_URL == "https://api.ionq.co/v0.4"


@pytest.mark.parametrize("url", ["lab", "http://ada:pw@lab", "http://lab?key=pw"])
def test_an_address_that_cannot_be_one_is_refused(url: str) -> None:
    with pytest.raises(IonQClientError, match="address") as caught:
        IonQClient("key", url)
    assert "pw" not in str(caught.value)


@pytest.mark.parametrize("token", [None, ""])
def test_a_missing_key_is_reported_by_the_first_request_that_needs_one(token: str | None) -> None:
    with BadServer(answer(200, [])) as server:
        made = IonQClient(token, f"{server.url}/v0.4")
        assert made.list_backends() == []
        for ask in (
            lambda: made.submit_job({}),
            lambda: made.retrieve_job(ID),
            lambda: made.cancel_job(ID),
            lambda: made.get_results(ID),
        ):
            with pytest.raises(IonQCredentialsError, match="IONQ_API_KEY"):
                ask()
        assert [request.headers.get("authorization") for request in server.requests] == [None]


def test_a_path_is_below_the_address() -> None:
    made = IonQClient("key", "http://lab.invalid/v0.4/")
    assert made.make_path("jobs", "7", "results") == "http://lab.invalid/v0.4/jobs/7/results"


def test_the_clients_own_headers_win_over_custom_ones_in_any_case() -> None:
    custom = {"X-Lab": "7", "authorization": "no", "CONTENT-TYPE": "no", "User-agent": "no"}
    headers = IonQClient("key", custom_headers=custom).api_headers
    assert headers.pop("User-Agent").startswith("qwicket/")
    assert headers == {
        "X-Lab": "7",
        "Authorization": "apiKey key",
        "Content-Type": "application/json",
    }


@pytest.mark.parametrize("custom", [{"X": "a\r\nY: b"}, {"X\nY": "secret-a"}, {"X": "sécret"}])
def test_a_custom_header_that_cannot_be_sent_is_refused_and_not_quoted(custom: Any) -> None:
    with BadServer(drop()) as server:
        with pytest.raises(IonQClientError, match="must be printable ASCII") as caught:
            client(server, custom_headers=custom).retrieve_job(ID)
        assert server.connections == 0
    assert "cret" not in str(caught.value)


def test_a_client_shows_its_address_alone() -> None:
    assert repr(IonQClient(KEY, "http://lab.invalid/v0.4")) == (
        "<IonQClient of http://lab.invalid/v0.4>"
    )


# --- jobs --------------------------------------------------------------------------------------


def test_a_request_bears_key_and_custom_headers() -> None:
    with BadServer(answer(200, READY)) as server:
        client(server, custom_headers={"X-Lab": "7"}).retrieve_job(ID)
        (request,) = server.requests
    assert request.headers["authorization"] == f"apiKey {KEY}"
    assert request.headers["x-lab"] == "7"


@pytest.mark.parametrize(("version", "status"), [("v0.3", 200), ("v0.4", 201), ("v0.4", 200)])
def test_a_job_is_submitted_in_the_format_of_the_version(version: str, status: int) -> None:
    with BadServer(answer(status, READY)) as server:
        assert client(server, version).submit_job(Circuit(1).h(0)) == READY
        (request,) = server.requests
    assert (request.method, request.path) == ("POST", f"/{version}/jobs")
    assert ("target" if version == "v0.3" else "backend") in request.json
    assert "idempotency-key" not in request.headers


def test_a_submission_may_bear_an_idempotency_key() -> None:
    with BadServer(answer(201, READY)) as server:
        client(server).submit_job({}, idempotency_key="run-7")
        assert server.requests[0].headers["idempotency-key"] == "run-7"


@pytest.mark.parametrize("body", [{"shots": float("nan")}, {"gate": object()}])
def test_a_job_that_is_no_json_is_refused_before_it_is_sent(body: Any) -> None:
    with BadServer(drop()) as server:
        with pytest.raises(IonQClientError, match="The job cannot be encoded as JSON"):
            client(server).submit_job(body)
        assert server.connections == 0


@pytest.mark.parametrize(
    ("ask", "expected"),
    [
        (lambda made: made.retrieve_job("a/b"), "GET /v0.4/jobs/a%2Fb"),
        (lambda made: made.cancel_job(ID), f"PUT /v0.4/jobs/{ID}/status/cancel"),
        (lambda made: made.delete_job(ID), f"DELETE /v0.4/jobs/{ID}"),
        (lambda made: made.retrieve_session("s"), "GET /v0.4/sessions/s"),
        (lambda made: made.end_session("s"), "POST /v0.4/sessions/s/end"),
    ],
)
def test_each_method_asks_at_its_path(ask: Any, expected: str) -> None:
    with BadServer(answer(200, READY)) as server:
        assert ask(client(server)) == READY
        assert [f"{it.method} {it.path}" for it in server.requests] == [expected]


def test_several_jobs_are_cancelled_in_their_order() -> None:
    with BadServer(answer(200, READY)) as server:
        assert client(server).cancel_jobs(["a", "b"]) == [READY, READY]
        assert [request.path.split("/")[3] for request in server.requests] == ["a", "b"]


@pytest.mark.parametrize("id_text", ["", ".", "..", None, 5])
def test_what_is_no_id_names_no_other_thing(id_text: Any) -> None:
    with BadServer(drop()) as server:
        made = client(server)
        for ask in (made.retrieve_job, made.cancel_job, made.delete_job, made.end_session):
            with pytest.raises(IonQClientError, match="is not a valid id"):
                ask(id_text)
        assert server.connections == 0


def test_jobs_are_listed_page_by_page() -> None:
    pages = [
        answer(200, {"jobs": [{"id": "1"}, {"id": "2"}], "next": "two"}),
        answer(200, {"jobs": [{"id": "3"}], "next": None}),
    ]
    with BadServer(*pages) as server:
        jobs = list(client(server).list_jobs(status="ready", limit=2))
        first, second = server.requests
    assert [job["id"] for job in jobs] == ["1", "2", "3"]
    assert query(first) == {"status": "ready", "limit": "2"}
    assert query(second) == {"status": "ready", "limit": "2", "next": "two"}


def test_a_page_without_jobs_does_not_end_the_list() -> None:
    pages = [
        answer(200, {"jobs": [{"id": "1"}], "next": "two"}),
        answer(200, {"jobs": [], "next": "three"}),
        answer(200, {"jobs": [{"id": "2"}], "next": None}),
    ]
    with BadServer(*pages) as server:
        assert [job["id"] for job in client(server).list_jobs()] == ["1", "2"]


@pytest.mark.parametrize("page", [{"jobs": [], "next": "a"}, {"jobs": [READY], "next": "a"}])
def test_a_list_that_never_ends_is_an_error(page: Any) -> None:
    with BadServer(answer(200, page)) as server:
        with pytest.raises(IonQAPIError, match="has no end") as caught:
            list(client(server).list_jobs())
        assert (caught.value.error_type, len(server.requests)) == ("invalid_response", 2)


@pytest.mark.parametrize("body", [b"<html>", [], None, 5, b"{", b"\xff", b"[" * 100_000])
def test_a_response_that_is_not_a_job_is_reported(body: Any) -> None:
    with BadServer(answer(200, body)) as server:
        with pytest.raises(IonQAPIError, match="Is the address right") as caught:
            client(server).retrieve_job(ID)
        assert (caught.value.error_type, len(server.requests)) == ("invalid_response", 1)


MALFORMED: dict[str, tuple[dict[str, Any], Callable[[IonQClient], object]]] = {
    "jobs that are no list": ({"jobs": 5}, lambda client: list(client.list_jobs())),
    "jobs that are no objects": ({"jobs": ["a"]}, lambda client: list(client.list_jobs())),
    "a next page that is a list": ({"jobs": [], "next": [1]}, lambda client: client.list_page()),
    "a status that is a list": ({"id": "a", "status": []}, lambda client: client.retrieve_job("a")),
    "the same in a wait": ({"id": "a", "status": {}}, lambda client: client.wait("a", 5.0)),
    "an estimate for nothing": (
        {"input_values": [1]},
        lambda client: client.estimate_job("simulator", 1, 1, 1, 1),
    ),
}


@pytest.mark.parametrize(("body", "ask"), MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_answer_is_an_error_of_the_api(
    body: dict[str, Any], ask: Callable[[IonQClient], object]
) -> None:
    with BadServer(answer(200, body)) as server, pytest.raises(IonQAPIError) as caught:
        ask(client(server))
    assert caught.value.error_type == "invalid_response"


def test_an_accepted_job_without_an_id_is_a_bad_answer() -> None:
    with BadServer(answer(201, {"status": "ready"})) as server:
        with pytest.raises(IonQAPIError, match="has no id"):
            client(server).submit_job({})
        assert len(server.requests) == 1


# --- waiting -----------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["completed", "failed", "canceled"])
def test_a_wait_ends_with_the_job(status: str) -> None:
    ended = {"id": ID, "status": status}
    states = (answer(200, state, CLOSE) for state in (READY, STARTED, ended))
    with BadServer(*states) as server:
        made = client(server)
        made.clock = clock = GivenClock()
        assert made.wait(ID, timeout=20) == ended
    # Half a second at first, then half as much again.
    assert clock.pauses_s == [0.5, 0.75]


def test_a_wait_has_an_end_and_names_the_job() -> None:
    with BadServer(answer(200, STARTED, CLOSE)) as server:
        made = client(server)
        made.clock = clock = GivenClock()
        with pytest.raises(IonQJobTimeoutError, match=f"Job {ID} has not ended within 60 s"):
            made.wait(ID, timeout=60)
    first_s = [0.5, 0.75, 1.125, 1.6875, 2.53125, 3.796875]
    assert clock.pauses_s[:8] == [*first_s, 5.0, 5.0]
    assert clock.passed_s == 60.0


def test_a_wait_for_nothing_looks_once() -> None:
    with BadServer(answer(200, STARTED)) as server:
        with pytest.raises(IonQJobTimeoutError):
            client(server).wait(ID, timeout=0)
        assert len(server.requests) == 1


def test_a_wait_outlasts_more_trouble_than_a_request() -> None:
    trouble = [drop(), answer(503), drop(), answer(502), drop()]
    assert len(trouble) > QUICK.max_attempts
    with BadServer(*trouble, answer(200, COMPLETED)) as server:
        assert client(server).wait(ID, timeout=60) == COMPLETED


def test_a_wait_without_a_server_ends_in_time() -> None:
    with BadServer(drop()) as server:
        made = client(server)
        made.clock = clock = GivenClock()
        with pytest.raises(IonQJobTimeoutError):
            made.wait(ID, timeout=60.0)
    assert clock.passed_s == pytest.approx(60.0)


def test_a_wait_for_an_unknown_job_ends_at_once() -> None:
    with BadServer(answer(404, {"statusCode": 404, "error": "Not Found"})) as server:
        with pytest.raises(IonQAPIError) as caught:
            client(server).wait(ID, timeout=60)
        assert (caught.value.status_code, len(server.requests)) == (404, 1)


# --- results -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "asked", "path"),
    [
        ("v0.3", ID, f"/v0.3/jobs/{ID}/results"),
        ("v0.3", f"/v0.3/jobs/{ID}/results", f"/v0.3/jobs/{ID}/results"),
        ("v0.4", ID, f"/v0.4/jobs/{ID}/results/probabilities"),
        (
            "v0.4",
            f"/v0.4/jobs/{ID}/results/probabilities/aggregated",
            f"/v0.4/jobs/{ID}/results/probabilities/aggregated",
        ),
        ("ionq/v0.4", f"/v0.4/jobs/{ID}/results/shots", f"/ionq/v0.4/jobs/{ID}/results/shots"),
    ],
)
def test_results_are_read_by_id_or_by_the_address_in_the_job(
    version: str, asked: str, path: str
) -> None:
    with BadServer(answer(200, {"0": 0.5, "3": 0.5})) as server:
        made = client(server, version)
        assert made.get_results(asked) == {"0": 0.5, "3": 0.5}
        assert made.get_results(results_url=asked, sharpen=None) == {"0": 0.5, "3": 0.5}
        assert [request.path for request in server.requests] == [path, path]


def test_results_keep_the_order_in_which_they_came() -> None:
    children = [f"child-{index}" for index in (3, 1, 2)]
    with BadServer(answer(200, {child: {"0": 1.0} for child in children})) as server:
        assert list(client(server).get_results(ID)) == children


@pytest.mark.parametrize(
    ("sharpen", "extra", "expected"),
    [
        (None, None, {}),
        (True, None, {"sharpen": "True"}),
        (False, {"aggregation": "average"}, {"sharpen": "False", "aggregation": "average"}),
    ],
)
def test_results_are_asked_for_with_sharpen_and_extras(
    sharpen: bool | None, extra: Any, expected: dict[str, str]
) -> None:
    with BadServer(answer(200, {})) as server:
        client(server).get_results(ID, sharpen, extra)
        assert query(server.requests[0]) == expected


@pytest.mark.parametrize(
    "address",
    [
        "http://evil.invalid/v0.4/jobs/7/results",
        "//evil.invalid/v0.4/jobs/7/results",
        "/v0.4/jobs/../../x/results",
        "/v0.4/jobs/7/results/../..",
        "/v0.4/jobs/7/results?a=b",
        "/v0.4/jobs/7/results\n",
        "/v0.4/backends",
        "jobs/7/results",
    ],
)
def test_the_key_goes_to_no_address_but_a_results(address: str) -> None:
    with BadServer(drop()) as server:
        with pytest.raises(IonQClientError, match="Pass the id of a job or the address"):
            client(server).get_results(address)
        assert server.connections == 0


@pytest.mark.parametrize(
    ("media_type", "body", "expected"),
    [
        ("application/json", {"shots": []}, {"shots": []}),
        ("text/plain; charset=utf-8", b"OPENQASM 3;", "OPENQASM 3;"),
        ("application/octet-stream", b"\x00\xff", b"\x00\xff"),
        ("", b"OPENQASM 3;", "OPENQASM 3;"),
        ("", {"shots": []}, {"shots": []}),
    ],
)
def test_an_artifact_is_what_its_media_type_says(media_type: str, body: Any, expected: Any) -> None:
    with BadServer(answer(200, body, {"Content-Type": media_type})) as server:
        assert client(server).get_artifact(ID, "a") == expected
        assert server.requests[0].path == f"/v0.4/jobs/{ID}/artifacts/a"


# --- backends ----------------------------------------------------------------------------------


def test_calibrations_of_v04_are_listed() -> None:
    found = {"characterizations": [{"id": "2"}, {"id": "1"}], "pages": 1}
    with BadServer(answer(200, found)) as server:
        made = client(server)
        assert made.list_calibrations("ionq_qpu.aria-1", limit=2) == found["characterizations"]
        assert made.get_calibration_data("qpu.aria-1") == {"id": "2"}
        first, second = server.requests
    assert first.path == "/v0.4/backends/qpu.aria-1/characterizations?limit=2"
    assert second.path == "/v0.4/backends/qpu.aria-1/characterizations?limit=1"
    with pytest.raises(IonQClientError, match=r"Version 0\.3"):
        IonQClient("key", "http://127.0.0.1:1/v0.3").list_calibrations("qpu.aria-1")


@pytest.mark.parametrize("found", [None, []])
def test_a_backend_without_calibration_has_an_empty_one(found: Any) -> None:
    """In both versions the same type, as the original's page promises."""
    with BadServer(answer(200, {"characterizations": found})) as server:
        assert client(server).get_calibration_data("simulator") == {}
        assert client(server).list_calibrations("simulator") == []
    backends = answer(200, [{"backend": "simulator"}])
    with BadServer(answer(404, {"message": "none"}), backends) as server:
        assert client(server, "v0.3").get_calibration_data("simulator") == {}
    with (
        BadServer(answer(404, {"message": "none"}), backends) as server,
        pytest.raises(IonQAPIError, match="none"),
    ):
        client(server, "v0.3").get_calibration_data("qpu.none")


def test_the_calibration_of_v03_is_one_object() -> None:
    with BadServer(answer(200, {"id": "1", "date": 1_772_359_200})) as server:
        found = client(server, "v0.3").get_calibration_data("ionq_qpu.aria-1")
        assert found == {"id": "1", "date": 1_772_359_200}
        assert server.requests[0].path == "/v0.3/characterizations/backends/qpu.aria-1/current"


def test_an_estimate_is_requested_with_ionqs_parameters() -> None:
    with BadServer(answer(200, {"estimated_cost": 0.71, "cost_unit": "usd"})) as server:
        estimate = client(server).estimate_job("ionq_qpu.aria-1", 10, 5, qubits=4, shots=100)
        assert query(server.requests[0]) == {
            "type": "ionq.circuit.v1",
            "backend": "qpu.aria-1",
            "1q_gates": "10",
            "2q_gates": "5",
            "qubits": "4",
            "shots": "100",
            "error_mitigation": "false",
            "session": "false",
        }
    assert (estimate.cost, estimate.cost_unit) == (0.71, "usd")


# --- the whole ---------------------------------------------------------------------------------


def test_a_refusal_is_reported_with_the_servers_text() -> None:
    body = {"statusCode": 400, "error": "Bad Request", "message": "gate 3 (rx): no rotation"}
    with BadServer(answer(400, body)) as server, pytest.raises(IonQAPIError) as caught:
        client(server).submit_job({})
    error = caught.value
    assert not isinstance(error, IonQRetriableError)
    assert str(error) == "gate 3 (rx): no rotation (Bad Request, HTTP 400)"


def test_importing_the_client_imports_no_server() -> None:
    code = (
        "import sys; import qwicket.vendors.ionq.client;"
        "known = {'starlette', 'numpy', 'msgspec', 'requests', 'asyncio', 'qiskit'};"
        "print(sorted(known & {*sys.modules}),"
        " sorted(n for n in sys.modules if n.startswith('qwicket.') and n.count('.') < 2))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": os.environ["PATH"]},
    )
    assert (
        done.stdout.strip() == "[] ['qwicket.clients', 'qwicket.registrations', 'qwicket.vendors']"
    )
