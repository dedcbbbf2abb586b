"""What vendors register: names, which are imported when they are first needed.

The core asks this module, and imports no vendor itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Final

_LIST: Final = "qwicket.vendors"


@dataclass(frozen=True, kw_only=True)
class Vendor:
    """What the folder of a vendor has for the core: names such as "module:attribute".

    Attributes:
        name: Name of the folder.
        dialects: `Registration`s of its dialects.
        formats: Names of tuples of `Format`s, the languages that it brings.
        limits: Groups of limits of its formats.
    """

    name: str
    dialects: tuple[str, ...] = ()
    formats: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()


@cache
def vendors() -> tuple[Vendor, ...]:
    """Return all vendors of `qwicket.vendors.NAMES`, in its order."""
    names = import_module(_LIST).NAMES
    return tuple([import_module(f"{_LIST}.{name}").VENDOR for name in names])
