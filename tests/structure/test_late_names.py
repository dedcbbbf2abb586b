"""Packages that import their names at first use: no module of theirs may have such a name."""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType

import pytest

from support.for_each import for_each

PACKAGES = (
    *("qwicket.clients.http", "qwicket.clients.native", "qwicket.dialects"),
    *("qwicket.dialects.native", "qwicket.gateway"),
)


@for_each("package", PACKAGES)
def test_every_name_is_what_the_package_says_once_all_modules_are_imported(package: str) -> None:
    found = importlib.import_module(package)
    for each in pkgutil.iter_modules(found.__path__):
        importlib.import_module(f"{package}.{each.name}")
    values = [getattr(found, name) for name in found.__all__]
    assert values
    assert not [value for value in values if isinstance(value, ModuleType)]


@for_each("package", PACKAGES)
def test_an_unknown_name_is_an_attribute_error(package: str) -> None:
    found = importlib.import_module(package)
    with pytest.raises(AttributeError, match=f"'{package}' has no attribute 'nothing'"):
        _ = found.nothing
