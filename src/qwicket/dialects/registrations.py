"""All dialects: registrations, applications by address, descriptions."""

from __future__ import annotations

from functools import cache
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

from qwicket import registrations
from qwicket.dialects.native import ADMIN, dialect
from qwicket.dialects.on_demand import DialectOnDemand
from qwicket.dialects.openapi import describe
from qwicket.dialects.registration import DialectSettings
from qwicket.model.devices import DialectNeeds
from qwicket.registrations import vendors

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from qwicket.dialects.registration import Registration
    from qwicket.dialects.routing import Dialect
    from qwicket.gateway import Gateway
    from qwicket.model.devices import Family


def names() -> tuple[str, ...]:
    """Return the names of all vendors' dialects. The native one is the server's own."""
    return tuple([each.name for each in _all()])


@cache
def offered(only: frozenset[str] | None = None) -> tuple[Registration, ...]:
    """Return the registrations of vendors' dialects.

    Args:
        only: Names of the dialects that are offered; None for all.
    """
    return tuple(
        [resolve_name(it.registration) for it in _all() if only is None or it.name in only]
    )


def _all() -> tuple[registrations.Dialect, ...]:
    return tuple([each for vendor in vendors() for each in vendor.dialects])


def mounts(
    gateway: Gateway, settings: DialectSettings | None = None
) -> dict[str, Dialect | DialectOnDemand]:
    """Return all dialects by the beginning of their paths; of several that fit, the longest counts.

    Args:
        gateway: Does the work.
        settings: Settings of the dialects.
    """
    settings = settings or DialectSettings()
    found: dict[str, Dialect | DialectOnDemand] = {
        "/v1": dialect(gateway, needs_of_dialects, settings.public_url),
        "/v1/admin": DialectOnDemand(ADMIN, gateway, settings),
    }
    for registration in offered(settings.dialects):
        for at, made_by in registration.mounts.items():
            found[at] = DialectOnDemand(
                made_by, gateway, settings, supports_websocket=registration.supports_websocket
            )
        found |= {alias: found[at] for alias, at in registration.aliases.items()}
    return found


def descriptions(
    dialects: Mapping[str, Dialect | DialectOnDemand], only: frozenset[str] | None = None
) -> dict[str, dict[str, Any]]:
    """Return the description of each vendor's dialect in OpenAPI, by the dialect's name.

    Args:
        dialects: Dialects by address, from `mounts`.
        only: As for `offered`.
    """
    return {
        each.name: describe(each, {at: dialects[at].routes for at in each.mounts})
        for each in offered(only)
    }


def shown_by(family: Family, formats: Sequence[str] | None = None) -> tuple[str, ...]:
    """Return the names of the dialects that show devices of a family, the native one first.

    Args:
        family: Family of the devices.
        formats: If given, only dialects whose clients write one of these, in the order of formats.
    """
    of_family = {each.name: each.shows[family] for each in _all() if family in each.shows}
    if formats is None:
        return ("native", *of_family)
    found = (name for read in formats for name, written in of_family.items() if read in written)
    return tuple(dict.fromkeys(("native", *found)))


def needs_of_dialects(family: Family) -> dict[str, DialectNeeds]:
    """Return what each vendor's dialect needs of a device, so that its clients can submit to it.

    Dialects without devices of the family are left out.
    """
    return {
        each.name: DialectNeeds(
            frozenset((*each.shows[family], *each.also_sends.get(family, ()))),
            each.requests if family == "qubit" else (),
        )
        for each in _all()
        if family in each.shows
    }
