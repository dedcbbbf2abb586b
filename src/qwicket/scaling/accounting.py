"""Jobs of Slurm as its accounting knows them, by `sacct`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from qwicket.scaling.commands import run_command
from qwicket.scaling.site import SiteError

if TYPE_CHECKING:
    from collections.abc import Collection

_FIELDS: Final = ("JobIDRaw", "Account", "User", "State", "CPUTimeRAW")
_AT_ONCE: Final = 500
"""Jobs of one command, so that its arguments and its output are short."""


class SlurmJob(NamedTuple):
    """A job of Slurm, with the processor time that it was given, in seconds."""

    id: str
    account: str
    user: str
    state: str
    cpu_s: int


def slurm_jobs(ids: Collection[str]) -> dict[str, SlurmJob]:
    """Return those jobs of Slurm that its accounting knows, by id. Ids that are no numbers are not.

    Raises:
        SiteError: Slurm does not respond, or refuses.
    """
    numbers = sorted({each for each in ids if each.isdecimal() and each.isascii()}, key=int)
    found: dict[str, SlurmJob] = {}
    for first in range(0, len(numbers), _AT_ONCE):
        lines = run_command(
            *("sacct", "--allusers", "--allocations", "--noheader", "--parsable2"),
            f"--format={','.join(_FIELDS)}",
            f"--jobs={','.join(numbers[first : first + _AT_ONCE])}",
        )
        for line in lines.splitlines():
            try:
                id, account, user, state, cpu_s = line.split("|")
                found[id] = SlurmJob(id, account, user, state, int(cpu_s or 0))
            except ValueError:
                raise SiteError(f"sacct prints a line that is no job: {line[:200]!r}") from None
    return found
