"""Passwords of accounts that invitations create are hashed in lanes of their own."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

from qwicket.features.invitations.service import InvitationAdmin, Invitations
from qwicket.gateway import Gateway
from qwicket.gateway.admin import Admin
from qwicket.model.errors import Conflict
from unit.gateway.conftest import admin, clock, gateway, store
from unit.gateway.test_passwords import HERE, RIGHT, HeldHashes, caller, hashes

__all__ = ["admin", "clock", "gateway", "hashes", "store"]

pytestmark = pytest.mark.anyio


async def test_new_passwords_of_many_addresses_delay_no_other_request(
    gateway: Gateway, admin: Admin, hashes: HeldHashes
) -> None:
    # A single thread for all else that leaves the loop: one hash in it would delay the submission.
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
    await admin.add_account("ada", email=None, password=None)
    await admin.add_account("root", "admin", email=None, password=None)
    ada = await admin.create_token("ada")
    root = await admin.create_token("root", scopes=["admin"])
    invited = await InvitationAdmin(admin.store, admin.now_ms).add(
        project=None, uses=100, life_s=60
    )

    async def create(number: int) -> int:
        body = {"invitation": invited.code, "name": f"pupil{number}", "password": RIGHT}
        async with caller(gateway, f"192.0.2.{number}") as http:
            return (await http.post("/v1/accounts", json=body)).status_code

    async def administer(path: str, **body: str) -> int:
        async with caller(gateway, "192.0.2.99", root.secret) as http:
            sent = await http.post(f"/v1/admin/accounts{path}", json=body)
            return sent.status_code

    tasks = [asyncio.create_task(create(number)) for number in range(40)]
    tasks.append(asyncio.create_task(administer("", name="eve", password=RIGHT)))
    tasks.append(asyncio.create_task(administer("/ada/reset", password=RIGHT)))
    async with asyncio.timeout(30), caller(gateway, "198.51.100.1", ada.secret) as http:
        while hashes.n_begun < 2:
            await asyncio.sleep(0.005)
        job = {"device": "simulator", "program": "OPENQASM 3.0;" + " " * 200_000}
        assert (await http.post("/v1/jobs", json=job)).status_code == 400, "it was parsed"
        assert (await http.get("/v1/nothing")).status_code == 404
    assert hashes.n_begun == 2
    hashes.go_on.set()
    assert set(await asyncio.gather(*tasks)) == {200, 201}


async def test_a_taken_name_or_address_is_refused_before_a_password_is_hashed(
    gateway: Gateway, admin: Admin, hashes: HeldHashes
) -> None:
    await admin.add_account("ada", email="ada@lab.org", password=None)
    invited = await InvitationAdmin(admin.store, admin.now_ms).add(project=None, uses=1, life_s=60)
    for name, email in (("ada", None), ("bob", "ada@lab.org")):
        with pytest.raises(Conflict):
            await admin.add_account(name, email=email, password=RIGHT)
        with pytest.raises(Conflict):
            await gateway.feature(Invitations).accept(
                invited.code, name, HERE, email=email, password=RIGHT, has_token=False
            )
    assert hashes.n_begun == 0
