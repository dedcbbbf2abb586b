"""The pages under `/ui`: sign-in with a password, sessions, tokens, and other sites' attempts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import httpx
import pytest

from qwicket.dialects.registration import DialectSettings
from qwicket.gateway import Gateway
from qwicket.model.states import JobState
from qwicket.pages.forms import csrf
from qwicket.pages.routes import application
from support.certificates import certificate
from support.pages import PASSWORD, TOKEN, Browser, add_account, error_of
from support.postgres import PostgresServer
from support.programs import BELL
from support.server import IDLE, LiveServer
from support.waiting import until

pytestmark = pytest.mark.extended

SVG_NAMESPACE = 'xmlns="http://www.w3.org/2000/svg"'  # a name, from which nothing is loaded
CSP = (
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none';"
    " form-action 'self'; frame-ancestors 'none'"
)


@pytest.fixture
def browser(server: LiveServer) -> Iterator[Browser]:
    with Browser(server.url) as made:
        yield made


@pytest.fixture
def ada(server: LiveServer, browser: Browser) -> str:
    """An account that is signed in."""
    name = add_account(server, "ada")
    assert browser.sign_in(name, PASSWORD).status_code == 303
    return name


# --- sign-in --------------------------------------------------------------------------------------


def test_a_person_signs_in_makes_a_token_and_signs_out(
    server: LiveServer, browser: Browser, ada: str
) -> None:
    assert browser.account() == ada
    made = browser.submit("/ui", "/ui/tokens", project=ada, days="7", scope=["jobs:read"])
    (secret,) = {*TOKEN.findall(made.text)}
    shown, folded, _ = made.text.partition('<details class="fold"')
    assert re.findall(r"export (\w+)=", shown) == ["QWICKET_TOKEN", "QWICKET_URL"]
    assert made.text.startswith(' id="programs">', len(shown + folded))
    assert secret not in browser.get("/ui/account").text
    auth = {"Authorization": f"Bearer {secret}"}
    assert "not yet" in browser.get("/ui/account").text
    account = httpx.get(f"{server.url}/v1/account", headers=auth).json()
    assert (account["name"], account["token"]["scopes"]) == (ada, ["jobs:read"])
    until(lambda: "not yet" not in browser.get("/ui/account").text, "the last use is stored")
    revoked = browser.submit("/ui", f"/ui/tokens/{account['token']['id']}/revoke")
    assert revoked.status_code == 303
    assert httpx.get(f"{server.url}/v1/account", headers=auth).status_code == 401
    missing = browser.get("/ui/none")
    assert (missing.status_code, f">{ada}</span>" in missing.text) == (404, True)
    assert '<form class="filters" action="/ui/jobs"><input class="search" name="q"' in missing.text
    assert browser.submit("/ui", "/ui/sign-out").headers["location"] == "/ui/sign-in"
    assert browser.account() is None
    missing = browser.get("/ui/none")
    assert (missing.status_code, ada in missing.text) == (404, False)
    assert "<form" not in missing.text


@pytest.mark.parametrize(("name", "password"), [("", ""), ("ada", "wrong"), ("\ud7ff", "x" * 5000)])
def test_a_wrong_password_is_refused_and_counted(
    server: LiveServer, browser: Browser, name: str, password: str
) -> None:
    refused = browser.sign_in(name, password)
    assert refused.status_code == 401
    assert error_of(refused) == "The name or the password is wrong."
    assert f'required value="{name[:254]}"' in refused.text
    assert browser.account() is None


def test_passwords_at_the_pages_share_the_limit_of_other_sign_ins(tmp_path: Path) -> None:
    server = LiveServer(tmp_path, *IDLE, "--limit", "password_tries=2")
    name = add_account(server, "ada")
    with Browser(server.url) as browser:
        body = {"email": name, "password": "wrong"}
        assert browser.post("/ibm/api/users/login", json=body).status_code == 401
        assert browser.sign_in(name, "wrong").status_code == 401
        over = browser.sign_in(name, "wrong")
        assert over.status_code == 429
        assert "password_tries" in over.text
        assert "retry-after" in over.headers
        assert browser.post("/ibm/api/users/login", json=body).status_code == 429
        assert browser.sign_in(name, PASSWORD).status_code == 303
    assert server.stop() == 0


def test_without_passwords_no_dialect_accepts_one(tmp_path: Path) -> None:
    server = LiveServer(tmp_path, *IDLE, "--no-passwords")
    name = add_account(server, "ada")
    with Browser(server.url) as browser:
        page = browser.get("/ui/sign-in").text
        assert "passwords are turned off" in page
        assert 'type="password"' not in page
        cookie = "x" * 32
        browser.set_cookie("qwicket_form", cookie)
        form = {"csrf": csrf(cookie), "name": name, "password": PASSWORD}
        by_form = browser.post("/ui/sign-in", data=form)
        assert by_form.status_code == 401
        assert "This server accepts no passwords" in error_of(by_form)
        body = {"email": name, "password": PASSWORD}
        refused = browser.post("/ibm/api/users/login", json=body)
        assert refused.status_code == 401
        assert "This server accepts no passwords" in refused.text
        token = server.token("bob")
        assert browser.post("/ibm/api/users/loginwithtoken", json={"apiToken": token}).is_success
    assert server.stop() == 0


# --- sessions -------------------------------------------------------------------------------------


def test_a_session_of_before_the_sign_in_is_worth_nothing(server: LiveServer) -> None:
    """Session fixation: an attacker sets a cookie in the victim's browser, and waits."""
    name = add_account(server, "ada")
    with Browser(server.url) as victim, Browser(server.url) as attacker:
        fixed = "A" * 43
        victim.set_cookie("qwicket_session", fixed)
        attacker.set_cookie("qwicket_session", fixed)
        assert victim.sign_in(name, PASSWORD).status_code == 303
        assert victim.account() == name
        assert attacker.account() is None
        own = victim.cookies["qwicket_session"]
        assert own != fixed
        assert victim.sign_in(name, PASSWORD).status_code == 303
        attacker.set_cookie("qwicket_session", own)
        assert attacker.account() is None, "the session before has ended"


