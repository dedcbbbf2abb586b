"""Processes that read programs: always local, never a job's slot, limited in time and memory.

Text from outside is read here, and circuits are compiled to other gates, so that none of it can
stall the server's loop or end its process.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final, cast

from qwicket.compute.failures import (
    OutOfMemory,
    OutOfTime,
    Stopped,
    WorkerDied,
    WorkError,
    WorkFailed,
)
from qwicket.compute.pool import Pool
from qwicket.compute.turns import Turns
from qwicket.model.errors import (
    InvalidProgram,
    LimitExceeded,
    TooManyRequests,
    Unavailable,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qwicket.model.circuits import Checked
    from qwicket.model.limits import Limits
    from qwicket.programs import Entangler, Refusal

_PROCESSES: Final = 2
_READ: Final = "qwicket.programs:read_apart"
_COMPILE: Final = "qwicket.programs:compile_apart"
_WARM: Final = "qwicket.programs:warm"
_log = logging.getLogger(__name__)


class Readers:
    """Reads programs in processes of their own; one that dies is replaced.

    An account has one program read at a time, and accounts take turns: a text that uses up all of
    its time delays no other account while one reader is left.

    Args:
        limits: Those named `read…` count here, the others inside.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._turns = Turns(_PROCESSES)
        self.refusals = 0
        self._pool = Pool(_PROCESSES, spares=0, warm=_WARM, memory_bytes=limits.read_memory_bytes)

    async def read(
        self,
        format_name: str,
        source: bytes,
        inputs: Mapping[str, float] | None = None,
        *,
        account: str,
    ) -> Checked | Refusal:
        """Read a program of an account, or say why it is refused.

        Raises:
            LimitExceeded: Reading took more time or memory than it may.
            InvalidProgram: The process ended over it.
            Unavailable: No process could be had.
            TooManyRequests: Too many programs wait.
        """
        arguments = (format_name, source, self._limits, dict(inputs or {}))
        return cast("Checked | Refusal", await self._do(_READ, arguments, account))

    async def compile(
        self, circuits: bytes, number: int, entangler: Entangler, *, account: str
    ) -> bytes | Refusal:
        """Compile one of an account's packed circuits to native gates, as JSON.

        Raises:
            QwicketError: As for `read`.
        """
        arguments = (circuits, number, self._limits, entangler)
        return cast("bytes | Refusal", await self._do(_COMPILE, arguments, account))

    async def _do(self, function: str, arguments: tuple[object, ...], account: str) -> object:
        self._check_room(account)
        async with self._turns.turn(account):
            return await self._run(function, arguments)

    def _check_room(self, account: str) -> None:
        """Refuse one program too many; the first one of an account always finds room."""
        limits, turns = self._limits, self._turns
        n_own, n_all = turns.count(account), turns.count_all()
        if n_own >= limits.reads_waiting_each:
            reason = f"{n_own} programs of yours wait to be read (limit reads_waiting_each)."
            limit, quota = "reads_waiting_each", limits.reads_waiting_each
        elif n_own and n_all >= limits.reads_waiting:
            reason = f"{n_all} programs wait to be read (limit reads_waiting)."
            limit, quota = "reads_waiting", limits.reads_waiting
        else:
            return
        self.refusals += 1
        raise TooManyRequests(reason, field="program", retry_after_s=1.0, limit=limit, quota=quota)

    async def _run(self, function: str, arguments: tuple[object, ...]) -> object:
        try:
            task = self._pool.submit(function, *arguments, timeout_s=self._limits.read_time_s)
        except Stopped:
            raise Unavailable("The server is stopping.") from None
        try:
            return await asyncio.wrap_future(task.future)
        except OutOfTime:
            raise LimitExceeded(
                f"Reading the program takes more than {self._limits.read_time_s:g} s"
                " (limit read_time_s).",
                field="program",
            ) from None
        except OutOfMemory:
            raise LimitExceeded(
                "Reading the program takes more than"
                f" {self._limits.read_memory_bytes >> 20} MiB (limit read_memory_bytes).",
                field="program",
            ) from None
        except (WorkerDied, WorkError) as failure:
            _log.error("a reader failed: %s %s", failure, getattr(failure, "trace", ""))
            raise InvalidProgram(
                "The program could not be read: the reader ended over it.", field="program"
            ) from None
        except WorkFailed:
            raise Unavailable("The program could not be read now.", retry_after_s=1.0) from None
        finally:
            task.cancel()

    @property
    def waiting(self) -> int:
        """How many programs wait for a reader."""
        return self._turns.count_waiting()

    @property
    def deaths(self) -> int:
        """How many readers ended at work."""
        return self._pool.deaths

    async def close(self) -> None:
        await asyncio.to_thread(self._pool.close)
