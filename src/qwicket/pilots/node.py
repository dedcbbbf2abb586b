"""Processors, memory and time left of a pilot's machine, from Slurm, or else from the kernel.

Slurm's variables are those of sbatch(1), "OUTPUT ENVIRONMENT VARIABLES".
"""

from __future__ import annotations

import os
import socket
import time
from typing import TYPE_CHECKING, Final, NamedTuple

from qwicket.compute.memory import available_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping

_MEMORY_FRACTION: Final = 0.8
"""Fraction of the memory for jobs; the rest is for the processes themselves."""
_MIB: Final = 1 << 20


class Node(NamedTuple):
    """What a pilot offers.

    Attributes:
        slots: Number of tasks at the same time.
        memory_bytes: Memory for each task, in bytes.
        ends_at: Time of `time.monotonic()` at which the pilot must have ended; None for no end.
    """

    slots: int
    memory_bytes: int
    ends_at: float | None = None

    def seconds_left(self) -> float | None:
        """Return the seconds until `ends_at`; None if it never ends."""
        return None if self.ends_at is None else max(0.0, self.ends_at - time.monotonic())


def detect_node(
    slots: int | None = None,
    memory_bytes: int | None = None,
    walltime_s: float | None = None,
    environment: Mapping[str, str] = os.environ,
) -> Node:
    """Return what a pilot on this machine offers; the first three arguments replace found values.

    Args:
        slots: Number of tasks at the same time.
        memory_bytes: Memory for each task, in bytes.
        walltime_s: Seconds until the pilot must have ended.
        environment: Environment variables; those of a Slurm job are used.
    """
    slots = slots or _number(environment, "SLURM_CPUS_ON_NODE") or len(os.sched_getaffinity(0))
    if memory_bytes is None:
        memory_bytes = max(1, int(_MEMORY_FRACTION * _memory(environment)) // slots)
    if walltime_s is None:
        end = _number(environment, "SLURM_JOB_END_TIME")
        walltime_s = None if end is None else end - time.time()
    return Node(slots, memory_bytes, None if walltime_s is None else time.monotonic() + walltime_s)


def new_name(prefix: str | None = None, environment: Mapping[str, str] = os.environ) -> str:
    """Return a unique name that shows where the pilot runs, with eight random hexadecimal digits.

    The server treats all requests under one name as those of one process. Without a `prefix` the
    name begins with the host and Slurm's job.
    """
    host = socket.gethostname().partition(".")[0] or "worker"
    batch_job = environment.get("SLURM_JOB_ID", "")
    # Host and job are cut, because the server takes names of at most 63 characters.
    parts = [prefix] if prefix else [host[:24], batch_job[:12]]
    return "-".join(filter(None, [*parts, os.urandom(4).hex()]))


def _memory(environment: Mapping[str, str]) -> int:
    """Return the bytes that the batch system allows, or else those that are available."""
    node_mib = _number(environment, "SLURM_MEM_PER_NODE")
    if node_mib:
        return node_mib * _MIB
    cpu_mib = _number(environment, "SLURM_MEM_PER_CPU")
    cpus = _number(environment, "SLURM_CPUS_ON_NODE")
    return cpu_mib * cpus * _MIB if cpu_mib and cpus else available_bytes()


def _number(environment: Mapping[str, str], name: str) -> int | None:
    text = environment.get(name, "")
    return int(text) if text.isdecimal() else None
