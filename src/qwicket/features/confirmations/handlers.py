"""Handlers of `/v1` for confirmations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwicket.dialects.native.wire import iso_time
from qwicket.dialects.responses import json
from qwicket.features.confirmations.service import Confirmations
from qwicket.schema import confirmations as schema

if TYPE_CHECKING:
    from starlette.responses import Response

    from qwicket.dialects.native.handlers import Handlers
    from qwicket.dialects.requests import Request
    from qwicket.model.accounts import Actor
    from qwicket.model.bounds import Confirmation


async def list_confirmations(native: Handlers, actor: Actor, request: Request[None]) -> Response:
    """List the jobs that wait for a person's confirmation."""
    service = native.gateway.feature(Confirmations)
    found = [_body(service, each) for each in await service.waiting(actor)]
    return json(schema.ConfirmationList(confirmations=tuple(found)))


async def read_confirmation(native: Handlers, actor: Actor, request: Request[None]) -> Response:
    """Read what a person is asked to confirm."""
    service = native.gateway.feature(Confirmations)
    return json(_body(service, await service.get(actor, request.path_params["confirmation"])))


async def answer_confirmation(
    native: Handlers, actor: Actor, request: Request[schema.AnswerBody]
) -> Response:
    """Confirm or refuse a job, with a token that has no bounds."""
    service = native.gateway.feature(Confirmations)
    id, is_confirmed = request.path_params["confirmation"], request.payload.answer == "confirm"
    return json(_body(service, await service.answer(actor, id, is_confirmed=is_confirmed)))


def _body(service: Confirmations, confirmation: Confirmation) -> schema.ConfirmationBody:
    return schema.ConfirmationBody(
        id=confirmation.id,
        state=service.state(confirmation),
        token=confirmation.token,
        token_name=confirmation.token_name,
        device=confirmation.device,
        name=confirmation.name,
        format=confirmation.format,
        program=confirmation.program,
        shots=confirmation.shots,
        cost=confirmation.credits,
        asked_at=iso_time(confirmation.asked_at),
        answered_at=iso_time(confirmation.answered_at),
    )
