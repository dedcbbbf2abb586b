"""Devices, their providers and the signing key for administrators."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import UNSET
from starlette.responses import Response

from qwicket.dialects.native.admin import wire
from qwicket.dialects.responses import json
from qwicket.gateway.admin import check_line
from qwicket.model.errors import InvalidRequest
from qwicket.schema import admin as schema

if TYPE_CHECKING:
    from qwicket.dialects.native.admin.access import Access
    from qwicket.dialects.requests import Request
    from qwicket.model.accounts import Actor


async def list_all_devices(access: Access, actor: Actor, request: Request[None]) -> Response:
    """List all devices with their status and their agents."""
    return json(wire.device_list(await access.admin.devices()))


async def list_slots(access: Access, actor: Actor, request: Request[None]) -> Response:
    """List how many jobs each device can run at once, and how many of others than Slurm it has."""
    found = await access.admin.slots()
    return json(
        schema.SlotsList(devices=tuple(schema.SlotsBody(**each._asdict()) for each in found))
    )


async def change_device(
    access: Access, actor: Actor, request: Request[schema.DeviceChangeBody]
) -> Response:
    """Turn a device on or off, drain or pause it, or set its message."""
    body, name = request.payload, request.path_params["name"]
    actor.require_device(name)
    _check_device_change(body)
    if body.is_on is False:
        until_at = None if body.until is None else int(1000 * body.until.timestamp())
        await access.admin.turn_off(name, body.reason, until_at=until_at, takes_jobs=body.is_paused)
    # An absent `is_on` is UNSET, which is falsy: then the device stays on or off as it is.
    elif body.is_on and body.is_draining:
        await access.admin.drain(name, body.reason)
    elif body.is_on:
        await access.admin.turn_on(name)
    if body.message is not UNSET:
        await access.admin.set_message(name, body.message)
    return Response(status_code=204)


def _check_device_change(body: schema.DeviceChangeBody) -> None:
    if body.is_on is not False and body.until is not None:
        raise InvalidRequest("until is allowed only with `is_on` false.", field="until")
    if body.reason and not body.is_draining and body.is_on is not False:
        raise InvalidRequest(
            "reason is allowed only with `is_on` false or `is_draining` true.", field="reason"
        )
    if body.is_draining and body.is_on is not True:
        raise InvalidRequest("is_draining is allowed only with `is_on` true.", field="is_draining")
    if body.is_paused and body.is_on is not False:
        raise InvalidRequest("is_paused is allowed only with `is_on` false.", field="is_paused")
    if body.is_on is UNSET and body.message is UNSET:
        raise InvalidRequest("is_on or message must be given.", field="is_on")
    if body.message is not UNSET:  # now, because it is set after the rest has been changed
        check_line("message", body.message)


async def list_providers(access: Access, actor: Actor, request: Request[None]) -> Response:
    """List all providers of devices."""
    found = await access.admin.providers()
    return json(
        schema.ProviderList(
            providers=tuple(
                schema.ProviderBody(name=each.name, is_active=each.is_active) for each in found
            )
        )
    )


async def create_provider(
    access: Access, actor: Actor, request: Request[schema.NewProviderBody]
) -> Response:
    """Create an active provider without devices."""
    made = await access.admin.add_provider(request.payload.name)
    return json(schema.ProviderBody(name=made.name, is_active=made.is_active), 201)


async def change_provider(
    access: Access, actor: Actor, request: Request[schema.ProviderChangeBody]
) -> Response:
    """Activate a provider, or deactivate it: its devices are hidden and take no new jobs."""
    await access.admin.set_active(request.path_params["provider"], request.payload.is_active)
    return Response(status_code=204)


async def rotate_keys(access: Access, actor: Actor, request: Request[None]) -> Response:
    """Replace the signing key: all access tokens and signed URLs become invalid."""
    await access.admin.rotate_keys()
    return Response(status_code=204)
