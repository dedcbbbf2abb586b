"""What jobs have used, for administrators and, of their projects, leads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qwicket.dialects.native.params import choice, day, use_parts
from qwicket.dialects.responses import json
from qwicket.model.budgets import from_stored_amount, iso_day
from qwicket.schema import budgets as schema

_TREE: Final = ("false", "true")

if TYPE_CHECKING:
    from starlette.responses import Response

    from qwicket.dialects.native.admin.access import Access
    from qwicket.dialects.requests import Request
    from qwicket.model.accounts import Actor


async def read_usage(access: Access, actor: Actor, request: Request[None]) -> Response:
    """Read how much the jobs that ended in a period have used, in groups.

    Those of all projects, or of one with those below it; a lead gives the project. With `tree`, the
    use of each project includes that of those below it.
    """
    query = request.query_params
    project = await access.admin.led_project(actor, query.get("project"))
    by = use_parts(query, "project,device")
    usage = await access.admin.usage.usage(
        day(query, "from"),
        day(query, "to"),
        by,
        project,
        adds_up=choice(query, "tree", _TREE) == "true",
    )
    return json(
        schema.UseList(
            usage=tuple(
                schema.UseBody(
                    project=each.project,
                    account=each.account,
                    device=each.device,
                    day=None if each.day is None else iso_day(each.day),
                    slurm_account=each.slurm_account,
                    slurm_job=each.slurm_job,
                    jobs=each.use.jobs,
                    shots=each.use.shots,
                    seconds=from_stored_amount("seconds", each.use.seconds),
                    cost=from_stored_amount("cost", each.use.cost),
                )
                for each in usage
            )
        )
    )
