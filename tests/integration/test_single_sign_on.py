"""Single sign-on with an identity provider: in a browser, by `qwicket login`, and its refusals."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from operator import methodcaller
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from support.for_each import for_each
from support.identity_provider import (
    CLIENT,
    DEVICE_CLIENT,
    PUBLIC_CLIENT,
    Provider,
    identity_provider,
)
from support.pages import Browser
from support.postgres import PostgresServer
from support.server import IDLE, LiveServer, cli, run_cli
from support.waiting import until

pytestmark = pytest.mark.extended

GROUPS = {
    "students": {"projects": ["class"]},
    "staff": {"role": "admin", "projects": ["class", "lab"]},
}
OPTIONS = ("--oidc-create", "--limit", "wrong_tokens=1000000")


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with identity_provider() as running:
        yield running


@pytest.fixture(scope="module")
def site(provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server that makes accounts, with groups."""
    groups = ("--oidc-groups", json.dumps(GROUPS))
    folder = tmp_path_factory.mktemp("site")
    server = LiveServer(folder, *IDLE, *provider.options, *OPTIONS, *groups)
    server.admin("project", "add", "class")
    server.admin("project", "add", "lab")
    yield server
    assert server.stop() == 0
    server.assert_calm()


@pytest.fixture
def browser(site: LiveServer) -> Iterator[Browser]:
    with Browser(site.url) as made:
        yield made


def sign_in(browser: Browser, provider: Provider, subject: str) -> httpx.Response:
    """Sign in at the provider, and return to the pages."""
    begun = browser.get("/ui/provider")
    assert begun.status_code == 303, begun.text
    return browser.get(provider.approve(begun.headers["location"], subject))


def exchange(server: LiveServer, token: str, **wanted: Any) -> httpx.Response:
    return httpx.post(
        f"{server.url}/v1/sign-in", json={"id_token": token, **wanted}, timeout=60, verify=False
    )


# --- in a browser ---------------------------------------------------------------------------------


def test_a_first_sign_in_makes_an_account_and_the_next_one_finds_it(
    site: LiveServer, provider: Provider, browser: Browser
) -> None:
    provider.set_user("sub-1", preferred_username="Åda.Lovelace@uni.example", name="Ada")
    assert sign_in(browser, provider, "sub-1").headers["location"] == "/ui"
    assert browser.account() == "ada.lovelace"
    # The name may change; the subject never does.
    provider.set_user("sub-1", preferred_username="countess")
    with Browser(site.url) as other:
        sign_in(other, provider, "sub-1")
        assert other.account() == "ada.lovelace"


def test_the_request_to_the_provider_has_pkce_state_and_nonce(
    provider: Provider, browser: Browser
) -> None:
    response = browser.get("/ui/provider")
    query = {k: v for k, (v,) in parse_qs(urlsplit(response.headers["location"]).query).items()}
    assert query["client_id"] == CLIENT
    assert query["response_type"] == "code"
    assert query["code_challenge_method"] == "S256"
    assert query["scope"] == "openid profile email"
    secrets = {query[name] for name in ("state", "nonce", "code_challenge")}
    assert len(secrets) == 3
    assert all(len(each) >= 43 for each in secrets)
    cookie = response.headers["set-cookie"]
    assert {"HttpOnly", "SameSite=lax", "Path=/ui"} <= {*cookie.split("; ")}
    again = parse_qs(urlsplit(browser.get("/ui/provider").headers["location"]).query)
    assert not secrets & {again[name][0] for name in ("state", "nonce", "code_challenge")}


def test_a_taken_name_gets_a_number_and_its_account_is_not_taken_over(
    site: LiveServer, provider: Provider, browser: Browser
) -> None:
    site.as_admin(lambda admin: admin.add_account("boss", email="boss@example.org", password=None))
    claims = {"preferred_username": "BOSS", "email": "Boss@example.org", "email_verified": True}
    provider.set_user("sub-boss", **claims)
    sign_in(browser, provider, "sub-boss")
    assert browser.account() == "boss-2"
    assert "Your account has no password" in browser.get("/ui/account").text
    listed = site.as_admin(lambda admin: admin.account("boss@example.org"))
    assert listed.name == "boss"


