"""Routes of `/v1` for confirmations."""

from __future__ import annotations

from functools import partial
from typing import Final

from qwicket.dialects.routing import Late, Route, json_body
from qwicket.model.accounts import Scope
from qwicket.schema import confirmations as schema

_late = partial(Late, "qwicket.features.confirmations.handlers")

ROUTES: Final = (
    Route(
        "GET",
        "/confirmations",
        _late("list_confirmations"),
        Scope.JOBS_WRITE,
        responses=(schema.ConfirmationList,),
    ),
    Route(
        "GET",
        "/confirmations/{confirmation}",
        _late("read_confirmation"),
        Scope.JOBS_WRITE,
        responses=(schema.ConfirmationBody,),
    ),
    Route(
        "POST",
        "/confirmations/{confirmation}",
        _late("answer_confirmation"),
        Scope.JOBS_WRITE,
        json_body(schema.AnswerBody),
        responses=(schema.ConfirmationBody,),
    ),
)
