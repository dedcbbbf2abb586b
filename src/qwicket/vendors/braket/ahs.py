"""Format `ahs`: analog Hamiltonian simulation of Rydberg atoms, as Amazon Braket writes it.

    {"register": {"sites": [["0", "0"], ["5.5e-6", "0"]], "filling": [1, 1]},
     "hamiltonian": {"drivingFields": [{"amplitude": F, "phase": F, "detuning": F}]}}

with F = `{"time_series": {"values": […], "times": […]}, "pattern": "uniform"}`, in metres, seconds
and radians per second. Amplitude Ω and detuning Δ run linearly from one time to the next, and

    H = Σ (Ω Lx + Δ Lz) + Σ_{i<j} C₆ / r_ij⁶ n_i n_j

up to a constant. Lx = σx/2 and Lz = σz/2 act on one atom, and n = 1/2 - Lz is 1 if it is excited.
So Δ Lz is -Δ n up to a constant: a positive detuning lowers the energy of excited atoms.

An interval with constant fields becomes one exact gate. A ramp becomes several gates, each with the
fields at its middle. The engine simulates a chain of equal distances, so programs with other
positions are refused.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import ceil, dist, isfinite, pi, sqrt
from typing import Final, NamedTuple

import msgspec

from qwicket.circuits.atoms import AtomCircuit, AtomGate
from qwicket.model.errors import InvalidProgram
from qwicket.model.limits import Limits
from qwicket.programs import json_text
from qwicket.programs.json_text import check_limit

C6: Final = 5.42e-24
"""C₆ of rubidium in 70S½, in rad m⁶/s. Amazon Braket, "Hello AHS"; Wurtz et al.,
arXiv:2306.11727."""

MAX_ATOMS: Final = 5
"""Largest number of atoms: that of the machine `rydberg` (`cold_atom_gates`), which has the same
gates."""
_STEP_ERROR: Final = 0.02
"""Bound on the error of the state by all steps together. The real error is far smaller, because
contributions of different steps partly cancel (tests compare with an integrator)."""
_MAX_PHASE: Final = 5e6 * pi
"""Largest parameter of one gate, energy times time in radians, as in `cold_atom_gates`."""
_SITE_TOLERANCE: Final = 1e-6
"""Largest deviation of a site from its position in the chain, in distances of neighbours."""
_MAX_INTERACTION_SUM: Final = 2.04
"""Bound of Σ_j 1/|i - j|⁶ for an atom amid a chain: 2 ζ(6) = 2.0347."""

_Number = float | str


class _TimeSeries(msgspec.Struct):
    values: tuple[_Number, ...]
    times: tuple[_Number, ...]


class _Field(msgspec.Struct):
    time_series: _TimeSeries
    pattern: str | tuple[_Number, ...] = "uniform"


class _Drive(msgspec.Struct):
    amplitude: _Field
    phase: _Field
    detuning: _Field


class _Hamiltonian(msgspec.Struct, rename="camel"):
    driving_fields: tuple[_Drive, ...]
    local_detuning: tuple[msgspec.Raw, ...] = ()
    shifting_fields: tuple[msgspec.Raw, ...] = ()  # its name in older SDKs of Braket


class _Register(msgspec.Struct):
    sites: tuple[tuple[_Number, ...], ...]
    filling: tuple[int, ...] | None = None


class _Program(msgspec.Struct):
    register: _Register
    hamiltonian: _Hamiltonian


class _Curve(NamedTuple):
    """A field over time: linear from each time to the next."""

    times: tuple[float, ...]
    values: tuple[float, ...]

    def at(self, time: float) -> float:
        # `bisect_left` returns 0 for the first time, before which no segment exists.
        k = min(max(bisect_left(self.times, time), 1), len(self.times) - 1)
        (t0, t1), (v0, v1) = self.times[k - 1 : k + 1], self.values[k - 1 : k + 1]
        return v0 + (v1 - v0) * (time - t0) / (t1 - t0)


class _LinearSegment(NamedTuple):
    """An interval in which amplitude and detuning are linear; each has its values at both ends."""

    seconds: float
    amplitude: tuple[float, float]
    detuning: tuple[float, float]

    def steps(self, blockade: float, n_atoms: int, error: float) -> int:
        """Return the number of steps that keeps the error of the state below `error`.

        The error of the exponential midpoint rule over one segment of τ is τ³/12 ‖[H, dH/dt]‖, and
        N² times smaller with N steps (Magnus, second order).
        """
        (amplitude_0, amplitude_1), (detuning_0, detuning_1) = self.amplitude, self.detuning
        tau = self.seconds
        amplitude_slope = (amplitude_1 - amplitude_0) / tau
        detuning_slope = (detuning_1 - detuning_0) / tau
        if not (amplitude_slope or detuning_slope):
            return 1
        amplitude, detuning = (amplitude_0 + amplitude_1) / 2, (detuning_0 + detuning_1) / 2
        of_fields = abs(amplitude * detuning_slope - detuning * amplitude_slope)
        of_interaction = _MAX_INTERACTION_SUM * blockade * abs(amplitude_slope)
        # [Lx, Lz] and [Lx, n] are Ly of one atom up to a phase, and its norm is 1/2.
        commutator = n_atoms / 2 * (of_fields + of_interaction)
        # The root is infinite for atoms that nearly coincide; 1e18 steps exceed the limit, too.
        return max(1, ceil(min(1e18, sqrt(tau**3 / 12 * commutator / error))))


_decoder: Final = msgspec.json.Decoder(_Program)


def read(source: bytes, limits: Limits) -> tuple[AtomCircuit, ...]:
    """Read a program into one circuit, whose shots are those of the job.

    Args:
        source: JSON text.
        limits: Bounds on bytes and operations: each step is one.

    Raises:
        InvalidProgram: The text is not an analog program, or the program needs more than a chain
            of equal distances under uniform fields; the detail says which part.
        LimitExceeded: A limit is exceeded.
    """
    check_limit("program_json_bytes", len(source), limits.programs.program_json_bytes)
    program = json_text.decode(_decoder, source, lambda *_: "")
    n_atoms, spacing = _chain(program.register)
    blockade = C6 / spacing**6 if n_atoms > 1 else 0.0
    segments = _segments(program.hamiltonian)
    gates = tuple(_gates(segments, n_atoms, blockade, limits))
    circuit = AtomCircuit(
        kind="spins",
        atoms=(1,) * n_atoms,
        gates=gates,
        measured=tuple(range(n_atoms)),
        shots=0,  # those of the job
    )
    return (circuit,)


def _chain(register: _Register) -> tuple[int, float]:
    """Return the number of atoms and the distance of neighbours in metres."""
    positions = [
        tuple([_real(x, f"register.sites[{k}]") for x in site])
        for k, site in enumerate(register.sites)
    ]
    if not 1 <= len(positions) <= MAX_ATOMS or any(len(each) != 2 for each in positions):
        raise _refusal("register.sites", f"must be 1 to {MAX_ATOMS} places in the plane")
    if register.filling is not None and register.filling != (1,) * len(positions):
        raise _refusal("register.filling", "must be 1 for every site: each holds an atom here")
    # One atom has no neighbour, so its spacing is never used.
    if len(positions) == 1:
        return 1, 1.0
    (x0, y0), (x1, y1) = positions[:2]
    spacing = dist(positions[0], positions[1])
    for k, position in enumerate(positions):
        # From the first site, not from the last one, so that deviations cannot add up.
        expected = (x0 + k * (x1 - x0), y0 + k * (y1 - y0))
        if not spacing > 0 or dist(position, expected) > _SITE_TOLERANCE * spacing:
            text = "must be a straight chain of equal distances, in its order"
            raise _refusal("register.sites", text)
    return len(positions), spacing


def _segments(hamiltonian: _Hamiltonian) -> list[_LinearSegment]:
    if hamiltonian.local_detuning:
        raise _refusal("hamiltonian.localDetuning", "is not simulated: leave it empty")
    if hamiltonian.shifting_fields:
        raise _refusal("hamiltonian.shiftingFields", "is not simulated: leave it empty")
    if len(hamiltonian.driving_fields) != 1:
        raise _refusal("hamiltonian.drivingFields", "must be one field")
    drive = hamiltonian.driving_fields[0]
    phase = _curve(drive.phase, "phase")
    amplitude, detuning = _curve(drive.amplitude, "amplitude"), _curve(drive.detuning, "detuning")
    # Between the first end and the last one the Hamiltonian would not be defined.
    if len({curve.times[-1] for curve in (phase, amplitude, detuning)}) > 1:
        raise _refusal("hamiltonian.drivingFields[0]", "has fields that end at different times")
    if len(set(phase.values)) > 1:  # a constant phase only rotates all axes, with no effect
        text = "must be constant: a phase that changes is not simulated"
        raise _refusal("hamiltonian.drivingFields[0].phase", text)
    times = sorted({*amplitude.times, *detuning.times})
    return [
        _LinearSegment(b - a, (amplitude.at(a), amplitude.at(b)), (detuning.at(a), detuning.at(b)))
        for a, b in pairwise(times)
    ]


def _curve(field: _Field, name: str) -> _Curve:
    at = f"hamiltonian.drivingFields[0].{name}"
    if field.pattern != "uniform":
        raise _refusal(f"{at}.pattern", "must be uniform")
    times, values = field.time_series.times, field.time_series.values
    if len(times) != len(values) or len(times) < 2:
        raise _refusal(f"{at}.time_series", "must have as many values as times, two at least")
    curve = _Curve(
        times=_reals(times, f"{at}.time_series.times"),
        values=_reals(values, f"{at}.time_series.values"),
    )
    if curve.times[0] != 0 or any(b <= a for a, b in pairwise(curve.times)):
        raise _refusal(f"{at}.time_series.times", "must rise from 0")
    return curve


def _gates(
    segments: Sequence[_LinearSegment], n_atoms: int, blockade: float, limits: Limits
) -> Iterator[AtomGate]:
    wires = tuple(range(n_atoms))
    error = _STEP_ERROR / len(segments)  # errors of segments add up
    n_gates = 0
    for segment in segments:
        n_steps = segment.steps(blockade, n_atoms, error)
        n_gates += n_steps
        # Checked before the steps are made: a fast pulse on close atoms needs very many.
        check_limit("operations", n_gates, limits.programs.operations, " or more")
        (amplitude_0, amplitude_1), (detuning_0, detuning_1) = segment.amplitude, segment.detuning
        dt = segment.seconds / n_steps
        for k in range(n_steps):
            middle = (k + 0.5) / n_steps
            amplitude = amplitude_0 + (amplitude_1 - amplitude_0) * middle
            detuning = detuning_0 + (detuning_1 - detuning_0) * middle
            params = (amplitude * dt, detuning * dt, blockade * dt)
            if max(map(abs, params)) > _MAX_PHASE:
                text = "has energies times time above 5,000,000 pi"
                raise _refusal("hamiltonian.drivingFields[0]", text)
            yield AtomGate("rydberg_full", wires, params)


def _reals(numbers: tuple[_Number, ...], field: str) -> tuple[float, ...]:
    return tuple([_real(number, field) for number in numbers])


def _real(number: _Number, field: str) -> float:
    """Return a number as a float; some clients write numbers as text."""
    try:
        value = float(number)
    except ValueError:
        raise _refusal(field, "must be numbers") from None
    # Within these bounds sixth powers of distances are finite and not zero.
    if not isfinite(value) or 0 < abs(value) < 1e-30 or abs(value) > 1e30:
        raise _refusal(field, "must be numbers: 0, or from 1e-30 to 1e30 in absolute value")
    return value


def _refusal(field: str, text: str) -> InvalidProgram:
    return InvalidProgram(f"{field} {text}", field=field)
