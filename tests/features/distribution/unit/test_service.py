"""To whom a server offers its package, and that it makes it once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from click.testing import CliRunner

from qwicket.cli import main
from qwicket.dialects.requests import Request
from qwicket.features.distribution.commands import find_install_command
from qwicket.features.distribution.service import Dist, NotEncrypted
from qwicket.model.errors import NotFound
from qwicket.snippets import HOW_TO_INSTALL
from support.ports import held_port


def request(scheme: str, client: str, *names: bytes) -> Request[Any]:
    headers = [(b"host", b"127.0.0.1"), *[(name, b"x") for name in names]]
    scope = {"type": "http", "http_version": "1.1", "scheme": scheme, "client": (client, 1)}
    return Request({**scope, "headers": headers})


HERE = request("http", "127.0.0.1")
ELSEWHERE = request("http", "192.0.2.1")
PROXIED = request("http", "127.0.0.1", b"x-forwarded-for")
TLS = request("https", "192.0.2.1")


async def is_offered(dist: Dist, asked: Request[Any]) -> bool:
    try:
        await dist.wheel(asked)
    except NotEncrypted:
        return False
    return True


def test_it_is_offered_over_tls_or_to_this_machine_unless_the_setting_says_otherwise() -> None:
    async def offered(setting: str) -> list[bool]:
        dist = Dist(setting)
        return [await is_offered(dist, each) for each in (HERE, TLS, ELSEWHERE, PROXIED)]

    assert asyncio.run(offered("tls")) == [True, True, False, False]
    assert asyncio.run(offered("all")) == [True, True, True, True]
    with pytest.raises(NotFound, match="--dist off"):
        asyncio.run(offered("off"))


def test_a_command_is_printed_where_it_would_succeed() -> None:
    async def commands(setting: str) -> list[bool]:
        dist = Dist(setting)
        urls = ("https://lab.example.org/q/", "http://[::1]:8000", "http://lab.example.org")
        found = [await dist.command(url) for url in urls]
        assert found[0] is None or found[0].startswith(
            'pip install "qwicket @ https://lab.example.org/q/dist/qwicket-'
        )
        return [each is not None for each in found]

    assert asyncio.run(commands("tls")) == [True, True, False]
    assert asyncio.run(commands("all")) == [True, True, True]
    assert asyncio.run(commands("off")) == [False, False, False]


def test_all_requests_share_one_wheel_that_equals_another_build() -> None:
    async def made() -> Any:
        dist = Dist("tls")
        cut = asyncio.create_task(dist.wheel(HERE))
        await asyncio.sleep(0)
        cut.cancel()  # its client has gone
        first, *others = await asyncio.gather(*[dist.wheel(HERE) for _ in range(20)])
        assert all(each is first for each in others)
        return first

    assert asyncio.run(made()) == asyncio.run(made())


def test_a_program_without_a_server_says_whom_to_ask() -> None:
    url = f"http://127.0.0.1:{held_port()}"
    printed = CliRunner().invoke(main, ["snippet", "python", "--url", url]).stdout
    assert f"\n# {HOW_TO_INSTALL}\nimport qwicket\n" in printed


def test_no_command_comes_over_http_from_another_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    # Whoever answers there may not be the server, so nothing is asked.
    monkeypatch.setattr("qwicket.clients.http.HTTPClient", None, raising=False)
    assert find_install_command("http://lab.example.org") is None
