"""Administrators' pages of what happened: acts, what jobs used, and refused sign-ins."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from qwicket.dialects.native.params import day, use_parts
from qwicket.model.budgets import UNITS, USE_PARTS, from_stored_amount, iso_day
from qwicket.model.limits import INT64_MAX
from qwicket.pages import admin_sentences
from qwicket.pages.admin import at_most, cards

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.responses import Response

    from qwicket.model.budgets import GroupUse, UsePart
    from qwicket.pages.admin_view import View

_PAGE_ACTS: Final = 40
_SHOWN_REFUSALS: Final = 5
_PAGE_REFUSALS: Final = 60
_PAGE_USE: Final = 100
_BARS: Final = 5
_BY: Final = (
    *(part for part in USE_PARTS if part != "slurm_job"),
    *("project,account", "project,device", "account,device", "day,project", "day,account"),
)
"""Offered groupings of usage; addresses can have others."""
_MAX_DIGITS: Final = 18


async def read(view: View, _name: str) -> Response:
    """Read what administrators did, by day."""
    admin, action = view.gateway.admin, view.query("action")
    entries, older = await admin.find_acts(
        _before(view), about=view.query("q"), action=action, limit=at_most(view.pages, _PAGE_ACTS)
    )
    zone = view.zone
    sentences = [admin_sentences.sentence(each, view.pages.base, zone) for each in entries]
    days = groupby(
        sentences, key=lambda each: datetime.fromtimestamp(each.entry.at / 1000, zone).date()
    )
    now_s = view.gateway.now_ms() / 1000
    today = datetime.fromtimestamp(now_s, zone).date()
    month = datetime.fromtimestamp(now_s, UTC).date().replace(day=1)
    use = await admin.usage.usage(month, None, ["project"])
    return view.render(
        "admin-activity",
        "Administration",
        "activity",
        days=[(_title(at, today), list(of_day)) for at, of_day in days],
        actions=admin_sentences.TITLES,
        action=action,
        older=view.address(before=older) if older else "",
        newest=view.address(before=None) if view.query("before") else "",
        month=month,
        use=sorted(use, key=lambda each: -each.use.jobs)[:_BARS],
        refusals=(await admin.refusals(INT64_MAX, _SHOWN_REFUSALS))[:_SHOWN_REFUSALS],
        **await cards(view, "activity"),
    )


async def read_usage(view: View, _name: str) -> Response:
    """Read what the jobs that ended in a range of days have used."""
    given = view.request.query_params
    parts = use_parts(given if given.get("by") else {}, "project")
    by = ",".join(parts)
    unit = view.query("show") if view.query("show") in UNITS else UNITS[0]
    use = await view.gateway.admin.usage.usage(_day(view, "from"), _day(view, "to"), parts)
    rows = [(_names(each, parts), _amounts(each)) for each in use]
    if "day" not in parts:
        rows.sort(key=lambda row: -row[1][unit])
    given_query = {key: view.query(key) for key in ("from", "to", "by")}
    return view.render(
        "admin-usage",
        "Usage",
        "activity",
        rows=rows[:_PAGE_USE],
        n_rows=len(rows),
        most=max((amounts[unit] for _, amounts in rows), default=0),
        by=by,
        choices={each: _grouping(each) for each in dict.fromkeys((*_BY, by))},
        units=UNITS,
        unit=unit,
        given=given_query,
        query=urlencode({key: value for key, value in given_query.items() if value}),
    )


async def read_refusals(view: View, _name: str) -> Response:
    """Read refused sign-ins by minute and address, newest first."""
    limit = at_most(view.pages, _PAGE_REFUSALS)
    found = await view.gateway.admin.refusals(_before(view), limit)
    return view.render(
        "admin-refusals",
        "Refused sign-ins",
        "activity",
        refusals=found,
        older=view.address(before=found[-1][0]) if len(found) >= limit else "",
        newest=view.address(before=None) if view.query("before") else "",
    )


def _title(at: date, today: date) -> str:
    if at == today:
        return "Today"
    return "Yesterday" if at == today - timedelta(days=1) else f"{at.day} {at:%B %Y}"


def _grouping(by: str) -> str:
    """Return what a grouping is called. Nobody checks what clients say of Slurm."""
    text = by.replace(",", " and ")
    return text.replace("slurm_account", "account of Slurm, as clients say").replace(
        "slurm_job", "job of Slurm, as clients say"
    )


def _before(view: View) -> int:
    """Return where a page begins; a number that is none is left out."""
    text = view.query("before")
    return int(text) if text.isdecimal() and len(text) <= _MAX_DIGITS else INT64_MAX


def _day(view: View, name: str) -> date | None:
    return day(view.request.query_params, name) if view.query(name) else None


def _names(each: GroupUse, parts: Sequence[UsePart]) -> list[tuple[str, str]]:
    """Return the parts of a group with their names, in order."""
    day = "" if each.day is None else iso_day(each.day)
    names = {**each._asdict(), "day": day, "account": each.account or "unknown account"}
    names |= {part: names[part] or "none" for part in ("slurm_account", "slurm_job")}
    return [(part if part != "account" or each.account else "", names[part]) for part in parts]


def _amounts(each: GroupUse) -> dict[str, float]:
    return {unit: from_stored_amount(unit, getattr(each.use, unit)) for unit in UNITS}