def test_a_cookie_is_for_the_pages_alone_and_for_no_script(browser: Browser, ada: str) -> None:
    response = browser.sign_in(ada, PASSWORD)
    cookies = {each.partition("=")[0]: each for each in response.headers.get_list("set-cookie")}
    attributes = {each.strip().lower() for each in cookies["qwicket_session"].split(";")[1:]}
    assert attributes == {"path=/ui", "httponly", "samesite=lax", "max-age=43200"}
    for path in ("/v1/account", "/docs", "/"):
        assert "cookie" not in browser.get(path).request.headers, path


def test_a_session_gives_no_access_to_a_dialect(browser: Browser, ada: str) -> None:
    cookie = f"qwicket_session={browser.cookies['qwicket_session']}"
    assert browser.get("/v1/account", headers={"Cookie": cookie}).status_code == 401


def test_under_tls_a_cookie_is_secure(tmp_path: Path) -> None:
    files = certificate(tmp_path)
    server = LiveServer(
        tmp_path, *IDLE, "--tls-cert", str(files.chain), "--tls-key", str(files.key)
    )
    with Browser(server.url) as browser:
        cookie = browser.get("/ui/sign-in").headers["set-cookie"]
        assert "Secure" in cookie.split("; ")
    assert server.stop() == 0


def test_behind_a_path_of_a_proxy_addresses_and_cookies_have_its_prefix(tmp_path: Path) -> None:
    server = LiveServer(tmp_path, *IDLE, "--public-url", "https://lab.example.org/quantum/")
    with Browser(server.url) as browser:
        page = browser.get("/ui/sign-in")
        assert 'action="/quantum/ui/sign-in"' in page.text
        assert {"Secure", "Path=/quantum/ui"} <= {*page.headers["set-cookie"].split("; ")}
        assert browser.get("/ui").headers["location"] == "/quantum/ui/sign-in"
    assert server.stop() == 0


