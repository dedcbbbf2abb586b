"""The page of an account's webhooks for a project."""

from __future__ import annotations

import re
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from html import unescape
from pathlib import Path

import httpx
import pytest
from standardwebhooks import Webhook

from support.axe import SCREENS, violations
from support.browser import browser
from support.pages import ERROR, Browser, Person, error_of, page_size, use_session
from support.receiver import Receiver, receiving
from support.server import LiveServer
from support.waiting import until

pytestmark = pytest.mark.extended

SECRET = re.compile(r"whsec_[A-Za-z0-9+/=]+")
MOST_BYTES = 60_000


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    live = LiveServer(tmp_path_factory.mktemp("webhooks"), "--allow-private-webhooks")
    yield live
    assert live.stop() == 0


@pytest.fixture
def ada(live: LiveServer) -> Iterator[Person]:
    with Person(live, "ada") as person:
        yield person


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as made:
        yield made


def at(person: Person) -> str:
    return f"/ui/projects/{person.name}/webhooks"


def add(person: Person, url: str, **fields: object) -> httpx.Response:
    path = at(person)
    return person.browser.submit(path, path, **{"url": url, "event": ["job.completed"], **fields})


def act(person: Person, action: str) -> httpx.Response:
    """Press a button of the only webhook."""
    (path,) = set(re.findall(rf'action="({at(person)}/.*?)"', person.browser.get(at(person)).text))
    return person.browser.submit(at(person), path, action=action)


def test_a_webhook_is_made_tested_rotated_and_deleted(ada: Person, receiver: Receiver) -> None:
    assert f'href="/ui/projects/{ada.name}"' in ada.browser.get("/ui/projects").text
    assert f'href="{at(ada)}"' in ada.browser.get(f"/ui/projects/{ada.name}").text
    made = add(ada, receiver.url(), device="simulator")
    (secret,) = set(SECRET.findall(unescape(made.text)))
    assert made.headers["cache-control"] == "no-store"
    listed = ada.browser.get(at(ada)).text
    assert "whsec_" not in listed
    for text in (receiver.url(), "job.completed", "simulator", "not yet", "active"):
        assert f"<td>{text}</td>" in listed
    job = ada.submit()
    (delivery,) = receiver.await_deliveries(1)
    assert delivery.event["data"]["id"] == job.id
    Webhook(secret).verify(delivery.body, delivery.headers)
    until(lambda: "<td>not yet</td>" not in ada.browser.get(at(ada)).text, "it is delivered")
    assert "The event was delivered (status 204)" in act(ada, "test").text
    assert receiver.deliveries[-1].event["type"] == "webhook.test"
    rotated = act(ada, "rotate")
    (other,) = set(SECRET.findall(unescape(rotated.text)))
    assert other != secret
    assert "former secret signs as well" in rotated.text
    act(ada, "test")
    Webhook(other).verify(receiver.deliveries[-1].body, receiver.deliveries[-1].headers)
    assert act(ada, "delete").headers["location"] == at(ada)
    assert "You have no webhooks for this project." in ada.browser.get(at(ada)).text
    assert ada.client.webhooks() == []


def test_a_webhook_that_fails_says_why(live: LiveServer, ada: Person, receiver: Receiver) -> None:
    receiver.answer, receiver.body = lambda _: 500, b"<b>broken</b>"
    add(ada, receiver.url())
    tested = act(ada, "test").text
    assert "The event was not delivered" in tested
    assert "(status 500)" in tested
    assert "&lt;b&gt;broken&lt;/b&gt;" in tested
    ada.submit()
    until(lambda: "fails since" in ada.browser.get(at(ada)).text, "the failure is shown")
    assert "500" in ada.browser.get(at(ada)).text
    with Person(live, "root", "admin") as root:
        person = f"/ui/admin/people/{ada.name}"
        overview = root.browser.get("/ui/admin").text
        assert f'href="{person}">A webhook of {ada.name} fails since ' in overview
        assert "fails since <time" in root.browser.get(person).text


def test_what_the_api_refuses_is_refused_and_what_was_written_stays(ada: Person) -> None:
    for fields in (
        {"url": "ftp://example.org"},
        {"url": "https://user@example.org/"},
        {"url": "https://example.org/" + "x" * 2_000},
        {"url": "https://example.org/", "event": []},
        {"url": "https://example.org/", "event": ["job.lost"]},
        {"url": "https://example.org/", "device": "none"},
    ):
        refused = add(ada, **fields)
        assert refused.status_code in (400, 404, 413), fields
        assert error_of(refused)
        assert f'value="{fields["url"]}"' in refused.text
    assert ada.client.webhooks() == []


