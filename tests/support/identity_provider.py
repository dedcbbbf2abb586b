"""An identity provider in a process of its own: oidc-provider-mock, with what it lacks.

It demands PKCE, has the device flow (RFC 8628), and signs whatever claims a test asks for.

    cd tests && python -m support.identity_provider  # prints its address
"""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

from support.waiting import until

CLIENT = "qwicket"
SECRET = "of-the-server %&/"
PUBLIC_CLIENT = "qwicket-without-secret"
DEVICE_CLIENT = "qwicket-cli"


class Provider:
    """The provider as tests use it."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.folder = folder
        (folder / "secret").write_text(f"{SECRET}\n")
        (folder / "secret").chmod(0o600)
        self.http = httpx.Client(base_url=url, timeout=60)

    @property
    def options(self) -> tuple[str, ...]:
        """Return the options of a server with this provider."""
        ids = ("--oidc-client-id", CLIENT, "--oidc-device-client-id", DEVICE_CLIENT)
        secret = ("--oidc-client-secret-file", str(self.folder / "secret"))
        return ("--oidc-issuer", self.url, *ids, *secret)

    def set_user(self, subject: str, **claims: Any) -> None:
        assert self.http.put(f"/users/{subject}", json=claims).is_success

    def approve(self, authorization_url: str, subject: str) -> str:
        """Sign in as a person; return the address to which the browser is sent back."""
        response = self.http.post(authorization_url, data={"sub": subject})
        assert response.status_code == 302, response.text
        return str(response.headers["location"])

    def approve_device(self, user_code: str, subject: str) -> None:
        assert self.http.post("/device", data={"user_code": user_code, "sub": subject}).is_success

    def signed(self, header: dict[str, Any] | None = None, /, **claims: Any) -> str:
        """Return claims signed with the provider's key. None leaves a claim out."""
        now = int(time.time())
        usual = {"iss": self.url, "sub": "ada", "aud": DEVICE_CLIENT, "iat": now, "exp": now + 300}
        usual["jti"] = secrets.token_hex(8)
        found = {key: value for key, value in {**usual, **claims}.items() if value is not None}
        return self.http.post("/sign", json={"header": header or {}, "claims": found}).text

    def keys(self) -> list[dict[str, str]]:
        found: list[dict[str, str]] = self.http.get("/jwks").json()["keys"]
        return found

    def change_key(self) -> None:
        """Replace the key that signs ID tokens."""
        assert self.http.post("/change-key").is_success


@contextmanager
def identity_provider() -> Iterator[Provider]:
    """Run a provider."""
    environ = {**os.environ, "PYTHONWARNINGS": "ignore"}
    with (
        TemporaryDirectory() as folder,
        subprocess.Popen(
            [sys.executable, "-m", "support.identity_provider"],
            cwd=Path(__file__).parents[1],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environ,
        ) as process,
    ):
        try:
            assert process.stdout
            provider = Provider(process.stdout.readline().strip(), Path(folder))
            with provider.http:
                until(lambda: provider.http.get("/jwks").is_success, "the provider responds")
                yield provider
        finally:
            process.terminate()