@pytest.mark.parametrize("act", ["sign out", "disable"])
def test_the_end_of_a_session_is_the_end_on_all_servers(
    postgres: PostgresServer, tmp_path: Path, act: str
) -> None:
    with postgres.database() as url:
        servers = [
            LiveServer(tmp_path / str(number), *IDLE, database_url=url) for number in range(2)
        ]
        first, second = servers
        name = add_account(first, "ada")
        with Browser(first.url) as browser, Browser(second.url) as other:
            browser.sign_in(name, PASSWORD)
            cookie = browser.cookies["qwicket_session"]
            other.set_cookie("qwicket_session", cookie)
            assert other.account() == name
            if act == "sign out":
                browser.submit("/ui", "/ui/sign-out")
            else:
                first.admin("user", "disable", name)
            assert other.account() is None
        for server in servers:
            assert server.stop() == 0


def test_a_session_survives_a_restart_and_only_its_digest_is_stored(tmp_path: Path) -> None:
    server = LiveServer(tmp_path, *IDLE)
    name = add_account(server, "ada")
    with Browser(server.url) as browser:
        browser.sign_in(name, PASSWORD)
        assert server.stop() == 0
        server.start()
        assert browser.account() == name
        cookie = browser.cookies["qwicket_session"].encode()
    assert server.stop() == 0
    files = [each for each in tmp_path.rglob("*") if each.is_file()]
    assert files
    assert not [each for each in files if cookie in each.read_bytes()]


# --- other sites ----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/ui/tokens", "/ui/sign-out", "/ui/tokens/x/revoke"])
@pytest.mark.parametrize("field", [None, "", "0" * 64, "\xe9"])
def test_a_form_without_the_pages_field_is_refused(
    browser: Browser, ada: str, path: str, field: str | None
) -> None:
    refused = browser.post(path, data={} if field is None else {"csrf": field})
    assert refused.status_code == 403
    assert "not from this site" in refused.text
    assert f">{ada}</span>" in refused.text, "an error keeps the head of a person's page"
    assert browser.account() == ada
    assert "You have no tokens." in browser.get("/ui/account").text


def test_every_form_of_the_pages_needs_the_field(server: LiveServer) -> None:
    name = add_account(server, "root", "admin")
    routes_alone = cast(Gateway, SimpleNamespace(now_ms=None))
    made = application(routes_alone, DialectSettings())
    posts = [each.path for each in made.routes if each.method == "POST"]
    assert len(posts) >= 13
    with Browser(server.url) as browser:
        browser.sign_in(name, PASSWORD)
        for path in posts:
            at = f"/ui{re.sub('{.*?}', 'accounts', path)}"
            for data in ({}, {"csrf": "0" * 64}):
                refused = browser.post(at, data=data)
                assert (refused.status_code, "not from this site" in refused.text) == (403, True), (
                    at
                )
        assert browser.account() == name


def test_a_form_of_another_browser_is_refused(
    server: LiveServer, browser: Browser, ada: str
) -> None:
    other = add_account(server, "bob")
    with Browser(server.url) as attacker:
        attacker.sign_in(other, PASSWORD)
        field = attacker.csrf("/ui")
        assert browser.post("/ui/sign-out", data={"csrf": field}).status_code == 403
        # A sign-in that another site sends would sign the person in to the attacker's account.
        field = attacker.csrf("/ui/sign-in")
    data = {"csrf": field, "name": other, "password": PASSWORD}
    assert browser.post("/ui/sign-in", data=data).status_code == 403
    assert browser.account() == ada


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_form_that_the_browser_says_is_another_sites_is_refused(
    browser: Browser, ada: str, site: str
) -> None:
    data = {"csrf": browser.csrf("/ui")}
    assert browser.post("/ui/sign-out", data=data, headers={"Sec-Fetch-Site": site}).is_error
    assert browser.account() == ada


@pytest.mark.parametrize(
    "query", ["next=https://example.org", "next=//example.org", "return_to=/\\example.org"]
)
def test_no_request_names_where_a_sign_in_leads(
    server: LiveServer, browser: Browser, query: str
) -> None:
    name = add_account(server, "ada")
    assert "example.org" not in browser.get(f"/ui/sign-in?{query}").text
    data = {"csrf": browser.csrf("/ui/sign-in"), "name": name, "password": PASSWORD}
    response = browser.post(f"/ui/sign-in?{query}", data=data)
    assert (response.status_code, response.headers["location"]) == (303, "/ui")


