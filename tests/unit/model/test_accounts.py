from __future__ import annotations

import pytest

from qwicket.model.accounts import DEFAULT_SCOPES, Actor, Scope, check_name
from qwicket.model.errors import Forbidden, InvalidRequest
from support.for_each import for_each


def actor(devices: frozenset[str] = frozenset()) -> Actor:
    return Actor(
        account="a",
        account_name="ada",
        role="member",
        project="p",
        token="t",
        scopes=frozenset(DEFAULT_SCOPES),
        devices=devices,
    )


@for_each("name", ["a", "0", "ada", "lab-7", "a" * 39, "9-", "a_b", "anna.mueller"])
def test_a_good_name_is_taken(name: str) -> None:
    assert check_name(name) == name


@for_each(
    "name",
    [
        "",
        "-a",
        ".a",
        "_a",
        "Ada",
        "a@b",
        "a/b",
        "a" * 40,
        "é",
        "a\n",
        "a b",
        "v",
        "devices",
        "bookings",
    ],
)
def test_a_bad_or_reserved_name_is_refused(name: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        check_name(name)
    assert refused.value.field == "name"


def test_a_missing_scope_is_named() -> None:
    with pytest.raises(Forbidden, match="admin"):
        actor().require(Scope.ADMIN)
    actor().require(Scope.JOBS_READ)


def test_a_token_for_some_devices_is_for_no_other() -> None:
    with pytest.raises(Forbidden, match="clifford"):
        actor(devices=frozenset({"simulator"})).require_device("clifford")
    actor(devices=frozenset({"simulator"})).require_device("simulator")


def test_a_token_without_devices_is_for_all() -> None:
    actor().require_device("anything")


def test_what_concerns_all_devices_needs_a_token_for_all() -> None:
    actor().require_all_devices()
    with pytest.raises(Forbidden, match="only for the device a, and"):
        actor(frozenset({"a"})).require_all_devices()
    with pytest.raises(Forbidden, match="only for the devices a, b, and"):
        actor(frozenset({"b", "a"})).require_all_devices()
