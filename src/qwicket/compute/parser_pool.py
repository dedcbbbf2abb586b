"""Parser processes for programs, separate from worker slots, limited in time and memory.

They parse untrusted text and compile circuits, so that neither can stall the server's event loop or
crash its process.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from qwicket.circuits.noise import Probability
from qwicket.circuits.summary import Checked
from qwicket.compute.failures import (
    MemoryLimitExceeded,
    Stopped,
    TimeLimitExceeded,
    WorkerDied,
    WorkError,
    WorkFailed,
)
from qwicket.compute.fair_slots import FairSlots
from qwicket.compute.fork_server import ForkServer
from qwicket.compute.pool import Pool
from qwicket.model.errors import InvalidProgram, LimitExceeded, TooManyRequests, Unavailable
from qwicket.programs import Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from qwicket.circuits.noise import NoiseModel
    from qwicket.circuits.outcomes import Encoded
    from qwicket.circuits.qubit import Entangler
    from qwicket.circuits.twins import Machine
    from qwicket.model.limits import Limits
    from qwicket.programs import Layout

PARSERS: Final = 2
_SHORT_BYTES: Final = 64 << 10
"""Largest program for the additional process: about 0.1 s in Blackbird, the slowest format."""
_BAR_S: Final = 60.0
"""Time for which an account may not use the additional process after one of its programs took too
long there."""
_READ: Final = "qwicket.programs:read_in_parser"
_COMPILE: Final = "qwicket.programs:compile_in_parser"
_CHECK_LAYOUT: Final = "qwicket.programs:check_layout_in_parser"
_COMPILE_TO_BASIS: Final = "qwicket.programs:compile_to_basis_in_parser"
_WRITE: Final = "qwicket.programs:write_in_parser"
_MITIGATE: Final = "qwicket.programs:mitigate_in_parser"
_FIDELITY: Final = "qwicket.programs:fidelity_in_parser"
# A malicious program may have taken over its parser, so only these types are decoded.
_RETURNS: Final = {
    _READ: Checked | Refusal,
    _COMPILE: bytes | Refusal,
    _CHECK_LAYOUT: Refusal | None,
    _COMPILE_TO_BASIS: Checked | Refusal,
    _WRITE: str | Refusal,
    _MITIGATE: bytes | Refusal,
    _FIDELITY: Probability,
}
_WARM_UP: Final = "qwicket.programs:warm_up"
_WARM_UP_QPY: Final = "qwicket.programs:preload_qiskit"
_log = logging.getLogger(__name__)


class _Call(NamedTuple):
    function: str
    arguments: tuple[object, ...]
    size: int
    is_qpy: bool = False


class ParserPool:
    """Parses programs in separate processes, which are replaced when they die.

    Accounts take turns, each with at most one program in the ordinary processes at a time. A short
    program that finds them all busy goes to an additional process for at most a second (limit
    `short_parse_s`), unless its account has a program in an ordinary process or waiting for one. A
    program that takes longer there is stopped and waits for an ordinary process, and its account
    cannot use the additional process for a minute.

    Args:
        limits: Bounds on parsing and programs.
        clock: Monotonic clock; returns seconds.
        processes: Number of processes beside the additional one.

    Attributes:
        refusals: Number of programs that were refused because too many waited.
        overruns: Number of programs that were stopped in the additional process.
    """

    def __init__(
        self,
        limits: Limits,
        clock: Callable[[], float] = time.monotonic,
        *,
        processes: int = PARSERS,
    ) -> None:
        self._limits = limits
        self._clock = clock
        self._slots = FairSlots(processes)
        self._short_slots = FairSlots(1)
        self._barred_until: dict[str, float] = {}
        self.refusals = 0
        self.overruns = 0
        fork_server = ForkServer(_WARM_UP)
        self._pool = self._open(processes, fork_server)
        self._short_pool = self._open(1, fork_server)
        self._is_prepared_for_qpy = False
        self._earlier_deaths = 0  # in processes that were replaced
        self._closing: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Start the processes, without waiting for them; else the first program does."""
        for pool in (self._pool, self._short_pool):
            pool.start()

    def _open(self, n_processes: int, fork_server: ForkServer) -> Pool:
        maximum = self._limits.parsing.parse_memory_bytes
        return Pool(n_processes, fork_server=fork_server, memory_bytes=maximum)

    async def read(
        self,
        format_name: str,
        source: bytes,
        inputs: Mapping[str, float] | None = None,
        *,
        account: str,
        layout: Layout | None = None,
        with_delays: bool = False,
    ) -> Checked | Refusal:
        """Parse a program of an account.

        Args:
            format_name: One of `programs.FORMATS`.
            source: The program's text.
            inputs: A value for each input that the program declares.
            account: Owner of the program.
            layout: The fixed circuit of a photonic device; None for other devices.
            with_delays: Whether circuits keep their delays.

        Raises:
            LimitExceeded: Parsing exceeds its time or memory limit.
            InvalidProgram: The parser crashed or raised an unexpected exception.
            Unavailable: No process could be started, or the server is stopping.
            TooManyRequests: Too many programs wait.
        """
        arguments = (format_name, source, self._limits, dict(inputs or {}), layout, with_delays)
        call = _Call(_READ, arguments, len(source), format_name == "qiskit.primitives")
        return cast("Checked | Refusal", await self._perform(call, account))

    async def compile(
        self, circuits: bytes, index: int, entangler: Entangler, *, account: str
    ) -> bytes | Refusal:
        """Compile an account's packed circuit, by its index, to native gates of ions, as JSON.

        Raises:
            QwicketError: As for `read`.
        """
        call = _Call(_COMPILE, (circuits, index, self._limits, entangler), len(circuits))
        return cast("bytes | Refusal", await self._perform(call, account))

    async def check_layout(self, layout: str, *, account: str) -> Refusal | None:
        """Return why a text is not a layout of a photonic device, or None if it is one.

        Raises:
            QwicketError: As for `read`.
        """
        call = _Call(_CHECK_LAYOUT, (layout,), len(layout))
        return cast("Refusal | None", await self._perform(call, account))

    async def compile_to_basis(
        self,
        circuits: bytes,
        gates: Sequence[str],
        pairs: Sequence[tuple[int, int]],
        device: str,
        language: str,
        *,
        account: str,
        expand_seed: int | None = None,
    ) -> Checked | Refusal:
        """Compile an account's packed circuits to the gates of a lab's or another cloud's device.

        Args:
            circuits: The packed circuits.
            gates: Names of the device's gates; empty means any gate.
            pairs: Pairs of qubits to which the gates are routed, where this is possible; empty for
                no routing.
            device: Name of the device, for refusals.
            language: Language in which the device gets the circuits, and which must be able to
                express them; empty for any.
            account: The account.
            expand_seed: Seed of the runs of estimations, which the device gets in their place;
                None leaves estimations as they are.

        Raises:
            QwicketError: As for `read`.
        """
        arguments = (
            *(circuits, tuple(gates), device, language, self._limits, tuple(pairs)),
            expand_seed,
        )
        call = _Call(_COMPILE_TO_BASIS, arguments, len(circuits))
        return cast("Checked | Refusal", await self._perform(call, account))

    async def write(self, circuits: bytes, index: int, *, account: str) -> str | Refusal:
        """Return one of an account's packed circuits, by its index, as OpenQASM 3.

        Raises:
            QwicketError: As for `read`.
        """
        call = _Call(_WRITE, (circuits, index), len(circuits))
        return cast("str | Refusal", await self._perform(call, account))

    async def mitigate(
        self,
        circuits: bytes,
        index: int,
        result: Encoded,
        errors: Sequence[tuple[float, float]],
        *,
        account: str,
    ) -> bytes | Refusal:
        """Return mitigated counts of an account's circuit, by its index, as JSON.

        Args:
            circuits: Packed circuits.
            index: Index of the circuit.
            result: Its result.
            errors: For each qubit, the probabilities of reading 1 for 0, and 0 for 1.
            account: The account.

        Raises:
            QwicketError: As for `read`.
        """
        size = len(circuits) + len(result.body)
        call = _Call(_MITIGATE, (circuits, index, result, tuple(errors), self._limits), size)
        return cast("bytes | Refusal", await self._perform(call, account))

    async def fidelity(
        self, circuits: bytes, device: NoiseModel | Machine, *, account: str
    ) -> float:
        """Return the expected fidelity of an account's packed circuits on a device.

        Raises:
            QwicketError: As for `read`.
        """
        call = _Call(_FIDELITY, (circuits, device), len(circuits))
        return cast("float", await self._perform(call, account))

    async def _perform(self, call: _Call, account: str) -> object:
        self._check_limits(account)
        if self._admit_to_short_pool(call, account):
            async with self._short_slots.slot(account):
                try:
                    max_s = self._limits.parsing.short_parse_s
                    return await self._run(self._short_pool, call, max_s)
                except TimeLimitExceeded:
                    # The program is parsed again in an ordinary process, because half-finished
                    # parsing cannot be moved, and other short programs must not wait for it.
                    self.overruns += 1
                    self._barred_until[account] = self._clock() + _BAR_S
                except Stopped:  # its process was replaced by one that parses QPY
                    pass
        async with self._slots.slot(account):
            try:
                return await self._run(self._pool, call, self._limits.parsing.parse_time_s)
            except TimeLimitExceeded:
                raise LimitExceeded(
                    f"Parsing the program takes more than {self._limits.parsing.parse_time_s:g} s"
                    " (limit parse_time_s).",
                    field="program",
                ) from None
            except Stopped:
                raise Unavailable("The server is stopping.") from None

    def _admit_to_short_pool(self, call: _Call, account: str) -> bool:
        """Return whether to use the additional process; the class states the rules."""
        is_prepared = self._prepare_for_qpy() if call.is_qpy else True
        # An account with a program in an ordinary process waits for that one. Otherwise a long
        # program and short ones of the account could occupy both kinds.
        if self._slots.has_free_slot or self._slots.count(account) or call.size > _SHORT_BYTES:
            return False
        now = self._clock()
        self._barred_until = {k: until for k, until in self._barred_until.items() if until > now}
        return is_prepared and account not in self._barred_until

    def _prepare_for_qpy(self) -> bool:
        """At the first QPY program, replace the additional process by one with Qiskit loaded.

        Qiskit is not loaded from the start, to save memory in servers without QPY. Loading it
        takes longer than a program may take there. Return whether it was replaced before.
        """
        was_prepared, self._is_prepared_for_qpy = self._is_prepared_for_qpy, True
        if not was_prepared:
            old, self._short_pool = self._short_pool, self._open(1, ForkServer(_WARM_UP_QPY))
            self._earlier_deaths += old.deaths
            self._short_pool.start()
            self._closing.append(asyncio.create_task(asyncio.to_thread(old.close)))
        return was_prepared

    def _check_limits(self, account: str) -> None:
        """Refuse a program if too many wait or are parsed."""
        limits, queues = self._limits.parsing, (self._slots, self._short_slots)
        # The first program of an account is never refused, whatever the other accounts send.
        n_own = sum(queue.count(account) for queue in queues)
        n_all = sum(queue.count_all() for queue in queues)
        if n_own >= limits.parser_queue_each:
            reason = f"{n_own} programs of yours wait to be parsed (limit parser_queue_each)."
            limit, quota = "parser_queue_each", limits.parser_queue_each
        elif n_own and n_all >= limits.parser_queue:
            reason = f"{n_all} programs wait to be parsed (limit parser_queue)."
            limit, quota = "parser_queue", limits.parser_queue
        else:
            return
        self.refusals += 1
        raise TooManyRequests(reason, field="program", retry_after_s=1.0, limit=limit, quota=quota)

    async def _run(self, pool: Pool, call: _Call, timeout_s: float) -> object:
        """Run a call in a process of a pool; if the process dies, once more in another one.

        Its death may have another cause than the program, such as a machine without memory.

        Raises:
            TimeLimitExceeded: The call took longer than `timeout_s`.
            Stopped: The pool was closed.
            QwicketError: As for `read`.
        """
        try:
            return await self._run_once(pool, call, timeout_s)
        except WorkerDied as death:
            _log.warning("a parser died, and its program is parsed again: %s", death)
        try:
            return await self._run_once(pool, call, timeout_s)
        except WorkerDied as death:
            raise _crashed(death) from None

    async def _run_once(self, pool: Pool, call: _Call, timeout_s: float) -> object:
        task = pool.submit(
            call.function, *call.arguments, timeout_s=timeout_s, returns=_RETURNS[call.function]
        )
        try:
            return await asyncio.wrap_future(task.future)
        except (TimeLimitExceeded, Stopped, WorkerDied):
            raise  # `_perform` and `_run` handle them
        except MemoryLimitExceeded:
            raise LimitExceeded(
                "Parsing the program takes more than"
                f" {self._limits.parsing.parse_memory_bytes >> 20} MiB (limit parse_memory_bytes).",
                field="program",
            ) from None
        except WorkError as error:
            raise _crashed(error) from None
        except WorkFailed:
            raise Unavailable("The program could not be read now.", retry_after_s=1.0) from None
        finally:
            # If the request was cancelled, its parsing must not occupy the process.
            task.cancel()

    @property
    def waiting(self) -> int:
        """Number of programs that wait for a parser."""
        return self._slots.count_waiting() + self._short_slots.count_waiting()

    @property
    def deaths(self) -> int:
        """Number of parsers that died while busy."""
        return self._earlier_deaths + self._pool.deaths + self._short_pool.deaths

    async def close(self) -> None:
        await asyncio.gather(
            *self._closing,
            *(asyncio.to_thread(pool.close) for pool in (self._pool, self._short_pool)),
        )


def _crashed(failure: WorkerDied | WorkError) -> InvalidProgram:
    # The trace is for the log only: it may show the server's paths.
    _log.error("a parser failed: %s %s", failure, getattr(failure, "trace", ""))
    return InvalidProgram("The program could not be read: its parser crashed.", field="program")
