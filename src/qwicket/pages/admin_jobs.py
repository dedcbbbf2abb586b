"""Administrators' page of a job of any account. The list of such jobs is among the other jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from starlette.responses import RedirectResponse, Response

from qwicket.dialects.native import wire
from qwicket.job_card import slurm_rows
from qwicket.model.jobs import runner_name
from qwicket.model.states import JobState
from qwicket.pages.rendering import HEADERS

if TYPE_CHECKING:
    from qwicket.pages.admin_view import View


async def read(view: View, name: str) -> Response:
    """Read a job; without an id, go to the list of everyone's jobs."""
    if not name:
        if view.error is not None:
            raise view.error
        query = {key: value for key, value in view.request.query_params.items() if value.strip()}
        address = f"{view.pages.base}/jobs?{urlencode({'who': 'everyone'} | query)}"
        return RedirectResponse(address, 307, headers=HEADERS)
    found = await view.gateway.admin.job(view.actor, name)
    job = found.job
    waits, queue = job.state == JobState.QUEUED, view.gateway.queue
    forecast = await queue.forecast(job.device) if waits and not job.is_held else None
    return view.render(
        "admin-job",
        job.name or "Job without a name",
        job=job,
        account=found.account,
        project=found.project,
        runner=runner_name(job.runner or ""),
        slurm=list(slurm_rows(wire.slurm(job))),
        waits=waits,
        n_waiting=forecast.n_waiting if forecast else 0,
        place=await queue.position(job) if forecast else None,
    )
