"""Workers as jobs of Slurm."""

from __future__ import annotations

import os
import re
import shlex
from typing import TYPE_CHECKING, Final

from qwicket.scaling.commands import run_command
from qwicket.scaling.site import Workers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_OPTION: Final = re.compile(r"[a-z][a-z0-9-]*")
_REFUSED_OPTIONS: Final = frozenset({"array", "job-name", "parsable", "signal", "wait", "wrap"})
"""Options of sbatch that users cannot give, so that Qwicket can count the jobs and end them in
time."""
_DEFAULTS: Final = {"ntasks": "1", "cpus-per-task": "1", "output": "qwicket-worker-%j.log"}


def parse_options(text: str) -> dict[str, str | None]:
    """Return options of sbatch from words such as `partition=gpu time=04:00:00 exclusive`.

    Raises:
        ValueError: A word is not an option, or is one of `_REFUSED_OPTIONS`.
    """
    options: dict[str, str | None] = {}
    for word in shlex.split(text):
        name, equals, value = word.removeprefix("--").partition("=")
        if not _OPTION.fullmatch(name):
            raise ValueError(f"{word!r} is not an option of sbatch such as partition=gpu.")
        if name in _REFUSED_OPTIONS:
            raise ValueError(f"{name!r} is set by Qwicket itself.")
        options[name] = value if equals else None
    cpus = options.get("cpus-per-task", _DEFAULTS["cpus-per-task"])
    if not (cpus or "").isdecimal() or not int(cpus or 0):
        raise ValueError(f"cpus-per-task must be a number of slots, not {cpus!r}.")
    return options


class SlurmSite:
    """Starts each worker with `sbatch`.

    Args:
        options: Options of sbatch, from `parse_options`.
        command: Command of a worker that stays when it is idle.
        group: Name of the group; the names of its jobs end with it.
        idle_s: Seconds without a job after which a spare worker ends.

    Raises:
        ValueError: The group's name has a comma, begins with `kept-`, or is not one line.
    """

    def __init__(
        self,
        options: Mapping[str, str | None],
        command: Sequence[str],
        group: str,
        *,
        idle_s: float,
    ) -> None:
        # squeue separates names by commas, and jobs of kept workers have "kept-" before the group.
        if "," in group or group.startswith("kept-") or not group.isprintable():
            raise ValueError(f"{group!r} has a comma, begins with kept-, or is not one line.")
        self._options = {**_DEFAULTS, **options}
        self.slots = int(self._options["cpus-per-task"] or 1)
        self._command = [*command, "--name", group, "--slots", str(self.slots)]
        # `scancel` sends SIGTERM, and should take no time. SIGUSR1 announces the time limit.
        self._command += ["--grace", "0"]
        self._idle_s = idle_s
        self._kept = f"qwicket-kept-{group}"
        self._spare = f"qwicket-{group}"

    def workers(self) -> Workers:
        found = run_command(
            "squeue",
            f"--user={os.getuid()}",
            "--noheader",
            f"--name={self._kept},{self._spare}",
            "--format=%t %j",
        )
        states = [line.split(maxsplit=1) for line in found.splitlines() if line.strip()]
        n_kept = sum(name == self._kept for _, name in states)
        n_waiting = sum(name == self._spare and state == "PD" for state, name in states)
        return Workers(n_kept, len(states) - n_kept, n_waiting)

    def start(self, n: int, *, is_kept: bool) -> None:
        idle = [] if is_kept else ["--idle-s", f"{self._idle_s:g}"]
        name = self._kept if is_kept else self._spare
        options = [
            f"--{option}" if value is None else f"--{option}={value}"
            for option, value in self._options.items()
        ]
        script = f"#!/bin/sh\nexec {shlex.join([*self._command, *idle])}\n"
        for _ in range(n):
            # SIGUSR1 comes a minute before the time limit; the worker then takes no more jobs.
            run_command(
                "sbatch",
                "--parsable",
                f"--job-name={name}",
                "--signal=B:USR1@60",
                *options,
                stdin=script,
            )

    def withdraw(self) -> None:
        run_command("scancel", f"--user={os.getuid()}", f"--name={self._spare}", "--state=PENDING")
