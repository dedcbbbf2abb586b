"""Nobody waits for a request to the identity provider whose response they do not need."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from qwicket.clients.http import bounds
from qwicket.gateway.identity_provider import ProviderConnection
from qwicket.model.accounts import IdentityProvider
from qwicket.model.errors import Unavailable
from support import hostile_cloud
from support.hostile_cloud import IN_FLIGHT, HostileCloud
from support.waiting import until

KEY = RSAKey.generate_key(2048, {"kid": "known"})
CLIENT = "client"


class Provider(ThreadingHTTPServer):
    """Publishes its addresses and its key; can be silent about the key."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.asked: Counter[str] = Counter()
        self.may_respond = threading.Event()
        self.may_respond.set()
        self.status = 200


class _Handler(BaseHTTPRequestHandler):
    server: Provider

    def do_GET(self) -> None:
        provider = self.server
        provider.asked[self.path] += 1
        body: object = {"keys": [KEY.as_dict(private=False)]}
        if self.path == "/jwks":
            provider.may_respond.wait(30)
        else:
            url = provider.url
            paths = {"authorization_endpoint": "/authorize", "token_endpoint": "/token"}
            body = {"issuer": url, "jwks_uri": f"{url}/jwks"}
            body |= {name: f"{url}{path}" for name, path in paths.items()}
        content = json.dumps(body).encode()
        self.send_response(provider.status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def provider() -> Iterator[Provider]:
    with Provider() as made:
        thread = threading.Thread(target=made.serve_forever, args=(0.01,))
        thread.start()
        yield made
        made.may_respond.set()
        made.shutdown()
        thread.join()


@pytest.fixture
def connection(provider: Provider) -> ProviderConnection:
    settings = IdentityProvider(issuer=provider.url, client_id=CLIENT)
    return ProviderConnection(settings, lambda: round(1000 * time.time()))


def id_token(provider: Provider, key: RSAKey = KEY) -> str:
    now = int(time.time())
    claims = {"iss": provider.url, "sub": "ada", "aud": CLIENT, "iat": now, "exp": now + 300}
    return jwt.encode({"alg": "RS256", "kid": key.kid}, claims, key)


def test_a_known_key_is_used_while_the_keys_are_requested(
    provider: Provider, connection: ProviderConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = id_token(provider)
    assert connection.verified(known, {CLIENT}, None).claims["sub"] == "ada"
    later = time.monotonic() + 60
    monkeypatch.setattr(time, "monotonic", lambda: later)  # so that keys may be requested again
    provider.may_respond.clear()
    other = id_token(provider, RSAKey.generate_key(2048, {"kid": "unknown"}))
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(connection.verified, other, {CLIENT}, None)
        while provider.asked["/jwks"] < 2:
            assert not waiting.done(), waiting.exception()
            time.sleep(0.01)
        assert connection.verified(known, {CLIENT}, None).claims["sub"] == "ada"
        assert not waiting.done(), "it has not waited for the other's request"
        provider.may_respond.set()
        assert waiting.exception() is not None


def test_those_who_wait_do_not_request_again_after_a_failure(
    provider: Provider, connection: ProviderConnection
) -> None:
    connection.metadata()
    provider.status = 500
    provider.may_respond.clear()
    token = id_token(provider)
    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(connection.verified, token, {CLIENT}, None) for _ in range(4)]
        until(lambda: provider.asked["/jwks"] == 1, "the keys are requested")
        provider.may_respond.set()
        assert {type(each.exception()) for each in waiting} == {Unavailable}
    assert provider.asked["/jwks"] == 1


def test_an_answer_without_end_is_not_read_beyond_the_bound() -> None:
    for attack in (hostile_cloud.endless_chunks, hostile_cloud.compressed, hostile_cloud.deep()):
        with HostileCloud(attack) as provider:
            settings = IdentityProvider(issuer=provider.url, client_id=CLIENT)
            with pytest.raises(Unavailable, match="does not respond as it should"):
                ProviderConnection(settings, lambda: 0).metadata()
            assert provider.sent_bytes <= bounds.SMALL.wire_bytes + IN_FLIGHT
