"""Extras: what each brings, and what is said where one is missing."""

from __future__ import annotations

import re
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

from qwicket.extras import EXTRAS, NotInstalled, missing, require
from qwicket.model.errors import Unavailable
from qwicket.store import open_postgres

ROOT = Path(__file__).parent.parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


OPTIONAL = {"qulacs", "stim", "tzdata"}
"""The server installs them, and runs without one that has no wheel for a machine."""


def distributions(requirements: list[str]) -> set[str]:
    names = (re.split(r"[\[<>=]", each)[0] for each in requirements)
    return {name for name in names if name != "qwicket"}


def test_the_modules_of_extras_are_those_of_the_packages_that_they_install() -> None:
    owners = metadata.packages_distributions()
    for extra in ("server", "qiskit", "rich", "samplex"):
        brought = {owner for module in EXTRAS[extra] for owner in owners[module]}
        declared = distributions(PROJECT["optional-dependencies"][extra]) - OPTIONAL
        assert {each.lower().replace("_", "-") for each in brought} == declared


@pytest.mark.parametrize("extra", sorted({*EXTRAS} - {"server"}))
def test_the_doctor_finds_the_version_of_an_extra_under_its_first_module(extra: str) -> None:
    module = EXTRAS[extra][0]
    if not missing(extra):
        (owner,) = set(metadata.packages_distributions()[module])
        assert metadata.version(module) == metadata.version(owner)
    declared = distributions(PROJECT["optional-dependencies"][extra])
    assert module.replace("_", "-") in declared


def test_every_extra_but_all_is_known_and_all_brings_each() -> None:
    declared = PROJECT["optional-dependencies"]
    assert set(EXTRAS) == set(declared) - {"all"}
    (every,) = declared["all"]
    named = set(every.removeprefix("qwicket[").removesuffix("]").split(","))
    reached = named | {
        extra for name in named for extra in EXTRAS if f"qwicket[{extra}]" in declared[name]
    }
    assert reached == set(EXTRAS)


def test_no_package_is_both_light_and_of_the_server() -> None:
    light = distributions(PROJECT["dependencies"])
    assert not light & distributions(PROJECT["optional-dependencies"]["server"])


def test_what_is_installed_is_not_missing() -> None:
    assert missing("server") == []
    require("qwicket serve", "server")


def test_what_is_missing_is_named_with_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "re2", None)
    assert missing("server") == ["re2"]
    with pytest.raises(NotInstalled) as caught:
        require("qwicket serve", "server")
    assert isinstance(caught.value, ImportError)
    assert str(caught.value) == (
        'qwicket serve needs the extra "server": install Qwicket again from the same place, with'
        " [server] after its name"
    )


def test_a_database_server_without_its_extra_is_refused_with_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "qwicket.store.postgres", None)
    with pytest.raises(Unavailable) as caught:
        open_postgres("postgresql://127.0.0.1/none")
    assert caught.value.detail == (
        'PostgreSQL needs the extra "postgres": install Qwicket again from the same place, with'
        " [postgres] after its name"
    )
