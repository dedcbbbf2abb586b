"""Metrics are refused to clients without the right, and clients cannot write text into them."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from abuse.dialects import DIALECTS, problem_json
from qwicket.gateway.signin import new_secret
from support import raw
from support.for_each import for_each
from support.server import LiveServer

FOREIGN = {"X-Forwarded-For": "203.0.113.7"}


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server that believes the proxy on this machine."""
    live = LiveServer(tmp_path_factory.mktemp("metrics"), "--trusted-proxy", "127.0.0.1")
    yield live
    assert live.stop() == 0


@pytest.fixture(scope="module")
def admin(live: LiveServer) -> str:
    live.admin("user", "add", "root", "--role", "admin")
    return live.admin("token", "create", "--user", "root", "--scope", "admin")


def ask(live: LiveServer, token: str | None = None, **headers: str) -> httpx.Response:
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    return httpx.get(f"{live.url}/metrics", headers=headers)


def test_a_foreign_address_without_a_token_is_refused(live: LiveServer) -> None:
    answer = ask(live, **FOREIGN)
    assert answer.status_code == 401
    problem_json(answer)
    assert "qwicket_" not in answer.text


def test_a_members_token_is_refused_by_the_scope_that_it_lacks(live: LiveServer) -> None:
    answer = ask(live, live.token(), **FOREIGN)
    assert answer.status_code == 403
    assert "scope admin" in problem_json(answer)


def test_an_invented_token_is_refused(live: LiveServer) -> None:
    assert ask(live, new_secret(), **FOREIGN).status_code == 401


def test_a_token_with_the_scope_admin_reads_them_from_afar(live: LiveServer, admin: str) -> None:
    assert "qwicket_build_info" in ask(live, admin, **FOREIGN).text


def test_a_token_of_an_admin_without_the_scope_is_refused(live: LiveServer, admin: str) -> None:
    weak = live.admin("token", "create", "--user", "root")
    assert ask(live, weak, **FOREIGN).status_code == 403


def test_a_token_for_some_devices_does_not_count_the_jobs_of_others(
    live: LiveServer, admin: str
) -> None:
    options = ("--scope", "admin", "--device", "clifford")
    limited = live.admin("token", "create", "--user", "root", *options)
    answer = ask(live, limited, **FOREIGN)
    assert answer.status_code == 403
    assert "for the device clifford" in problem_json(answer)


@for_each("host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "", "[", "[]"])
def test_a_page_of_another_name_does_not_read_them_here(live: LiveServer, host: str) -> None:
    """A name that resolves to 127.0.0.1 is a page's own origin (DNS rebinding)."""
    assert ask(live, Host=host).status_code == 401


@pytest.mark.parametrize("host", ["localhost", "localhost:8000", "127.0.0.1", "[::1]:8000"])
def test_this_machine_reads_them_by_any_of_its_names(live: LiveServer, host: str) -> None:
    assert ask(live, Host=host).status_code == 200


def test_what_nginx_passes_on_by_default_is_not_from_this_machine(live: LiveServer) -> None:
    with raw.connect(live.url) as connection:
        connection.sendall(b"GET /metrics HTTP/1.0\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        assert connection.recv(12) == b"HTTP/1.1 401"


@for_each(
    "name",
    [
        *("X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP"),
        *("Forwarded", "Via", "CF-Connecting-IP"),
    ],
)
def test_what_a_proxy_passes_on_is_not_from_this_machine(
    server: LiveServer, live: LiveServer, name: str
) -> None:
    """Also where the operator named no proxy, and where the client names this machine itself."""
    for each in (server, live):
        answer = ask(each, **{name: "127.0.0.1"})
        assert answer.status_code == 401
        problem_json(answer)


def test_other_methods_are_refused_and_name_those_that_are_not(live: LiveServer) -> None:
    answer = httpx.post(f"{live.url}/metrics")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")


def test_what_clients_write_becomes_no_label(live: LiveServer) -> None:
    agent = {"User-Agent": "forged-agent"}
    with httpx.Client(base_url=live.url, headers=agent) as http:
        for dialect in DIALECTS:
            for k in range(20):
                http.get(f"{dialect.prefix}/forged-{k}", params={"q": "forged-query"})
                http.request(f"FORGED{k}", f"{dialect.prefix}/jobs")
        body = {"program": {}, "device": "forged-device", "shots": 1}
        headers = {"Authorization": f"Bearer {live.token()}"}
        assert http.post("/v1/jobs", json=body, headers=headers).status_code >= 400
    text = ask(live).text
    assert "forged" not in text.lower()
    families = list(text_string_to_metric_families(text))
    (requests,) = (each for each in families if each.name == "qwicket_request_seconds")
    mounts = {sample.labels["dialect"] for sample in requests.samples}
    assert mounts <= {dialect.prefix for dialect in DIALECTS} | {
        "/metrics",
        "/",
        "/livez",
        "/readyz",
    }
