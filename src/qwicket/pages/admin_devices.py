"""Administrators' pages of devices and their providers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from qwicket.model.errors import NotFound
from qwicket.pages.admin import cards
from qwicket.pages.forms import list_page

if TYPE_CHECKING:
    from starlette.responses import Response

    from qwicket.model.devices import Device, DeviceStatus, Presence
    from qwicket.pages.admin_view import View

_PAGE_DEVICES: Final = 25
_PAGE_PROVIDERS: Final = 20
_ORDER: Final = ("away", "off", "paused", "draining", "on")
"""States of devices, those that need attention first."""


class Row(NamedTuple):
    """A device with its status; `presence` is None if the servers run its jobs."""

    device: Device
    status: DeviceStatus
    presence: Presence | None

    @property
    def state(self) -> str:
        if self.status.is_on and self.presence is not None and not self.presence.agents:
            return "away"
        return self.status.state


async def read(view: View, name: str) -> Response:
    """Read the list of devices, or one device."""
    rows = [Row(*each) for each in await view.gateway.admin.devices()]
    return await (_read_device(view, rows, name) if name else _read_devices(view, rows))


async def _read_devices(view: View, rows: list[Row]) -> Response:
    part = view.query("q").lower()
    found = [each for each in rows if part in each.device.name.lower()]
    found.sort(key=lambda each: (_ORDER.index(each.state), not each.status.message))
    listed = list_page(view.request, found, _PAGE_DEVICES)
    queues = view.gateway.admin.store.queues
    providers = await view.gateway.admin.providers()
    return view.render(
        "admin-devices",
        "Administration",
        "devices",
        listed=listed,
        n_devices=len(found),
        depths=await queues.depths([each.device.name for each in listed.rows]),
        providers=list_page(view.request, providers, _PAGE_PROVIDERS, "providers_from"),
        more=view.query("q"),
        **await cards(view, "devices"),
    )


async def _read_device(view: View, rows: list[Row], name: str) -> Response:
    found = next((each for each in rows if each.device.name == name), None)
    if found is None:
        raise NotFound("There is no such device.")
    depths = await view.gateway.admin.store.queues.depths([name])
    return view.render(
        "admin-device",
        name,
        "devices",
        row=found,
        depth=depths[name],
        **await cards(view, "device", name),
    )
