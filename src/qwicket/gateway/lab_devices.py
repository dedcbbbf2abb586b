"""Operations of a lab on its device: announce it, and add calibrations.

The lab's token allows nothing but to serve named devices.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from qwicket.gateway.announcements import check_announced
from qwicket.model.accounts import Scope
from qwicket.model.devices import Device
from qwicket.model.errors import Conflict, Forbidden, InvalidRequest, NotFound

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from qwicket.circuits.calibrations import Calibration
    from qwicket.compute import ParserPool
    from qwicket.model.accounts import Actor
    from qwicket.model.devices import DeviceSpec, DialectNeeds, Family
    from qwicket.model.limits import Limits
    from qwicket.store import Store

_POSITION: Final = 1_000
"""Place in lists of devices: labs' devices come after the server's own."""


class LabDevices:
    """Announces devices on behalf of an actor whose token serves them.

    Args:
        store: The database.
        parsers: Parse layouts.
        limits: Bounds on all requests.
        now_ms: Clock; returns Unix milliseconds.
    """

    def __init__(
        self, store: Store, parsers: ParserPool, limits: Limits, now_ms: Callable[[], int]
    ) -> None:
        self._store = store
        self._parsers = parsers
        self._limits = limits
        self._now_ms = now_ms

    async def announce(
        self,
        actor: Actor,
        name: str,
        family: Family,
        dialects: Sequence[str],
        spec: DeviceSpec,
        *,
        needs_of_dialects: Mapping[str, DialectNeeds] = MappingProxyType({}),
    ) -> Device:
        """Store a lab's device; its provider is the account.

        Args:
            actor: Its token names the device.
            name: Name of the device.
            family: Family of its programs, which cannot change later.
            dialects: Dialects that show it, in addition to the native one.
            spec: Specification of the device.
            needs_of_dialects: What each dialect needs of the devices of this family.

        Raises:
            Forbidden: The token does not serve this device.
            Conflict: The name is taken, or the family has changed.
            InvalidRequest: A field is invalid; the detail names it.
            LimitExceeded: A number is out of range; the detail names the limit.
        """
        _require(actor, name)
        check_announced(name, family, dialects, spec, self._limits, needs_of_dialects)
        if spec.photonic is not None:
            await self._check_layout(actor, spec.photonic.layout)
        device = Device(
            name=name,
            family=family,
            provider=actor.account_name,
            driver="agent",
            dialects=tuple(dict.fromkeys(("native", *dialects))),
            position=_POSITION,
            spec=spec,
        )
        await self._store.agents.announce(device)
        return device

    async def _check_layout(self, actor: Actor, layout: str) -> None:
        """Parse a layout in a parser process, because it is an untrusted program."""
        refusal = await self._parsers.check_layout(layout, account=actor.account)
        if refusal is not None:
            raise InvalidRequest(f"layout: {refusal.detail}.", field="photonic")

    async def calibrate(self, actor: Actor, name: str, calibration: Calibration) -> None:
        """Add a calibration to the history of a device, unless it equals the last one.

        Raises:
            Forbidden: The token does not serve this device.
            NotFound: The device was not announced.
            Conflict: The device is the server's own.
            InvalidRequest: The calibration does not fit the device.
        """
        device = await self.served(actor, name)
        if device.family != "qubit":
            raise InvalidRequest(
                "Only devices of the family qubit have calibrations; a photonic one has a"
                " certificate in its spec.",
                field="family",
            )
        try:
            calibration.check(device.spec.qubits)
        except ValueError as error:
            raise InvalidRequest(f"{error}.", field="calibration") from None
        await self._store.calibrations.seed({name: calibration}, self._now_ms())

    async def served(self, actor: Actor, name: str) -> Device:
        """Return a lab's device that the token serves.

        Raises:
            Forbidden: The token does not serve this device.
            NotFound: The device was not announced.
            Conflict: The device is the server's own.
        """
        _require(actor, name)
        device = await self._store.devices.get(name)
        if device is None:
            raise NotFound(f"The device {name} was not announced.", field="device")
        if device.driver != "agent":
            raise Conflict(f"{name} is a device of the server itself.", field="device")
        return device


def _require(actor: Actor, device: str) -> None:
    actor.require(Scope.DEVICES_SERVE)
    if device not in actor.devices:
        raise Forbidden(f"This token does not serve the device {device}.", field="device")