def test_webhooks_of_another_account_are_out_of_reach(
    live: LiveServer, ada: Person, receiver: Receiver
) -> None:
    add(ada, receiver.url())
    (webhook,) = ada.client.webhooks()
    with Person(live, "bob") as bob:
        assert bob.browser.get(at(ada)).status_code == 404
        assert bob.browser.submit("/ui", at(ada), url=receiver.url()).status_code == 404
        for action in ("test", "rotate", "delete"):
            for path in (at(bob), at(ada)):
                stolen = bob.browser.submit("/ui", f"{path}/{webhook['id']}", action=action)
                assert stolen.status_code == 404, (path, action)
    with Browser(live.url) as nobody:
        assert nobody.get(at(ada)).headers["location"] == "/ui/sign-in"
    for path in (at(ada), f"{at(ada)}/{webhook['id']}"):
        form = {"url": receiver.url(), "action": "delete"}
        assert ada.browser.post(path, data=form).status_code == 403
    assert act(ada, "break").status_code == 400
    assert [each["id"] for each in ada.client.webhooks()] == [webhook["id"]]
    assert receiver.deliveries == []


def test_ten_webhooks_with_long_hostile_texts_are_text_on_a_small_page(
    live: LiveServer, ada: Person
) -> None:
    marks = ('"', "'", "&", "<b>", "{{7*7}}")
    for mark in marks * 2:
        assert add(ada, f"http://127.0.0.1/{(mark * 900)[:900]}").status_code == 200, mark
    assert "limit webhooks" in error_of(add(ada, "http://127.0.0.1/"))
    with closing(sqlite3.connect(live.folder / "data" / "qwicket.db", timeout=30)) as file, file:
        file.execute(
            "update webhook set failing_since = 1, disabled_at = 1, last_error = ?,"
            " disabled_reason = ? where url like 'http://127.0.0.1/%'",
            ("<script>alert(1)</script>" * 20, '"><img src=x>' * 40),
        )
    with Person(live, "root", "admin") as root:
        for path in ("/ui/admin", f"/ui/admin/people/{ada.name}"):
            assert page_size(root, path) <= MOST_BYTES
            assert not re.search(r"<(script|img)\b", root.browser.get(path).text), path
    page = ada.browser.get(at(ada))
    assert page_size(ada, at(ada)) <= MOST_BYTES
    assert not re.search(r"<(script|img|b)\b", page.text)
    assert not ERROR.search(page.text)


def test_the_page_is_accessible_and_works_without_scripts(
    live: LiveServer, ada: Person, receiver: Receiver
) -> None:
    receiver.body = b"x" * 500
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        browser(Path(folder)) as page,
    ):
        use_session(page, live, ada)

        def check() -> None:
            for width, scheme in SCREENS:
                page.set_screen(width, scheme)
                assert violations(page) == [], (width, scheme)
                assert page.run("document.scrollingElement.scrollWidth") <= width

        def press(label: str) -> None:
            """Press a button with keys alone."""
            page.run(
                "[...document.querySelectorAll('main button')].find("
                f"each => each.textContent === {label!r}).focus()"
            )
            page.wait_for_load(lambda: page.press("Enter", "\r"))

        def text() -> str:
            return str(page.run("document.querySelector('main').textContent"))

        page.open(live.url + at(ada), width=390)
        check()
        press("Add a webhook")
        assert "url must" in text()
        check()
        page.call("Emulation.setScriptExecutionDisabled", value=True)
        page.run("document.querySelector('[name=url]').focus()")
        page.write(receiver.url("/" + "long" * 50))
        press("Add a webhook")
        assert "whsec_" in text()
        press("Send a test event")
        assert "The event was delivered" in text()
        page.call("Emulation.setScriptExecutionDisabled", value=False)
        press("Replace the secret")
        assert "whsec_" in text()
        check()
        receiver.answer = lambda _: 500
        press("Send a test event")
        assert "The event was not delivered" in text()
        check()
        press("Delete")
        assert "You have no webhooks" in text()
        assert ada.client.webhooks() == []
        assert all(each.startswith((live.url, "data:")) for each in page.asked)