def test_first_steps_stay_until_each_is_done_or_they_are_hidden(
    server: LiveServer, browser: Browser, ada: str
) -> None:
    def left(reader: Browser) -> list[str]:
        """Return the buttons of the steps that are not done."""
        steps = reader.get("/ui").text.partition('<ol class="first')[2].partition("</ol>")[0]
        return re.findall(r'<a class="btn[^"]*" href="[^"]*">(.*?)</a>', steps)

    every = ["Run a Bell pair", "Make a token", "Choose a client"]
    assert left(browser) == every
    made = browser.submit("/ui", "/ui/tokens", scope=["jobs:read", "jobs:write"])
    assert left(browser) == ["Run a Bell pair", "Choose a client"]
    program = {"program": json.dumps(BELL), "device": "simulator", "shots": "10", "action": "run"}
    assert browser.submit("/ui/jobs/new", "/ui/jobs/new", **program).status_code == 303
    assert left(browser) == ["Choose a client"]
    auth = {"Authorization": f"Bearer {TOKEN.findall(made.text)[0]}"}
    account = httpx.get(f"{server.url}/v1/account", headers=auth).json()
    until(lambda: left(browser) == [], "the use of the token is stored")
    browser.submit("/ui", f"/ui/tokens/{account['token']['id']}/revoke")
    assert left(browser) == []
    with Browser(server.url) as other:
        other.sign_in(add_account(server, "bob"), PASSWORD)
        assert left(other) == every
        hidden = other.submit("/ui", "/ui/hide-first-steps")
        assert (hidden.headers["location"], left(other)) == ("/ui", [])


def test_the_documentation_has_the_theme_that_a_person_prefers(
    server: LiveServer, browser: Browser, ada: str
) -> None:
    def theme(reader: Browser) -> list[str]:
        response = reader.get("/docs/style.css")
        assert response.headers["vary"] == "Accept-Encoding, Cookie"
        return re.findall(r":root \{ color-scheme: (light|dark); \}", response.text)

    assert theme(browser) == []
    preferred = browser.submit("/ui/account", "/ui/account/preferences", theme="dark")
    assert preferred.status_code == 303
    assert theme(browser) == ["dark"]
    with Browser(server.url) as other:
        other.sign_in(ada, PASSWORD)
        assert theme(other) == ["dark"]
    browser.submit("/ui/account", "/ui/sign-out")
    assert theme(browser) == []


def test_the_foot_leads_to_how_this_server_is_used(
    server: LiveServer, browser: Browser, ada: str
) -> None:
    with Browser(server.url) as nobody:
        for path in ("/ui/sign-in", "/docs/errors"):
            response = nobody.get(path)
            (found,) = {*re.findall(r'href="([^"]*)">Using this server', response.text)}
            assert response.url.join(found).path == "/ui/help"
        page = nobody.get("/ui/help")
        assert (page.status_code, "Sign out" in page.text) == (200, False)
    assert f"export QWICKET_URL={server.url}" in page.text
    assert re.search(rf"pip install &#34;qwicket @ {server.url}/dist/qwicket-\S+whl", page.text)
    assert f"connect(&#34;{server.url}&#34;)" in page.text
    assert re.findall("<code>([a-z]+)</code></td>", page.text) == [*JobState]
    assert f">{ada}</span>" in browser.get("/ui/help").text


def test_no_page_has_a_script_or_a_style_in_it_or_names_another_host(
    browser: Browser, ada: str
) -> None:
    paths = (
        "/ui/projects",
        "/ui/devices",
        "/ui/account",
        "/ui/sign-in",
        "/ui/style.css",
        "/ui/none",
        "/ui/tokens",
    )
    for path in paths:
        response = browser.get(path)
        assert response.headers["content-security-policy"] == CSP, path
        assert response.headers["referrer-policy"] == "same-origin"
        assert response.headers["x-content-type-options"] == "nosniff"
        if path != "/ui/style.css":
            assert response.headers["cache-control"] == "no-store"
        text = response.text.replace(SVG_NAMESPACE, "")
        assert not re.search(r"<script|<style|\bstyle=|\bon\w+=|https?://|//[a-z]", text), path


