"""Devices as remote licences of Slurm: one for each slot, less those that others than Slurm take.

Slurm refuses a job that asks for more licences than there are at all. So their number is that of
the slots, and what others take is in a reservation of licences, for which jobs wait.
"""

from __future__ import annotations

import getpass
import re
from typing import TYPE_CHECKING, Final

from qwicket.scaling.commands import run_command
from qwicket.scaling.site import SiteError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from qwicket.schema.admin import SlotsBody

_RESERVATION: Final = re.compile(r"ReservationName=(\S+) .*\bLicenses=(\S+)")


class Licenses:
    """The remote licences of one server of licences, by `sacctmgr` and `scontrol`.

    Args:
        server: Name of that server: a job asks for `DEVICE@SERVER`.
        cluster: Name of the cluster; empty is the one of this machine's `slurm.conf`.
    """

    def __init__(self, server: str, cluster: str = "") -> None:
        self._server = server
        self._cluster = cluster

    def mirror(self, devices: Iterable[SlotsBody]) -> Iterator[str]:
        """Set the licences of devices to their slots; yield a line for each that has changed.

        Raises:
            SiteError: Slurm does not respond, or refuses.
        """
        totals, reserved = self._totals(), _reserved()
        for each in devices:
            device = each.device.lower()  # as sacctmgr stores it
            total = each.slots or totals.get(device, 1)
            taken = min(total, each.taken) if each.slots else total
            name = f"{device}@{self._server}"
            reservation = f"{self._server}-{device}"
            before = totals.get(device), reserved.get(reservation, "")
            after = total, f"{name}:{taken}" if taken else ""
            if before != after:
                self._set_total(device, total, before[0])
                _reserve(reservation, after[1], before[1])
                yield f"{name}: {total - taken} of {total} are free"

    def _totals(self) -> dict[str, int]:
        lines = _sacctmgr("list", "resource", f"server={self._server}", "format=name,count")
        found = (line.partition("|") for line in lines.splitlines())
        return {name: int(count) for name, _, count in found if count.isdecimal()}

    def _set_total(self, device: str, total: int, before: int | None) -> None:
        resource = ("resource", f"name={device}", f"server={self._server}")
        if before is None:
            self._cluster = self._cluster or _cluster_name()
            kind = ("servertype=qwicket", "type=license", f"count={total}")
            _sacctmgr("add", *resource, *kind, f"cluster={self._cluster}", "percentallowed=100")
        elif before != total:
            _sacctmgr("modify", *resource, "set", f"count={total}")


def _reserved() -> dict[str, str]:
    """Return the licences of each reservation by its name."""
    lines = run_command("scontrol", "--oneliner", "show", "reservation").splitlines()
    return {found[1]: found[2] for line in lines if (found := _RESERVATION.match(line))}


def _reserve(name: str, licenses: str, before: str) -> None:
    """Reserve licences such as `simulator@qwicket:2`; none if the text is empty."""
    if licenses == before:
        return
    if not licenses:
        run_command("scontrol", "delete", f"reservationname={name}")
    elif before:
        run_command("scontrol", "update", f"reservationname={name}", f"licenses={licenses}")
    else:
        run_command(
            *("scontrol", "create", "reservation", f"reservationname={name}"),
            *("starttime=now", "duration=infinite", f"user={getpass.getuser()}"),
            *("flags=license_only,ignore_jobs", f"licenses={licenses}"),
        )


def _sacctmgr(*arguments: str) -> str:
    return run_command("sacctmgr", "--immediate", "--noheader", "--parsable2", *arguments)


def _cluster_name() -> str:
    for line in run_command("scontrol", "show", "config").splitlines():
        name, _, value = line.partition("=")
        if name.strip() == "ClusterName":
            return value.strip()
    raise SiteError("scontrol names no cluster: give --cluster")
