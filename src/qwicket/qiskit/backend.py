"""Devices as backends of Qiskit."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from qiskit import QuantumCircuit
from qiskit.providers import BackendV2, Options

from qwicket.qiskit.jobs import QwicketJob
from qwicket.qiskit.target import target

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from qiskit.transpiler import Target

    from qwicket.clients.native import Device
    from qwicket.qiskit.provider import QwicketProvider

_MAX_NAME_CHARS: Final = 255
"""Longest name that the server accepts by default."""


def is_backend(device: Mapping[str, Any]) -> bool:
    """Return whether a device runs circuits of Qiskit.

    Args:
        device: The server's description of the device.
    """
    return device.get("family") == "qubit" and "openqasm3" in (device.get("formats") or ())


class QwicketBackend(BackendV2):  # type: ignore[misc]  # Qiskit is untyped
    """Device of a Qwicket server. `QwicketProvider` creates it.

    Attributes:
        device: The device, with the server's description of it.
    """

    def __init__(self, provider: QwicketProvider, device: Device) -> None:
        super().__init__(
            provider=provider, name=device.name, description=str(device.get("description", ""))
        )
        self.device = device

    def __repr__(self) -> str:
        return f"<QwicketBackend {self.name!r}>"

    @property
    def target(self) -> Target:
        """Gates, coupled pairs, errors and durations; the calibration is fetched at first use."""
        return self._target

    @property
    def max_circuits(self) -> None:
        """None, because the server checks the number of circuits."""

    @property
    def status(self) -> str:
        """`on`, `draining`, `away` or `off`, as of when the provider read the device."""
        return self.device.status

    def run(
        self,
        run_input: QuantumCircuit | Sequence[QuantumCircuit],
        *,
        shots: int | None = None,
        memory: bool | None = None,
        seed_simulator: int | None = None,
        noise: str | None = None,
        engine: str | None = None,
        name: str = "",
        tags: Sequence[str] = (),
        key: str | None = None,
    ) -> QwicketJob:
        """Submit circuits as one job. On return, the job is on the server's disk.

        Arguments that are None have the value in `backend.options`, except `key`.

        Args:
            run_input: A circuit, or several, without free parameters.
            shots: Shots per circuit; 1,024 in the options.
            memory: Whether to keep the outcomes in shot order.
            seed_simulator: Seed, 0 ≤ seed < 2^63; None in the options: the server draws one.
            noise: Name of one of the device's noise models; None in the options: no noise.
            engine: Name of one of the device's engines; None in the options: the server chooses.
            name: Name of the job; by default that of a single circuit.
            tags: Tags of the job, for lists and filters.
            key: Idempotency key; by default a new one. A repetition with the same key returns the
                first job.

        Raises:
            ClientError: A circuit cannot be sent, or the request failed.
            TypeError: `run_input` is neither a circuit nor a list of circuits.
        """
        is_one = isinstance(run_input, QuantumCircuit)
        circuits: list[QuantumCircuit] = [run_input] if is_one else list(run_input)
        for circuit in circuits:
            if not isinstance(circuit, QuantumCircuit):
                raise TypeError(f"run_input: {type(circuit).__name__} is not a QuantumCircuit.")
        options = self.options
        keeps_memory = options.memory if memory is None else memory
        job = self.device.run(
            circuits[0] if len(circuits) == 1 else circuits,
            shots=options.shots if shots is None else shots,
            seed=options.seed_simulator if seed_simulator is None else seed_simulator,
            noise=options.noise if noise is None else noise,
            engine=(options.engine if engine is None else engine) or "",
            outputs=("counts", "memory") if keeps_memory else ("counts",),
            name=name or (circuits[0].name[:_MAX_NAME_CHARS] if len(circuits) == 1 else ""),
            tags=tags,
            key=key,
        )
        return QwicketJob(self, job, circuits)

    @classmethod
    def _default_options(cls) -> Options:
        return Options(shots=1024, memory=False, seed_simulator=None, noise=None, engine=None)

    @cached_property
    def _target(self) -> Target:
        is_measured = bool(self.device.get("calibration"))
        return target(self.device, self.device.calibration() if is_measured else None)