def test_groups_give_projects_and_a_role_and_take_them_back(
    site: LiveServer, provider: Provider, browser: Browser
) -> None:
    def membership() -> tuple[str, bool, bool]:
        sign_in(browser, provider, "sub-group")
        account = site.as_admin(lambda admin: admin.account("groucho"))
        members = [
            "groucho" in {each.name for each in site.as_admin(methodcaller("members", name))}
            for name in ("class", "lab")
        ]
        return account.role, members[0], members[1]

    name = "groucho"
    provider.set_user("sub-group", preferred_username=name, groups=["staff", "other"])
    assert membership() == ("admin", True, True)
    provider.set_user("sub-group", preferred_username=name, groups=["students"])
    assert membership() == ("member", True, False)
    provider.set_user("sub-group", preferred_username=name)
    assert membership() == ("member", False, False)


def test_a_state_of_another_browser_is_refused(
    site: LiveServer, provider: Provider, browser: Browser
) -> None:
    """An attacker begins a sign-in, and lets another person's browser finish it."""
    with Browser(site.url) as attacker:
        begun = attacker.get("/ui/provider").headers["location"]
        link = provider.approve(begun, "attacker")
    assert browser.get(link).status_code == 401
    browser.get("/ui/provider")
    refused = browser.get(link)
    assert refused.status_code == 401
    assert "was not begun in this browser" in refused.text
    assert browser.account() is None


def test_a_code_is_used_once(provider: Provider, browser: Browser) -> None:
    provider.set_user("sub-once", preferred_username="once")
    link = provider.approve(browser.get("/ui/provider").headers["location"], "sub-once")
    kept = browser.cookies["qwicket_provider"]
    assert browser.get(link).status_code == 303
    assert browser.account() == "once"
    assert browser.get(link).status_code == 401, "the browser's secret was deleted"
    browser.set_cookie("qwicket_provider", kept)
    refused = browser.get(link)
    assert refused.status_code == 401
    assert "refused the code" in refused.text


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"code": "x"}, "refused the code"),
        ({"code": ""}, "refused the sign-in"),
        ({"code": "x" * 5000}, "refused the sign-in"),
        ({"state": "x"}, "was not begun in this browser"),
        ({"state": ""}, "was not begun in this browser"),
        ({"state": "\xe9"}, "was not begun in this browser"),
        ({"error": "access_denied"}, "refused the sign-in (access_denied)"),
        ({"error": "<script>"}, "refused the sign-in."),
        ({"iss": "https://evil.example"}, "another identity provider"),
    ],
)
def test_a_changed_callback_is_refused(
    provider: Provider, browser: Browser, change: dict[str, str], reason: str
) -> None:
    link = provider.approve(browser.get("/ui/provider").headers["location"], "sub-x")
    query = {k: v for k, (v,) in parse_qs(urlsplit(link).query).items()}
    refused = browser.get("/ui/callback", params={**query, **change})
    assert refused.status_code == 401
    assert reason in refused.text
    assert "<script>" not in refused.text
    assert browser.account() is None


def test_a_code_without_the_verifier_of_its_browser_is_refused(
    site: LiveServer, provider: Provider, browser: Browser
) -> None:
    """PKCE: a stolen code, in a browser whose state is right, but for its own sign-in."""
    own = browser.get("/ui/provider").headers["location"]
    state = parse_qs(urlsplit(own).query)["state"][0]
    with Browser(site.url) as victim:
        stolen = provider.approve(victim.get("/ui/provider").headers["location"], "victim")
    code = parse_qs(urlsplit(stolen).query)["code"][0]
    refused = browser.get("/ui/callback", params={"code": code, "state": state})
    assert refused.status_code == 401
    assert browser.account() is None


