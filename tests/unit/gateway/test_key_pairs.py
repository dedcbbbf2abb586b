"""Key pairs: a secret from a master key that is outside the database."""

from __future__ import annotations

from pathlib import Path

import pytest

from qwicket.gateway.admin import Admin
from qwicket.gateway.key_pairs import KeyPairs
from qwicket.gateway.signin import SignIn
from qwicket.model.errors import InvalidRequest, Unauthenticated, Unavailable
from qwicket.model.limits import Limits
from qwicket.store import Store
from unit.gateway.conftest import Clock

pytestmark = pytest.mark.anyio


def pairs(store: Store, clock: Clock, path: Path | None) -> KeyPairs:
    return KeyPairs(store, path, clock)


async def test_the_secret_of_a_key_id_is_found_again_by_another_server(
    store: Store, clock: Clock, tmp_path: Path
) -> None:
    made = await pairs(store, clock, tmp_path / "keys").create()
    assert await pairs(store, clock, tmp_path / "keys").secret(made.key_id) == made.secret
    other = await pairs(store, clock, tmp_path / "keys").create()
    assert other.secret != made.secret


async def test_the_file_is_for_its_owner_alone(store: Store, clock: Clock, tmp_path: Path) -> None:
    await pairs(store, clock, tmp_path / "keys").create()
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o600
    (tmp_path / "keys").chmod(0o604)
    with pytest.raises(InvalidRequest, match="0600"):
        await pairs(store, clock, tmp_path / "keys").check()


async def test_the_database_holds_no_secret(store: Store, clock: Clock, tmp_path: Path) -> None:
    admin = Admin(store, clock, tmp_path / "keys")
    await admin.add_account("ada", email=None, password=None)
    made = await admin.create_token("ada", aws=True)
    assert made.aws_key_id is not None
    master = (tmp_path / "keys").read_text().split()[1]
    files = [tmp_path / f"qwicket.db{end}" for end in ("", "-wal")]
    stored = b"".join(file.read_bytes() for file in files if file.exists())
    for secret in (made.secret.encode(), made.aws_key_id.encode(), bytes.fromhex(master)):
        assert secret not in stored
    assert made.secret not in repr(made)


async def test_another_master_key_is_refused(store: Store, clock: Clock, tmp_path: Path) -> None:
    await pairs(store, clock, tmp_path / "keys").create()
    (tmp_path / "other").write_text(f"1 {'ab' * 32}\n")
    (tmp_path / "other").chmod(0o600)
    with pytest.raises(Unavailable, match="version 1 is not the master key"):
        await pairs(store, clock, tmp_path / "other").check()
    with pytest.raises(Unavailable, match="not there"):
        await pairs(store, clock, tmp_path / "missing").create()
    assert not (tmp_path / "missing").exists()


async def test_old_pairs_stay_valid_after_a_rotation(
    store: Store, clock: Clock, tmp_path: Path
) -> None:
    path = tmp_path / "keys"
    running = pairs(store, clock, path)
    old = await running.create()
    with path.open("a") as file:
        file.write(f"2 {'cd' * 32}\n")
    new = await pairs(store, clock, path).create()
    assert (old.key_id[4], new.key_id[4]) == ("A", "B")
    for each in (old, new):
        assert await running.secret(each.key_id) == each.secret
    assert await running.secret("QWAKC" + "A" * 15) is None


@pytest.mark.parametrize(
    "text", ["nothing", f"0 {'ab' * 32}", f"33 {'ab' * 32}", "1 ab", f"1 {'ab' * 32}\n" * 2]
)
async def test_a_malformed_file_is_refused(
    store: Store, clock: Clock, tmp_path: Path, text: str
) -> None:
    (tmp_path / "keys").write_text(text)
    (tmp_path / "keys").chmod(0o600)
    with pytest.raises(InvalidRequest, match=r"line [12] must be"):
        await pairs(store, clock, tmp_path / "keys").check()


async def test_without_a_file_there_are_no_pairs(store: Store, clock: Clock) -> None:
    with pytest.raises(InvalidRequest, match="QWICKET_AWS_MASTER_FILE"):
        await pairs(store, clock, None).create()


async def test_a_file_that_cannot_be_written_is_an_error(
    store: Store, clock: Clock, tmp_path: Path
) -> None:
    with pytest.raises(Unavailable, match="cannot be written"):
        await pairs(store, clock, tmp_path / "none" / "keys").create()


async def test_a_pair_that_is_joined_by_a_dot_is_a_token(
    store: Store, clock: Clock, tmp_path: Path
) -> None:
    admin = Admin(store, clock, tmp_path / "keys")
    await admin.add_account("ada", email=None, password=None)
    made = await admin.create_token("ada", aws=True, scopes=["jobs:read"])
    sign_in = SignIn(
        *(store, Limits().sign_in, clock),
        key_pairs=lambda: pairs(store, clock, tmp_path / "keys"),
    )
    actor = await sign_in.by_token(f"{made.aws_key_id}.{made.secret}", "::1")
    assert (actor.token, {*actor.scopes}) == (made.token.id, {"jobs:read"})
    wrong = ("A" if made.secret[0] != "A" else "B") + made.secret[1:]
    for text in (
        f"{made.aws_key_id}.{wrong}",
        f"{made.aws_key_id}.",
        f"{made.aws_key_id}.{made.secret}x",
        f"QWAKA{'A' * 15}.{made.secret}",
        f"QWAKB{'A' * 15}.{made.secret}",
    ):
        with pytest.raises(Unauthenticated):
            await sign_in.by_token(text, "::1")
    assert sign_in.wrong_tokens == 3  # malformed ones are no guesses


async def test_a_pair_ends_with_its_token_and_signs_in_nowhere_else(
    store: Store, clock: Clock, tmp_path: Path
) -> None:
    admin = Admin(store, clock, tmp_path / "keys")
    await admin.add_account("ada", email=None, password=None)
    made = await admin.create_token("ada", aws=True, scopes=["jobs:read"])
    assert made.aws_key_id is not None
    sign_in = SignIn(store, Limits().sign_in, clock)
    actor = await sign_in.by_key_id(made.aws_key_id, "::1")
    assert {*actor.scopes} == {"jobs:read"}
    for text in (made.aws_key_id, made.secret):
        with pytest.raises(Unauthenticated):
            await sign_in.by_token(text, "::1")
    await admin.revoke_token(made.token.id)
    with pytest.raises(Unauthenticated):
        await SignIn(store, Limits().sign_in, clock).by_key_id(made.aws_key_id, "::1")
