"""Names and rights of people who sign in at an identity provider."""

from __future__ import annotations

import pytest

from qwicket.gateway.single_sign_on import fitting_name
from qwicket.model.accounts import check_name
from qwicket.model.errors import NotFound
from qwicket.store import Store
from support.stores import NOW

ISSUER = "https://login.example.org"


@pytest.mark.parametrize(
    ("stated", "name"),
    [
        ("ada", "ada"),
        ("Ada.Lovelace@uni.example", "ada.lovelace"),
        ("Åse Ørsted", "ase-rsted"),
        ("UNI\\ada", "uni-ada"),
        ("_ada_", "ada_"),
        ("a" * 100, "a" * 39),
        ("a" * 38 + "!b", "a" * 38),
        ("devices", "devices-1"),
        ("...", ""),
        ("@example.org", ""),
        ("漢字", ""),
        ("", ""),
        ("\0\ud800x", "x"),
    ],
)
def test_a_name_at_the_provider_is_made_to_fit_ours(stated: str, name: str) -> None:
    assert fitting_name(stated) == name
    if name:
        assert check_name(name) == name


@pytest.mark.anyio
async def test_a_race_of_two_first_sign_ins_makes_one_account(store: Store) -> None:
    made = [
        await store.sessions.create_account(ISSUER, "sub", "ada", "ada@example.org", NOW)
        for _ in range(2)
    ]
    assert made[0] == made[1]
    with pytest.raises(NotFound):
        await store.accounts.by_name("ada-2")
