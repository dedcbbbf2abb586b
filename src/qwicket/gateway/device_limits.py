"""Limits on the jobs of each device: qubits, shots, circuits, memory, time and result."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from qwicket import engines
from qwicket.circuits.options import RunOptions
from qwicket.circuits.outcomes import COUNTS, MEMORY, PROBABILITIES
from qwicket.circuits.summary import Summary
from qwicket.model.devices import MAX_EXPERIMENTS
from qwicket.model.errors import LimitExceeded

if TYPE_CHECKING:
    from qwicket.model.devices import Device
    from qwicket.model.jobs import Submission
    from qwicket.model.limits import Limits
    from qwicket.store import Store

MPS_ENGINE: Final = "aer-mps"
"""Engine of matrix product states: memory depends on a circuit's entanglement, and only linearly on
its number of qubits."""

_ROW_BYTES: Final = 24
"""Bytes of a row of a result in JSON, without its bits."""

_QUADRATURE_BYTES: Final = 44
"""Bytes of two measured quadratures of a mode in JSON."""
_COUNT_BYTES: Final = 8
"""Bytes of the photon count of a mode in JSON."""

_PILOT_MEMORY_TTL_S: Final = 1.0
"""Time for which the memory of the pilots is not read again."""


class DeviceLimits:
    """Limits on the jobs of devices, which depend on this machine and on connected pilots.

    Args:
        store: Stores the pilots that are present.
        limits: Bounds; `memory_bytes` must be set.
        memory_grows: Whether pilots with more memory raise the limit `memory_bytes`.
    """

    def __init__(self, store: Store, limits: Limits, *, memory_grows: bool = False) -> None:
        if limits.jobs.memory_bytes is None:
            raise ValueError("memory_bytes must be set before jobs are validated")
        self._store = store
        self._limits = limits
        self._memory_bytes = self._own_memory_bytes = limits.jobs.memory_bytes
        self._memory_grows = memory_grows
        self._memory_read_again_at = 0.0

    async def update_memory(self) -> bool:
        """Read the memory of the pilots that are present; return whether more is allowed now."""
        if not self._memory_grows or time.monotonic() < self._memory_read_again_at:
            return False
        self._memory_read_again_at = time.monotonic() + _PILOT_MEMORY_TTL_S
        before = self._memory_bytes
        runners = await self._store.leases.runners()
        of_pilots = [each.memory_bytes or 0 for each in runners if each.kind == "pilot"]
        self._memory_bytes = max([self._own_memory_bytes, *of_pilots])
        return self._memory_bytes > before

    def qubits(self, device: Device, is_twin: bool = False) -> int:
        """Return the limit on qubits that is shown for a device.

        A twin has as many as its original, but only Clifford circuits may use more than fit into
        memory. Other simulators have as many as fit. A device that is not simulated states them.
        """
        if is_twin or not device.is_simulated:
            return self._max_qubits(device)
        if not engines.has_family(device.family):
            return 0
        for n_qubits in range(self._max_qubits(device), 0, -1):
            summary = Summary(
                device.family, 1, n_qubits, 0, 0, is_clifford=device.spec.clifford_only
            )
            needed = engines.estimate(summary, RunOptions(shots=1, seed=0, outputs=(COUNTS,)))
            maximum = self._limits.jobs.qubits
            if needed.bytes <= self._memory_bytes and needed.state_qubits <= maximum:
                return n_qubits
        return 0

    def shots(self, device: Device) -> int:
        """Return the limit on shots of one job on a device."""
        return min(device.spec.max_shots, self._limits.jobs.shots)

    def circuits(self, device: Device) -> int:
        """Return the limit on circuits (on atoms: experiments) of one job on a device."""
        if device.family != "atoms":
            return self._limits.programs.circuits
        own = device.spec.atoms.max_experiments if device.spec.atoms else MAX_EXPERIMENTS
        return min(own, self._limits.programs.circuits)

    def installed_engines(self, device: Device) -> tuple[str, ...]:
        """Return the engines of a device that are installed on this machine."""
        if not device.spec.engines or not engines.has_family(device.family):
            return ()
        here = engines.list_installed(device.family)
        return tuple([name for name in device.spec.engines if name in here])

    def check_width(self, summary: Summary, device: Device, engine: str) -> None:
        """Refuse more qubits than the engine `aer-mps`, or else the device, takes.

        `check_cost` bounds the memory and time of narrower circuits.
        """
        unit = "modes" if device.family == "photonic" else "qubits"
        is_mps = engine == MPS_ENGINE
        maximum = self._limits.jobs.mps_qubits if is_mps else self._max_qubits(device)
        if summary.n_qubits > maximum:
            takes = (
                f"{engine} takes {maximum} (limit mps_qubits)"
                if is_mps
                else self._qubits_text(device)
            )
            raise LimitExceeded(
                f"The program has {summary.n_qubits} {unit}, {takes}.", field="qubits"
            )

    def _qubits_text(self, device: Device) -> str:
        """Return a text with a device's limit on qubits and its reasons."""
        is_twin = bool(device.spec.native_gates) and device.is_simulated
        maximum, fitting = self._max_qubits(device), self.qubits(device, is_twin)
        if device.family == "photonic":
            return f"{device.name} takes {maximum} (its modes, and limit modes)"
        if fitting < maximum:
            return (
                f"{device.name} takes {fitting} (limits qubits and memory_bytes), or {maximum}"
                " where all gates are Clifford gates"
            )
        return f"{device.name} takes {maximum} (its qubits, and limit clifford_qubits)"

    def _max_qubits(self, device: Device) -> int:
        if device.family == "photonic":
            return min(device.spec.qubits, self._limits.photonic.modes)
        maximum = self._limits.programs.clifford_qubits
        spec = device.spec
        is_ideal = spec.exact and not spec.clifford_only and device.family == "qubit"
        if is_ideal and device.is_simulated:  # then only this server's limits bound it
            return min(max(spec.qubits, self._limits.jobs.qubits), maximum)
        return min(spec.qubits, maximum)

    def check_cost(self, estimate: engines.Estimate, device: Device) -> None:
        """Refuse a job that needs too much memory or time."""
        if estimate.state_qubits > self._limits.jobs.qubits:
            raise LimitExceeded(
                f"The program uses {estimate.state_qubits} connected qubits; as a state vector,"
                f" {self._limits.jobs.qubits} are simulated (limit qubits).",
                field="qubits",
            )
        if estimate.bytes > self._memory_bytes:
            takes = f" {self._qubits_text(device)}." if estimate.state_qubits else ""
            raise LimitExceeded(
                f"The program needs about {estimate.bytes >> 20} MiB,"
                f" {self._memory_bytes >> 20} MiB are allowed (limit memory_bytes).{takes}",
                field="program",
            )
        if estimate.seconds > self._limits.jobs.run_time_s:
            raise LimitExceeded(
                f"The program needs about {estimate.seconds:.0f} s,"
                f" {self._limits.jobs.run_time_s:g} s are allowed (limit run_time_s).",
                field="program",
            )

    def check_result(self, submission: Submission, summary: Summary, *, is_exact: bool) -> None:
        """Refuse a job whose result would be too large to store, send and hold in memory.

        A noisy job has at most as many probabilities as shots.
        """
        if summary.n_terms:
            return  # two numbers for each expectation value, which `pauli_terms` bounds
        # Shifts of thousands of bits would make large integers; `outcomes` is far below 2^62.
        maximum = min(self._limits.jobs.outcomes, 1 << min(summary.n_clbits, 62))
        drawn = min(submission.shots, maximum)
        rows = submission.shots if MEMORY in submission.outputs else 0
        rows += drawn if COUNTS in submission.outputs else 0
        if PROBABILITIES in submission.outputs:
            rows += maximum if is_exact else drawn
        size = summary.n_circuits * rows * (summary.n_clbits + _ROW_BYTES)
        if summary.family == "photonic":  # `n_splits` modes are measured, `n_clbits` by counting
            n_quadratures = summary.n_splits - summary.n_clbits
            shot_bytes = _COUNT_BYTES * summary.n_clbits + _QUADRATURE_BYTES * n_quadratures
            size = summary.n_circuits * submission.shots * shot_bytes
        max_bytes = self._limits.jobs.result_bytes
        if size > max_bytes:
            raise LimitExceeded(
                f"The result may have {size >> 20} MiB, {max_bytes >> 20} MiB are"
                " allowed (limit result_bytes).",
                field="outputs",
            )