@pytest.mark.parametrize("name", ["<b>x</b>", '"><script>alert(1)</script>'])
def test_what_a_client_sends_is_escaped(browser: Browser, ada: str, name: str) -> None:
    response = browser.submit("/ui", "/ui/tokens", scope=[name])
    assert response.status_code == 400
    assert name not in response.text
    assert "&lt;" in response.text


@pytest.mark.parametrize(
    "content", [b"\xff", b"name=%00", b"name=%ff", b"&".join(b"a=b" for _ in range(65))]
)
def test_a_body_that_is_no_form_is_refused(browser: Browser, content: bytes) -> None:
    assert browser.post("/ui/sign-in", content=content).status_code == 400


@pytest.mark.parametrize(
    "path", ["/ui/tokens", "/ui/sign-out", "/ui/tokens/0190f5fe-0000-7000-8000-000000000000/revoke"]
)
def test_nobody_who_is_not_signed_in_reaches_an_account(browser: Browser, path: str) -> None:
    refused = browser.post(path, data={"csrf": "x"})
    assert refused.status_code == 401
    assert "You are not signed in" in refused.text


def test_a_token_of_another_account_cannot_be_revoked(
    server: LiveServer, browser: Browser, ada: str
) -> None:
    other = server.token(server.unused("bob"))
    auth = {"Authorization": f"Bearer {other}"}
    token = browser.get("/v1/account", headers=auth).json()["token"]["id"]
    assert browser.submit("/ui", f"/ui/tokens/{token}/revoke").status_code == 404
    assert browser.get("/v1/account", headers=auth).status_code == 200


def test_a_person_looks_after_their_account(server: LiveServer, browser: Browser, ada: str) -> None:
    page = "/ui/account"
    made = browser.submit(page, "/ui/tokens", name="laptop", scope=["jobs:read"], device="clifford")
    auth = {"Authorization": f"Bearer {TOKEN.findall(made.text)[0]}"}
    shown = browser.get(page).text
    assert "laptop" in shown
    assert "read jobs, on clifford only" in shown
    assert "Your account has no password" not in shown
    with Browser(server.url) as other:
        other.headers["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64) Firefox/152.0"
        assert other.sign_in(ada, PASSWORD).status_code == 303
        assert "Firefox on Linux" in browser.get(page).text
        wrong = browser.submit(page, f"{page}/password", old="x", new="battery staple")
        assert (wrong.status_code, "The current password is wrong" in wrong.text) == (400, True)
        changed = browser.submit(page, f"{page}/password", old=PASSWORD, new="battery staple")
        assert changed.headers["location"] == f"{page}?done=password"
        assert (browser.account(), other.account()) == (ada, None)
        assert other.sign_in(ada, "battery staple").status_code == 303
        browser.submit(page, f"{page}/end-sessions")
        assert (browser.account(), other.account()) == (ada, None)
    wanted = {"time_zone": "Asia/Tokyo", "theme": "dark"}
    assert browser.submit(page, f"{page}/preferences", **wanted).status_code == 303
    dark = browser.get(page).text
    assert 'data-theme="dark"' in dark
    assert 'Times are in Asia/Tokyo. <a href="/ui/account#preferences">Change</a>' in dark
    assert httpx.get(f"{server.url}/v1/account", headers=auth).status_code == 200
    browser.submit(page, f"{page}/revoke-tokens")
    assert httpx.get(f"{server.url}/v1/account", headers=auth).status_code == 401


def test_days_that_are_no_number_are_refused(browser: Browser, ada: str) -> None:
    for days in ("x", "-1", "0", "1.5", "999999", "٣"):
        response = browser.submit("/ui", "/ui/tokens", days=days)
        assert response.status_code == 400, days
    assert "You have no tokens." in browser.get("/ui/account").text
