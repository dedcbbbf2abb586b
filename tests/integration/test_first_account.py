"""From an empty folder to an administrator who is signed in, by the link that the server prints."""

from __future__ import annotations

import re
from pathlib import Path

from qwicket.gateway.admin import Admin
from qwicket.gateway.links import NewLink
from support.pages import PASSWORD, Browser
from support.server import LiveServer
from support.waiting import until

LINK = re.compile(r"^    (http://\S+)(/ui/link\?code=qw_\w+)$", re.MULTILINE)


def links(server: LiveServer) -> list[tuple[str, str]]:
    """Return the address and the page of each link that a server has printed."""
    return LINK.findall(server.log.read_text())


async def make_ada(admin: Admin) -> NewLink:
    await admin.add_account("ada", email=None, password=None)
    return await admin.make_password_link("ada")


def test_the_printed_link_makes_the_first_account_once(tmp_path: Path) -> None:
    server = LiveServer(tmp_path)
    ((address, page),) = until(lambda: links(server), "the link is printed")
    assert address == server.url
    fields = {"code": page.partition("=")[2], "name": "root"}
    with Browser(server.url) as browser:
        assert "no account yet" in browser.get(page).text
        wrong = browser.submit(page, "/ui/link", **fields, password="short")
        assert (wrong.status_code, 'value="root"' in wrong.text) == (400, True)
        made = browser.submit(page, "/ui/link", **fields, password=PASSWORD)
        assert (made.status_code, made.headers["location"]) == (303, "/ui")
        assert browser.get("/ui/admin").status_code in {200, 303}
        assert browser.get(page).status_code == 403
    with Browser(server.url) as browser:
        assert browser.sign_in("root", PASSWORD).status_code == 303
    with Browser(server.url) as browser:
        link = server.as_admin(make_ada)
        chosen = browser.submit(link.path, "/ui/link", code=link.code, password="battery staple")
        assert chosen.status_code == 303
        assert browser.account() == "ada"
    server.stop()
    server.start()
    assert server.stop() == 0
    assert len(links(server)) == 1
