"""What a session sends: whose settings come first, which headers, where a redirect leads."""

from __future__ import annotations

import inspect
import itertools
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from qwicket.vendors.qbraid.client import (
    DEFAULT_ENDPOINT_URL,
    ApiError,
    AuthError,
    ConfigError,
    QbraidSession,
    RequestsApiError,
)
from support.bad_server import BadServer, Step, answer

Write = Callable[..., Path]

SETTINGS = {
    "user_email": ("email", "JUPYTERHUB_USER", None),
    "api_key": ("api-key", "QBRAID_API_KEY", None),
    "refresh_token": ("refresh-token", "QBRAID_REFRESH_TOKEN", None),
    "id_token": ("id-token", "QBRAID_ID_TOKEN", None),
    "base_url": ("url", "QBRAID_API_URL", DEFAULT_ENDPOINT_URL),
}
CLOSE = {"Connection": "close"}
IDENTITY = answer(200, {"email": "ada@example.org"}, CLOSE)


def text(name: str, source: str) -> str:
    return f"http://{source}.example/api" if name == "base_url" else f"of-{source}"


def signed_in(name: str, value: str) -> QbraidSession:
    """Return a session of which one setting is an argument."""
    match name:
        case "user_email":
            return QbraidSession(user_email=value)
        case "api_key":
            return QbraidSession(api_key=value)
        case "refresh_token":
            return QbraidSession(refresh_token=value)
        case "id_token":
            return QbraidSession(id_token=value)
    return QbraidSession(base_url=value)


