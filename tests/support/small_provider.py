"""An identity provider in the process of a test, whose responses the test can hold.

Full sign-ins take `support.identity_provider`.
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from joserfc import jws
from joserfc.jwk import RSAKey

KEY = RSAKey.generate_key(2048, {"kid": "known"})
CLIENT = "client"


class Provider(ThreadingHTTPServer):
    """Publishes its addresses and its key; can be silent about the key and about codes.

    Attributes:
        url: Its address.
        asked: Number of requests so far, by path.
        may_respond: Unset, it holds requests for the key and for codes.
        status: Status of its responses, except to codes: it refuses each of them.
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.asked: Counter[str] = Counter()
        self.may_respond = threading.Event()
        self.may_respond.set()
        self.status = 200

    def id_token(self, key: RSAKey = KEY, **claims: Any) -> str:
        """Return an ID token with these claims. None leaves a claim out."""
        now = int(time.time())
        usual = {"iss": self.url, "sub": "ada", "aud": CLIENT, "iat": now, "exp": now + 300}
        found = {name: value for name, value in {**usual, **claims}.items() if value is not None}
        # Not `jwt.encode`, which refuses texts that are no UTF-8.
        return jws.serialize_compact({"alg": "RS256", "kid": key.kid}, json.dumps(found), key)


class _Handler(BaseHTTPRequestHandler):
    server: Provider

    def do_GET(self) -> None:
        provider = self.server
        provider.asked[self.path] += 1
        if self.path == "/jwks":
            provider.may_respond.wait(30)
            self._respond(provider.status, {"keys": [KEY.as_dict(private=False)]})
            return
        paths = {"authorization_endpoint": "/authorize", "token_endpoint": "/token"}
        paths |= {"jwks_uri": "/jwks", "device_authorization_endpoint": "/device"}
        addresses = {name: f"{provider.url}{path}" for name, path in paths.items()}
        self._respond(provider.status, {"issuer": provider.url, **addresses})

    def do_POST(self) -> None:
        self.server.asked[self.path] += 1
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.may_respond.wait(30)
        self._respond(400, {"error": "invalid_grant"})

    def _respond(self, status: int, body: object) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def small_provider() -> Iterator[Provider]:
    """Run a provider."""
    with Provider() as made:
        thread = threading.Thread(target=made.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield made
        finally:
            made.may_respond.set()
            made.shutdown()
            thread.join()
