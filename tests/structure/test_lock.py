"""requirements.lock: what `make` installs satisfies pyproject.toml, on each Python alike."""

from __future__ import annotations

import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
LOCK = (ROOT / "requirements.lock").read_text()
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
EXTRAS = ("server", "oidc", "postgres", "qiskit", "rich", "samplex")
"""What `make` installs; `server` is part of `oidc`."""


def locked() -> list[Requirement]:
    lines = (line.partition("#")[0].strip() for line in LOCK.splitlines())
    return [Requirement(line) for line in lines if line]


def direct() -> list[Requirement]:
    project = PYPROJECT["project"]
    extras = (line for extra in EXTRAS for line in project["optional-dependencies"][extra])
    lines = [*project["dependencies"], *extras, *PYPROJECT["dependency-groups"]["dev"]]
    found = [Requirement(line) for line in lines]
    return [each for each in found if each.name != project["name"]]


def test_the_lock_has_each_direct_dependency_in_its_range() -> None:
    versions = {canonicalize_name(each.name): each for each in locked()}
    for wanted in direct():
        found = versions[canonicalize_name(wanted.name)]
        (pin,) = found.specifier
        assert wanted.specifier.contains(pin.version), f"{wanted} but {found}: run `make lock`"
        assert found.marker is None, f"{found} is not installed everywhere"


def test_the_lock_names_one_version_of_each_package() -> None:
    names = [canonicalize_name(each.name) for each in locked()]
    assert sorted(names) == sorted({*names})
    assert {pin.operator for each in locked() for pin in each.specifier} == {"=="}


def test_the_lock_names_no_registry() -> None:
    assert "://" not in LOCK
    assert "--" not in LOCK


def test_versions_of_development_are_in_the_lock_alone() -> None:
    for line in PYPROJECT["dependency-groups"]["dev"]:
        assert "=" not in str(Requirement(line).specifier), f"{line} belongs in requirements.lock"
