"""Names that forms of administrators' pages offer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qwicket.pages import formats
from qwicket.pages.admin_parts import MAX_CHOICES, Choices

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from qwicket.pages.admin_view import View

_MAX_MEMBERS: Final = 20


async def project_choices(view: View, but: Collection[str] = ()) -> Choices:
    """Return names of shared projects to choose from, without some."""
    found = await view.gateway.admin.find_projects(
        after="", part="", which="shared", limit=MAX_CHOICES + 1
    )
    return choices(
        [each.project.name for each in found if each.project.name not in but], len(found)
    )


def choices(names: Sequence[str], n_found: int) -> Choices:
    """Return names to choose from, as many as a page has room for, of so many that were found."""
    fitting = formats.fitting(names[:MAX_CHOICES])
    return Choices(fitting, n_found <= MAX_CHOICES and len(fitting) == len(names))


def member_choices(names: Sequence[str], *others: str) -> Choices:
    """Return members after other choices; none of many, as a page has two such lists."""
    if len(names) > _MAX_MEMBERS:
        return Choices([*others], is_whole=False)
    return choices([*others, *names], len(names))


async def device_choices(view: View) -> Choices:
    """Return names of devices to choose from."""
    names = [each.name for each in await view.gateway.admin.store.devices.all()]
    return choices(names, len(names))