def main() -> None:
    import flask
    import oidc_provider_mock
    from authlib.jose import RSAKey as StoredKey
    from joserfc import jwt
    from joserfc.jwk import RSAKey
    from oidc_provider_mock._app import AuthorizationCodeGrant
    from oidc_provider_mock._storage import AccessToken
    from werkzeug.serving import make_server

    AuthorizationCodeGrant.TOKEN_ENDPOINT_AUTH_METHODS = ["client_secret_basic", "none"]
    app = oidc_provider_mock.app()
    challenges: dict[str, str] = {}
    devices: dict[str, dict[str, Any]] = {}

    def store() -> Any:
        return flask.g.oidc_provider_mock_storage

    def refused(error: str) -> Any:
        return flask.jsonify({"error": error}), 400

    def signed(claims: dict[str, Any], header: dict[str, Any]) -> str:
        key = RSAKey.import_key(store().jwk.as_dict(is_private=True))
        named = {"alg": "RS256", "kid": store().jwk.as_dict().get("kid"), **header}
        return jwt.encode({k: v for k, v in named.items() if v is not None}, claims, key)

    def check_pkce() -> Any:
        request = flask.request
        if request.path == "/oauth2/authorize":
            if request.args.get("code_challenge_method") != "S256":
                return refused("invalid_request")
        elif request.path == "/oauth2/token" and "code" in request.form:
            given = request.authorization
            if given is not None and given.parameters != {"username": CLIENT, "password": SECRET}:
                return refused("invalid_client")
            if given is None and request.form.get("client_id") != PUBLIC_CLIENT:
                return refused("invalid_client")
            verifier = request.form.get("code_verifier", "").encode()
            digest = base64.urlsafe_b64encode(hashlib.sha256(verifier).digest())
            if challenges.get(request.form["code"]) != digest.decode().rstrip("="):
                return refused("invalid_grant")
        elif request.path == "/oauth2/token" and "device_code" in request.form:
            return device_token()
        return None

    def remember_challenge(response: Any) -> Any:
        if flask.request.path == "/oauth2/authorize" and "location" in response.headers:
            query = parse_qs(urlsplit(response.headers["location"]).query)
            if "code" in query:
                challenges[query["code"][0]] = flask.request.args["code_challenge"]
        if flask.request.path == "/.well-known/openid-configuration":
            found = response.get_json()
            found["device_authorization_endpoint"] = f"{found['issuer']}/device-code"
            response.set_data(flask.json.dumps(found))
        return response

    def begin_device() -> Any:
        code, user_code = secrets.token_hex(16), secrets.token_hex(4).upper()
        devices[code] = {"user_code": user_code, "client": flask.request.form["client_id"]}
        url = f"{flask.request.host_url}device"
        return flask.jsonify(
            device_code=code,
            user_code=user_code,
            verification_uri=url,
            verification_uri_complete=f"{url}?user_code={user_code}",
            expires_in=300,
            interval=1,
        )

    def approve_device() -> Any:
        for each in devices.values():
            if each["user_code"] == flask.request.form["user_code"]:
                each["sub"] = flask.request.form["sub"]
                return "", 204
        return refused("invalid_request")

    def device_token() -> Any:
        form = flask.request.form
        found = devices.get(form["device_code"])
        if found is None or found["client"] != form["client_id"]:
            return refused("invalid_grant")
        if "sub" not in found:
            return refused("authorization_pending")
        if found["sub"] == "denied":
            return refused("access_denied")
        del devices[form["device_code"]]
        now = int(time.time())
        # What is stated about the person is in the user info alone.
        claims = {"sub": found["sub"], "aud": found["client"]}
        claims |= {"iss": flask.request.host_url.rstrip("/"), "iat": now, "exp": now + 300}
        access = AccessToken(
            token=secrets.token_hex(8),
            user_id=found["sub"],
            scope="openid profile",
            expires_at=datetime.now(UTC) + timedelta(seconds=300),
        )
        store().store_access_token(access)
        token = signed(claims, {})
        return flask.jsonify(id_token=token, access_token=access.token, token_type="Bearer")

    def sign() -> Any:
        asked = flask.request.get_json()
        return signed(asked["claims"], asked["header"])

    def change_key() -> Any:
        store().jwk = StoredKey.generate_key(2048, is_private=True, options={"kid": "changed"})
        return "", 204

    app.before_request(check_pkce)
    app.after_request(remember_challenge)
    for path, view in {
        "/device-code": begin_device,
        "/device": approve_device,
        "/sign": sign,
        "/change-key": change_key,
    }.items():
        app.add_url_rule(path, view_func=view, methods=["POST"])
    server = make_server("127.0.0.1", 0, app, threaded=True)
    print(f"http://127.0.0.1:{server.server_port}", flush=True)  # noqa: T201 - the tests read it
    server.serve_forever()


if __name__ == "__main__":
    main()