def test_a_sign_in_has_a_new_session(provider: Provider, browser: Browser) -> None:
    provider.set_user("sub-fix", preferred_username="fixed")
    browser.set_cookie("qwicket_session", "A" * 43)
    sign_in(browser, provider, "sub-fix")
    first = browser.cookies["qwicket_session"]
    sign_in(browser, provider, "sub-fix")
    assert len({first, browser.cookies["qwicket_session"], "A" * 43}) == 3


def test_a_disabled_account_does_not_sign_in(
    site: LiveServer, provider: Provider, browser: Browser
) -> None:
    provider.set_user("sub-off", preferred_username="off")
    sign_in(browser, provider, "sub-off")
    site.admin("user", "disable", "off")
    assert browser.account() is None
    refused = sign_in(browser, provider, "sub-off")
    assert refused.status_code == 401
    assert "disabled" in refused.text


def test_without_the_setting_a_person_without_account_is_refused(
    provider: Provider, tmp_path: Path
) -> None:
    server = LiveServer(tmp_path, *IDLE, *provider.options)
    provider.set_user("sub-none", preferred_username="nona")
    with Browser(server.url) as browser:
        refused = sign_in(browser, provider, "sub-none")
        assert refused.status_code == 403
        assert "You have no account on this server" in refused.text
    assert "nona" not in server.admin("user", "list")
    assert server.stop() == 0


@pytest.mark.parametrize("is_verified", [True, False, "true", None])
def test_an_account_is_linked_by_an_address_that_the_provider_has_verified(
    provider: Provider, tmp_path: Path, is_verified: object
) -> None:
    server = LiveServer(tmp_path, *IDLE, *provider.options, "--oidc-link-email", "--no-passwords")
    server.as_admin(lambda admin: admin.add_account("kim", email="kim@example.org", password=None))
    subject = f"sub-kim-{is_verified}"
    claims = {"preferred_username": "other", "email": "KIM@example.org"}
    provider.set_user(subject, **claims, email_verified=is_verified)
    with Browser(server.url) as browser:
        refused = sign_in(browser, provider, subject)
        assert browser.account() == ("kim" if is_verified is True else None), refused.text
    assert server.stop() == 0


def test_nobody_can_claim_the_address_of_a_person_whose_account_is_linked_by_it(
    provider: Provider, tmp_path: Path
) -> None:
    server = LiveServer(tmp_path, *IDLE, *provider.options, "--oidc-link-email", "--oidc-create")
    code = server.admin("invitation", "add").partition("=")[2]
    page = f"/ui/invitation?code={code}"
    fields = {"code": code, "name": "trap", "password": "trap trap 1"}
    with Browser(server.url) as browser:
        assert 'name="email"' not in browser.get(page).text
        refused = browser.submit(page, "/ui/invitation", **fields, email="prof@example.org")
        assert (refused.status_code, "email: leave it out" in refused.text) == (400, True)
        assert browser.submit(page, "/ui/invitation", **fields).status_code == 303
    for name in ("prof", "trap"):
        email = {"prof": "prof@example.org", "trap": "trap@localhost"}[name]
        subject = f"sub-{name}"
        claims = {"preferred_username": name, "email": email, "email_verified": True}
        provider.set_user(subject, **claims)
        with Browser(server.url) as browser:
            sign_in(browser, provider, subject)
            assert browser.account() == {"prof": "prof", "trap": "trap-2"}[name]
    assert server.stop() == 0


def test_a_server_without_a_secret_signs_people_in_by_pkce_alone(
    provider: Provider, tmp_path: Path
) -> None:
    options = ("--oidc-issuer", provider.url, "--oidc-client-id", PUBLIC_CLIENT, "--oidc-create")
    server = LiveServer(tmp_path, *IDLE, *options)
    provider.set_user("sub-public", preferred_username="pub")
    with Browser(server.url) as browser:
        sign_in(browser, provider, "sub-public")
        assert browser.account() == "pub"
    assert server.stop() == 0


