"""One account's requests that are parsed in threads do not delay another's."""

from __future__ import annotations

import asyncio
import hashlib
import re
import threading
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from qwicket.cli.options import DataLocation, as_admin
from qwicket.dialects.bodies import check_document
from qwicket.gateway.admin import Admin
from qwicket.server.app import App
from qwicket.server.settings import Settings
from support import braket
from support.pages import FIELD, PASSWORD

pytestmark = pytest.mark.anyio

N_CONNECTIONS = 32
INVALID = "OPENQASM 3.0;" + " " * 200_000


class HeldParsing:
    """Bodies with a tag `held` are parsed and do not end before `go_on`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.n_begun = 0
        self.go_on = threading.Event()

        def check_or_hold(document: Any, field: str, limits: Any) -> None:
            if field == "tags" and b"held" in bytes(document):
                self.n_begun += 1
                assert self.go_on.wait(60)
            check_document(document, field, limits)

        monkeypatch.setattr("qwicket.dialects.native.wire.check_document", check_or_hold)


@pytest.fixture
def parsing(monkeypatch: pytest.MonkeyPatch) -> Iterator[HeldParsing]:
    held = HeldParsing(monkeypatch)
    yield held
    held.go_on.set()


@pytest.fixture
def tokens(tmp_path: Path) -> dict[str, str]:
    async def make(admin: Admin) -> dict[str, str]:
        for name in ("ada", "eve"):
            await admin.add_account(name, email=None, password=PASSWORD)
        await admin.add_account("root", "admin", email=None, password=None)
        made = {name: (await admin.create_token(name)).secret for name in ("ada", "eve")}
        return {**made, "root": (await admin.create_token("root", scopes=["admin"])).secret}

    return as_admin(DataLocation(tmp_path, None), make)


@pytest.fixture
async def http(tmp_path: Path, tokens: dict[str, str]) -> AsyncIterator[httpx.AsyncClient]:
    app = App(Settings(data_dir=tmp_path, workers=1))
    await app.start()
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client
    await app.stop()


async def test_bodies_of_one_account_delay_no_other_account(
    http: httpx.AsyncClient, tokens: dict[str, str], parsing: HeldParsing
) -> None:
    async def submit(name: str, *tags: str) -> int:
        headers = {"Authorization": f"Bearer {tokens[name]}"}
        body = {"device": "simulator", "program": INVALID, "tags": tags}
        return (await http.post("/v1/jobs", headers=headers, json=body)).status_code

    held = [asyncio.create_task(submit("eve", "held")) for _ in range(N_CONNECTIONS)]
    async with asyncio.timeout(30):
        while not parsing.n_begun:
            await asyncio.sleep(0.005)
        assert await submit("ada") == 400, "it was parsed"
    assert parsing.n_begun == 1
    parsing.go_on.set()
    assert set(await asyncio.gather(*held)) <= {400, 429}, "429: too many wait for a parser"


async def test_many_requests_of_one_account_are_not_all_handled_before_anothers(
    http: httpx.AsyncClient, tokens: dict[str, str]
) -> None:
    ended = []

    async def read(name: str) -> None:
        headers = {"Authorization": f"Bearer {tokens[name]}"}
        assert (await http.get("/v1/account", headers=headers)).status_code == 200
        ended.append(name)

    for name in ("ada", "eve"):
        await read(name)  # imports and reads of tokens
    ended.clear()
    await asyncio.gather(*map(read, [*["eve"] * N_CONNECTIONS, "ada"]))
    assert ended.index("ada") < N_CONNECTIONS // 2


async def test_the_editor_packs_long_programs_in_a_thread_of_its_account(
    http: httpx.AsyncClient, tokens: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def post(page: str, path: str, **fields: str) -> httpx.Response:
        csrf = FIELD.search((await http.get(page)).text)
        assert csrf
        return await http.post(path, data={"csrf": csrf[1], **fields})

    signed_in = await post("/ui/sign-in", "/ui/sign-in", name="ada", password=PASSWORD)
    assert signed_in.status_code == 303
    threads = []

    def noting(call: Callable[..., Any]) -> Callable[..., Any]:
        def noted(*arguments: Any, **options: Any) -> Any:
            threads.append((call.__name__, threading.current_thread().name.rpartition("_")[0]))
            return call(*arguments, **options)

        return noted

    for name in ("compress", "compressobj", "decompressobj"):
        monkeypatch.setattr(zlib, name, noting(getattr(zlib, name)))
    long = await post("/ui/jobs/new", "/ui/jobs/new", program=INVALID[:90_000], action="check")
    packed = re.search(r'name="packed" value="(.*?)"', long.text)
    assert packed
    edited = await post("/ui/jobs/new", "/ui/jobs/new", packed=packed[1], action="edit")
    assert edited.headers["Content-Encoding"] == "gzip"
    assert threads[:3] == [(name, "owner") for name in ("compressobj", "decompressobj", "compress")]


class LargeHashes:
    """Notes in which threads more than 64 kB are hashed at once."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.threads: list[str] = []
        original = hashlib.sha256

        def noted(text: bytes = b"", **options: Any) -> Any:
            if len(text) > 64 << 10:
                self.threads.append(threading.current_thread().name.rpartition("_")[0])
            return original(text, **options)

        monkeypatch.setattr(hashlib, "sha256", noted)


async def test_a_large_program_is_hashed_once_in_a_thread_of_its_account(
    http: httpx.AsyncClient, tokens: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    hashes = LargeHashes(monkeypatch)
    headers = {"Authorization": f"Bearer {tokens['ada']}", "Idempotency-Key": "one"}
    program = "OPENQASM 3.0; qubit q; bit c; c = measure q;" + " " * 200_000
    body = {"device": "simulator", "program": program}
    sent = await http.post("/v1/jobs", headers=headers, json=body)
    again = await http.post("/v1/jobs", headers=headers, json=body)
    assert again.json()["id"] == sent.json()["id"]
    assert hashes.threads == ["owner", "owner"]


async def test_a_large_result_of_braket_is_hashed_in_a_thread_of_its_account(
    http: httpx.AsyncClient, tokens: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = {"Authorization": f"Bearer {tokens['root']}"}
    new = {"aws": True, "scopes": ["jobs:read", "jobs:write", "devices:read"]}
    made = await http.post("/v1/admin/accounts/ada/tokens", headers=root, json=new)
    pair = f"{made.json()['aws_key_id']} {made.json()['secret']}"
    body = braket.body(shots=30_000)
    signed = braket.Signature(pair, "braket")
    task = await http.post("/braket/quantum-task", json=body, auth=signed)
    job = task.json()["quantumTaskArn"].rpartition("/")[2]
    hashes = LargeHashes(monkeypatch)
    path = f"/s3/{braket.BUCKET}/{braket.PREFIX}/{job}/results.json"
    async with asyncio.timeout(60):
        while (found := await http.get(path, auth=braket.Signature(pair, "s3"))).is_error:
            await asyncio.sleep(0.05)
    assert len(found.content) > 64 << 10
    assert hashes.threads == ["owner"]
