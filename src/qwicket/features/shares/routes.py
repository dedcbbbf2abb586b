"""Routes of `/v1` for shares of jobs."""

from __future__ import annotations

from functools import partial
from typing import Final

from qwicket import schema
from qwicket.dialects.routing import Late, Open, Route, json_body
from qwicket.model.accounts import Scope

_READ, _WRITE = Scope.JOBS_READ, Scope.JOBS_WRITE


_late = partial(Late, "qwicket.features.shares.handlers")


ROUTES: Final = (
    Route(
        "GET",
        "/jobs/{id}/shares",
        _late("list_shares_of"),
        _READ,
        responses=(schema.jobs.ShareList,),
    ),
    Route(
        "POST",
        "/jobs/{id}/shares",
        _late("share_job"),
        _WRITE,
        json_body(schema.jobs.NewShareBody),
        responses=(schema.jobs.CreatedShareBody,),
        status=201,
    ),
    Route("GET", "/shares", _late("list_shares"), _READ, responses=(schema.jobs.ShareList,)),
    Route("DELETE", "/shares/{share}", _late("remove_share"), _WRITE, status=204),
    Route(
        "GET",
        "/shared/{secret}",
        _late("read_shared"),
        Open("The path holds the secret of a link."),
        responses=(schema.results.SharedBody,),
    ),
)