@pytest.mark.parametrize("name", SETTINGS)
def test_precedence_is_argument_file_environment_default(
    subtests: pytest.Subtests, settings: Write, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    key, variable, default = SETTINGS[name]
    for is_given, is_in_file, is_in_environment in itertools.product((True, False), repeat=3):
        sources = (("argument", is_given), ("file", is_in_file), ("environment", is_in_environment))
        with subtests.test(str(sources)):
            settings(f"[default]\n{key} = {text(name, 'file') if is_in_file else ''}\n")
            monkeypatch.setenv(variable, text(name, "environment") if is_in_environment else "")
            session = signed_in(name, text(name, "argument") if is_given else "")
            values = [text(name, source) for source, is_there in sources if is_there]
            expected = next(iter(values), default)
            assert getattr(session, name) == expected
            if name != "base_url":
                assert session.headers.get(key) == expected
            setattr(session, name, text(name, "later"))
            assert getattr(session, name) == text(name, "later")
            setattr(session, name, None)
            assert getattr(session, name) == next(iter(values[is_given:]), default)


def test_the_older_variable_of_the_refresh_token_comes_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("REFRESH", "old")
    monkeypatch.setenv("QBRAID_REFRESH_TOKEN", "new")
    assert QbraidSession().refresh_token == "old"


def test_an_id_token_is_sent_where_there_is_no_refresh_token() -> None:
    session = QbraidSession(refresh_token="r", id_token="i")
    assert session.headers["refresh-token"] == "r"
    assert "id-token" not in session.headers
    session = QbraidSession(id_token="i")
    assert session.headers["id-token"] == "i"
    session.refresh_token = "r"
    assert "id-token" not in session.headers


def test_a_key_of_the_environment_is_really_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QBRAID_API_KEY", "from-the-environment")
    with BadServer(IDENTITY) as server:
        QbraidSession(base_url=server.url).get("/identity")
        assert server.requests[0].headers["api-key"] == "from-the-environment"


@pytest.mark.parametrize("base", ["", "/api", "/api/"])
def test_paths_are_put_behind_the_base(base: str) -> None:
    with BadServer(IDENTITY) as server:
        QbraidSession(base_url=server.url + base).get("/identity", params={"a": "b"})
        assert server.requests[0].path == f"{base.rstrip('/')}/identity?a=b"


@pytest.mark.parametrize("path", ["@evil.example/x", "http://evil.example", "identity", ""])
def test_a_path_that_is_none_never_leaves(path: str) -> None:
    with pytest.raises(RequestsApiError, match="must begin with /"):
        QbraidSession(api_key="k", base_url="http://127.0.0.1:1").get(path)


def test_headers_of_one_request_do_not_stick() -> None:
    with BadServer(IDENTITY) as server:
        session = QbraidSession(api_key="mine", base_url=server.url)
        session.get("/identity", headers={"api-key": "another"})
        session.get("/identity")
        assert [each.headers["api-key"] for each in server.requests] == ["another", "mine"]


def test_answers_are_responses_and_certificates_are_checked() -> None:
    with BadServer(IDENTITY) as server:
        session = QbraidSession(base_url=server.url)
        response = session.get("/identity")
    assert response.status_code == 200
    assert response.json() == {"email": "ada@example.org"}
    assert session.verify is True


def test_an_authority_of_the_session_overrides_that_of_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/of/the/environment.pem")
    session = QbraidSession()
    session.verify = "/of/the/session.pem"
    found = session.merge_environment_settings("https://x.example", {}, None, None, None)
    assert found["verify"] == "/of/the/session.pem"
    session.verify = True
    found = session.merge_environment_settings("https://x.example", {}, None, None, None)
    assert found["verify"] == "/of/the/environment.pem"


def test_no_netrc_adds_or_replaces_a_credential(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / ".netrc").write_text("machine 127.0.0.1 login eve password sesame\n")
    moved = answer(302, b"", {"Location": "/elsewhere", **CLOSE})
    with BadServer(moved, IDENTITY) as server:
        QbraidSession(api_key="mine", base_url=server.url).get("/identity")
        assert len(server.requests) == 2
        for request in server.requests:
            assert "authorization" not in request.headers
            assert request.headers["api-key"] == "mine"


def test_no_credential_follows_a_redirect_to_another_server() -> None:
    with BadServer(IDENTITY) as stranger:
        moved = answer(307, b"", {"Location": f"{stranger.url}/collect"})
        with BadServer(moved) as server:
            session = QbraidSession("ada@example.org", "key", "refresh", base_url=server.url)
            session.get("/identity")
            assert server.requests[0].headers["refresh-token"] == "refresh"
        sent = stranger.requests[0].headers
        assert sent.keys().isdisjoint({"api-key", "refresh-token", "id-token", "email"})


def test_a_post_has_a_key_so_that_it_is_done_once() -> None:
    with BadServer(answer(503, {}, CLOSE), IDENTITY) as server:
        session = QbraidSession(base_url=server.url)
        session.post("/quantum-jobs", json={})
        session.post("/quantum-jobs", json={})
        session.post("/quantum-jobs", json={}, headers={"idempotency-key": "mine"})
        keys = [request.headers["idempotency-key"] for request in server.requests]
        assert keys[0] == keys[1]
        assert len(set(keys)) == 3
        assert keys[3] == "mine"


def test_a_setting_that_cannot_be_sent_is_refused_without_quoting_it() -> None:
    for value in ("line\nbreak", "schlüssel", "\x00"):
        with pytest.raises(ApiError) as refusal:
            QbraidSession(api_key=value)
        assert value not in str(refusal.value)
    with pytest.raises(ApiError):
        QbraidSession(base_url="http://user:secret@127.0.0.1")
    with pytest.raises(ApiError):
        QbraidSession(base_url="127.0.0.1:8000")


def test_the_surface_is_that_of_the_original() -> None:
    names = (
        *("close", "delete", "get", "get_adapter", "get_config_variable", "get_redirect_target"),
        *("head", "merge_environment_settings", "mount", "options", "patch", "post"),
        *("prepare_request", "put", "rebuild_auth", "rebuild_method", "rebuild_proxies", "request"),
        *("resolve_redirects", "save_config", "send", "should_strip_auth"),
        *("base_url", "user_email", "api_key", "refresh_token", "id_token"),
    )
    assert not [name for name in names if not hasattr(QbraidSession, name)]
    assert issubclass(QbraidSession, requests.Session)
    defaults = {
        name: parameter.default
        for name, parameter in inspect.signature(QbraidSession).parameters.items()
    }
    assert defaults == {
        **dict.fromkeys(("user_email", "api_key", "refresh_token", "id_token", "base_url")),
        "retries_total": 5,
        "retries_connect": 3,
        "backoff_factor": 0.5,
    }


def test_an_address_that_cannot_be_sent_is_kept_and_not_sent() -> None:
    session = QbraidSession("ä@example.org")
    assert session.user_email == "ä@example.org"
    assert "email" not in session.headers


def test_a_copy_has_the_settings_too() -> None:
    session = pickle.loads(pickle.dumps(QbraidSession(api_key="k", base_url="http://a.example")))
    assert (session.api_key, session.base_url) == ("k", "http://a.example")


class TestSaveConfig:
    """`save_config`: nothing is written unless the server takes the credentials."""

    def test_what_the_server_takes_is_written(self, home: Path) -> None:
        with BadServer(IDENTITY) as server:
            session = QbraidSession()
            session.save_config(api_key="key", base_url=server.url)
            assert session.user_email == "ada@example.org"
            later = QbraidSession()
            assert (later.api_key, later.base_url) == ("key", server.url)
        assert later.user_email == "ada@example.org"
        assert later.refresh_token is None

    @pytest.mark.parametrize(
        "step",
        [
            answer(401, {"error": {"message": "no", "code": "UNAUTHORIZED"}}),
            answer(200, {"email": "eve@example.org"}),
            answer(200, {}),
            answer(200, []),
            answer(200, b"nonsense"),
        ],
    )
    def test_what_it_does_not_take_is_not(self, home: Path, step: Step) -> None:
        with BadServer(step) as server, pytest.raises(AuthError):
            QbraidSession("ada@example.org", "key").save_config(base_url=server.url)
        assert not (home / ".qbraid").exists()

    def test_what_cannot_be_written_is_an_error_of_settings(self, home: Path) -> None:
        (home / ".qbraid").mkdir()
        (home / ".qbraid" / "qbraidrc").mkdir()
        with pytest.raises(ConfigError):
            QbraidSession()
