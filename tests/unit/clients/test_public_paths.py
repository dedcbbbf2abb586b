"""A vendor's client is in the folder of the vendor, and keeps its public import paths."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

import qwicket
from support.vendor_folders import PUBLIC_CLIENTS

pytestmark = pytest.mark.needs_vendors


PACKAGE = Path(qwicket.__file__).parent


def test_each_module_of_a_client_has_its_public_path(subtests: pytest.Subtests) -> None:
    paths = sorted(PACKAGE.glob("vendors/*/client/*.py"))
    assert paths
    for path in paths:
        vendor, module = path.parts[-3], path.stem.replace("__init__", "")
        own = imported(f"vendors.{vendor}.client", module)
        public = imported(f"clients.{PUBLIC_CLIENTS.get(vendor, vendor)}", module)
        with subtests.test(own.__name__):
            assert {
                name for name in named(own) if vars(public).get(name) != vars(own)[name]
            } == set()


def imported(package: str, module: str) -> ModuleType:
    return import_module(f"qwicket.{package}.{module}".rstrip("."))


def named(module: ModuleType) -> set[str]:
    """Return the public names that a module defines, or that its `__all__` has."""
    defined = {
        name
        for name, value in vars(module).items()
        if getattr(value, "__module__", None) == module.__name__ and not name.startswith("_")
    }
    return defined | set(getattr(module, "__all__", ()))