def test_a_wrong_secret_of_the_server_is_refused_and_logged(
    provider: Provider, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("wrong-secret")
    secret.chmod(0o600)
    options = ("--oidc-issuer", provider.url, "--oidc-client-id", CLIENT)
    server = LiveServer(tmp_path, *IDLE, *options, "--oidc-client-secret-file", str(secret))
    with Browser(server.url) as browser:
        assert sign_in(browser, provider, "ada").status_code == 401
    assert "invalid_client" in server.log.read_text()
    assert "wrong-secret" not in server.log.read_text()
    assert server.stop() == 0


def test_a_provider_that_does_not_respond_is_named(tmp_path: Path) -> None:
    options = ("--oidc-issuer", "http://127.0.0.1:9", "--oidc-client-id", "x")
    server = LiveServer(tmp_path, *IDLE, *options)
    with Browser(server.url) as browser:
        assert browser.get("/ui/sign-in").is_success
        failed = browser.get("/ui/provider")
        assert failed.status_code == 503
        assert "127.0.0.1:9 does not respond" in failed.text
        assert browser.get("/v1/sign-in").status_code == 503
    server.assert_calm()
    assert server.stop() == 0


# --- ID tokens ------------------------------------------------------------------------------------


def test_an_id_token_of_the_device_client_becomes_a_token(
    site: LiveServer, provider: Provider
) -> None:
    token = provider.signed(sub="sub-direct", preferred_username="direct")
    made = exchange(site, token, scopes=["jobs:read", "tokens:write"], life_s=3600)
    assert made.status_code == 201
    assert made.headers["cache-control"] == "no-store"
    assert made.json()["scopes"] == ["jobs:read", "tokens:write"]
    assert made.json()["project"] == "direct"
    assert made.json()["expires_at"]
    auth = {"Authorization": f"Bearer {made.json()['secret']}"}
    assert (
        httpx.get(f"{site.url}/v1/account", headers=auth, verify=False).json()["name"] == "direct"
    )
    usual = exchange(site, provider.signed(sub="sub-direct"))
    assert usual.json()["expires_at"], "without a wish it ends, too"


def test_a_token_has_no_right_that_the_account_may_not_give_itself(
    site: LiveServer, provider: Provider
) -> None:
    claims = {"sub": "sub-member", "preferred_username": "member"}
    refused = exchange(site, provider.signed(**claims), scopes=["admin"])
    assert refused.status_code == 403
    assert "admin" in refused.json()["detail"]
    made = exchange(site, provider.signed(**claims, groups=["staff"]), scopes=["admin"])
    assert made.status_code == 201
    assert exchange(site, provider.signed(**claims), project="lab").status_code == 404


def test_an_access_token_of_another_person_or_of_nobody_is_refused(
    site: LiveServer, provider: Provider, browser: Browser
) -> None:
    """Without the claims that it gives, the person would leave their groups' projects."""
    provider.set_user("sub-info", preferred_username="info", groups=["students"])
    sign_in(browser, provider, "sub-info")
    for access in ("x", "x y", "\xe9", "a\nb"):
        refused = exchange(site, provider.signed(sub="sub-info"), access_token=access)
        assert refused.status_code == 503
        assert "does not respond as it should" in refused.json()["detail"]
    members = site.as_admin(lambda admin: admin.members("class"))
    assert "info" in {each.name for each in members}


def test_an_id_token_is_used_once(site: LiveServer, provider: Provider) -> None:
    token = provider.signed(sub="sub-twice", preferred_username="twice")
    assert exchange(site, token).status_code == 201
    again = exchange(site, token)
    assert again.status_code == 401
    assert "was used before" in again.json()["detail"]


def test_an_id_token_is_used_once_by_two_servers_on_a_database(
    provider: Provider, postgres: PostgresServer, tmp_path: Path
) -> None:
    with postgres.database() as url:
        servers = [
            LiveServer(tmp_path / str(n), *IDLE, *provider.options, *OPTIONS, database_url=url)
            for n in range(2)
        ]
        token = provider.signed(sub="sub-two", preferred_username="two")
        assert [exchange(each, token).status_code for each in servers] == [201, 401]
        with Browser(servers[0].url) as browser, Browser(servers[1].url) as other:
            sign_in(browser, provider, "sub-two")
            other.set_cookie("qwicket_session", browser.cookies["qwicket_session"])
            assert other.account() == "two"
            browser.submit("/ui", "/ui/sign-out")
            assert not other.account()
        for each in servers:
            assert each.stop() == 0


def now(seconds: int) -> int:
    return int(time.time()) + seconds


@for_each(
    "claims, reason",
    [
        ({"exp": -120, "iat": -300}, "has expired"),
        ({"iat": -3600}, "was issued too long ago"),
        ({"iat": 3600}, "ID token is not valid"),
        ({"nbf": 3600}, "ID token is not valid"),
        ({"iss": "https://evil.example"}, "is from another issuer"),
        ({"iss": ["https://evil.example"]}, "is from another issuer"),
        ({"aud": "another"}, "is for another audience"),
        ({"aud": CLIENT}, "is for another audience"),
        ({"aud": ["another"]}, "is for another audience"),
        ({"aud": [DEVICE_CLIENT, "another"]}, "was issued to another client"),
        ({"azp": "another"}, "was issued to another client"),
        ({"nonce": "of a browser"}, "does not belong to this sign-in"),
        ({"sub": None}, "lacks sub"),
        ({"sub": 7}, "has no valid subject"),
        ({"sub": "x" * 256}, "has no valid subject"),
        ({"sub": "\0"}, "has no valid subject"),
        ({"exp": None}, "lacks exp"),
        ({"iat": None}, "lacks iat"),
        ({"aud": None}, "lacks aud"),
        ({"iss": None}, "lacks iss"),
    ],
)
def test_an_id_token_with_a_wrong_claim_is_refused(
    site: LiveServer, provider: Provider, claims: dict[str, Any], reason: str
) -> None:
    timed = {k: now(v) if k in ("exp", "iat", "nbf") and v else v for k, v in claims.items()}
    refused = exchange(site, provider.signed(**timed))
    assert refused.status_code == 401
    assert reason in refused.json()["detail"]


def usual_claims(provider: Provider) -> dict[str, Any]:
    return {
        "iss": provider.url,
        "sub": "boss",
        "aud": DEVICE_CLIENT,
        "iat": now(0),
        "exp": now(300),
    }


def forged(provider: Provider, kind: str) -> str:
    """Return an ID token that the provider has not signed."""
    claims, public = usual_claims(provider), provider.keys()[0]
    kid = {"kid": public["kid"]} if "kid" in public else {}
    if kind == "none":
        parts = provider.signed(**claims).split(".")
        nothing = jwt.encode({"alg": "HS256"}, {"alg": "none"}, OctKey.generate_key(256))
        return f"{nothing.split('.')[1]}.{parts[1]}."
    if kind == "wrong key":
        return jwt.encode({"alg": "RS256", **kid}, claims, RSAKey.generate_key(2048))
    if kind == "unknown key id":
        header = {"alg": "RS256", "kid": "unknown"}
        return jwt.encode(header, claims, RSAKey.generate_key(2048))
    if kind == "key in the header":
        key = RSAKey.generate_key(2048)
        return jwt.encode({"alg": "RS256", "jwk": key.as_dict(private=False)}, claims, key)
    if kind == "HS256 with the public key":
        pem = RSAKey.import_key(public).as_pem(private=False)  # type: ignore[arg-type]  # a JWK as JSON
        return hs256(claims, pem, kid)
    if kind == "changed claims":
        head, _, signature = provider.signed(**claims).split(".")
        other = provider.signed(**{**claims, "sub": "other"}).split(".")[1]
        return f"{head}.{other}.{signature}"
    return {"dots": "..", "text": "a.b.c"}[kind]


def hs256(claims: dict[str, Any], secret: bytes, kid: dict[str, str]) -> str:
    import base64
    import hashlib
    import hmac

    def encoded(content: bytes) -> str:
        return base64.urlsafe_b64encode(content).decode().rstrip("=")

    parts = [{"alg": "HS256", "typ": "JWT", **kid}, claims]
    signed = ".".join(encoded(json.dumps(each).encode()) for each in parts)
    return f"{signed}.{encoded(hmac.digest(secret, signed.encode(), hashlib.sha256))}"


@for_each(
    "kind",
    [
        *("none", "wrong key", "unknown key id", "key in the header"),
        *("HS256 with the public key", "changed claims", "dots", "text"),
    ],
)
def test_a_forged_id_token_is_refused(site: LiveServer, provider: Provider, kind: str) -> None:
    refused = exchange(site, forged(provider, kind))
    assert refused.status_code == 401, refused.text
    assert "The ID token is not valid" in refused.json()["detail"]


def test_refused_id_tokens_are_counted_and_limited(provider: Provider, tmp_path: Path) -> None:
    server = LiveServer(tmp_path, *IDLE, *provider.options, "--limit", "wrong_tokens=3")
    token = forged(provider, "wrong key")
    assert [exchange(server, token).status_code for _ in range(4)] == [401, 401, 401, 429]
    with Browser(server.url) as browser:
        assert browser.get("/ui/callback?code=x&state=x").status_code == 429
    metrics = httpx.get(f"{server.url}/metrics", verify=False).text
    assert "sign_in" in metrics or "wrong" in metrics
    assert server.stop() == 0


def test_a_new_key_of_the_provider_is_found(tmp_path: Path) -> None:
    with identity_provider() as provider:
        server = LiveServer(tmp_path, *IDLE, *provider.options, *OPTIONS)
        assert exchange(server, provider.signed(preferred_username="ada")).status_code == 201
        assert server.stop() == 0
        server.start()  # so that it has no keys yet, and reads them before the change
        assert exchange(server, forged(provider, "wrong key")).status_code == 401
        provider.change_key()
        token = provider.signed()

        def is_signed_in() -> bool:
            time.sleep(0.5)  # the server waits up to a minute, and each request costs it CPU time
            return exchange(server, token).status_code == 201

        until(is_signed_in, "the server reads the keys again", timeout_s=90)
        assert server.stop() == 0


# --- qwicket login --------------------------------------------------------------------------------


def login(
    site: LiveServer, home: Path, *arguments: str, stdin: int = subprocess.DEVNULL
) -> subprocess.Popen[str]:
    unset = {"QWICKET_TOKEN", "QWICKET_URL", "QWICKET_PROFILE"}
    environ = {k: v for k, v in os.environ.items() if k not in unset}
    return subprocess.Popen(
        [sys.executable, "-m", "qwicket", "login", "--url", site.url, *arguments],
        stdin=stdin,
        stderr=subprocess.PIPE,
        text=True,
        env={**environ, "XDG_CONFIG_HOME": str(home)},
    )


def approved(process: subprocess.Popen[str], provider: Provider, subject: str) -> str:
    """Enter the code that the command shows; return the rest of its output."""
    assert process.stderr
    with process:
        hosts = process.stderr.readline()
        assert hosts.endswith(f" asks you to sign in at {urlsplit(provider.url).netloc}.\n"), hosts
        line = process.stderr.readline()
        assert line.startswith(f"Open {provider.url}/device"), line + process.stderr.read()
        provider.approve_device(line.split()[-1], subject)
        return process.stderr.read()


def test_login_keeps_a_token_in_a_profile(
    site: LiveServer, provider: Provider, tmp_path: Path
) -> None:
    provider.set_user("sub-login", preferred_username="loginna", groups=["students"])
    process = login(site, tmp_path, "--expires", "2d", "--project", "class", "--yes")
    said = approved(process, provider, "sub-login")
    assert process.returncode == 0, said
    assert "Signed in at" in said
    folder = tmp_path / "qwicket"
    for file in (folder / "config.toml", folder / "default.token"):
        assert file.stat().st_mode & 0o777 == 0o600
    secret = (folder / "default.token").read_text().strip()
    assert secret not in said
    environ = {"XDG_CONFIG_HOME": str(tmp_path)}
    assert "loginna" in cli("account", env=environ)
    # Again: the profile stays, its token is replaced.
    process = login(site, tmp_path, "--scope", "jobs:read")
    said = approved(process, provider, "sub-login")
    assert process.returncode == 0, said
    assert (folder / "default.token").read_text().strip() != secret
    shown = json.loads(cli("account", "--json", env=environ))
    assert shown["token"]["scopes"] == ["jobs:read"]


def test_login_that_is_denied_keeps_nothing(
    site: LiveServer, provider: Provider, tmp_path: Path
) -> None:
    process = login(site, tmp_path, "--yes")
    said = approved(process, provider, "denied")
    assert process.returncode == 1
    assert "was refused at the identity provider" in said
    assert not [*tmp_path.rglob("*.token")]


def test_login_asks_before_a_new_server_gets_an_id_token(
    site: LiveServer, provider: Provider, tmp_path: Path
) -> None:
    done = run_cli("login", "--url", site.url, env={"XDG_CONFIG_HOME": str(tmp_path)})
    server, at = (urlsplit(each).netloc for each in (site.url, provider.url))
    assert done.returncode == 2
    assert f"The server {server} asks you to sign in at {at}." in done.stderr
    assert f"no profile for {server} yet. Give --yes if you trust this server" in done.stderr
    assert "Open" not in done.stderr
    assert not [*tmp_path.rglob("*.token")]


def test_a_person_at_a_terminal_decides_about_a_new_server(
    site: LiveServer, provider: Provider, tmp_path: Path
) -> None:
    for answer in ("y", "n"):
        controller, terminal = os.openpty()
        os.write(controller, f"{answer}\n".encode())
        with login(site, tmp_path, stdin=terminal) as process:
            assert process.stderr
            shown = [process.stderr.readline() for _ in range(3)]
            asked = shown[2].startswith("Do you trust this server? [y/N]: ")
            if answer == "y":
                provider.approve_device(shown[2].split()[-1], "denied")
            process.stderr.read()  # to its end, because it fails to write to a closed pipe
        os.close(controller)
        os.close(terminal)
        assert asked, shown
        assert ("Open" in shown[2], process.returncode) == (
            (True, 1) if answer == "y" else (False, 130)
        )


def test_login_leaves_a_token_alone_that_is_in_the_settings_file(
    site: LiveServer, tmp_path: Path
) -> None:
    config = tmp_path / "qwicket" / "config.toml"
    config.parent.mkdir()
    config.write_text(f'[profiles.default]\nurl = "{site.url}"\ntoken = "qw_x"\n')
    done = run_cli("login", "--url", site.url, env={"XDG_CONFIG_HOME": str(tmp_path)})
    assert done.returncode == 1
    assert "has no token_file" in done.stderr


def test_login_at_a_server_without_a_provider_says_so(server: LiveServer, tmp_path: Path) -> None:
    done = run_cli("login", "--url", server.url, env={"XDG_CONFIG_HOME": str(tmp_path)})
    assert done.returncode == 1
    assert "has no single sign-on" in done.stderr
    assert exchange(server, "a.b.c").status_code == 403
