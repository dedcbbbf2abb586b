"""Validation of a lab's device; each error names the field and what is allowed."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

import msgspec

from qwicket import programs
from qwicket.circuits.outcomes import COUNTS, MEMORY, PROBABILITIES, SAMPLES
from qwicket.model.devices import check_device_name
from qwicket.model.errors import InvalidRequest, LimitExceeded
from qwicket.model.suggestions import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from qwicket.model.devices import DeviceSpec, DialectNeeds, Family, PhotonicSpec
    from qwicket.model.limits import Limits

_OUTPUTS: Final[Mapping[Family, frozenset[str]]] = {
    "qubit": frozenset({COUNTS, MEMORY, PROBABILITIES}),
    "atoms": frozenset({SAMPLES}),
    "photonic": frozenset({SAMPLES}),
}
_FORMATS: Final[Mapping[Family, tuple[str, ...]]] = {
    family: tuple(
        each.name
        for each in programs.FORMATS.values()
        if each.family == family and each.is_for_labs
    )
    for family in _OUTPUTS
}


def check_announced(
    name: str,
    family: Family,
    dialects: Sequence[str],
    spec: DeviceSpec,
    limits: Limits,
    needs_of_dialects: Mapping[str, DialectNeeds],
) -> None:
    """Validate a device, except a photonic layout.

    Args:
        name: Name of the device.
        family: Family of its programs.
        dialects: The dialects that are to show it.
        spec: Specification of the device.
        limits: Bounds on its numbers.
        needs_of_dialects: What each dialect needs of the devices of this family.

    Raises:
        InvalidRequest: A field is invalid; the detail names it.
        LimitExceeded: A number is out of range, or a text too long or not printable; the detail
            names the limit.
    """
    check_device_name(name)
    size, maximum = len(msgspec.json.encode(spec)), limits.agents.device_bytes
    if size > maximum:
        raise LimitExceeded(
            f"spec has {size} bytes, {maximum} are allowed (limit device_bytes).", field="spec"
        )
    _check_spec(family, spec, limits)
    _check_dialects(family, dialects, spec, needs_of_dialects)


def _check_dialects(
    family: Family,
    dialects: Sequence[str],
    spec: DeviceSpec,
    needs_of_dialects: Mapping[str, DialectNeeds],
) -> None:
    """Refuse a dialect whose clients could see the device, but not submit to it."""
    readable = {
        name: [each for each in _FORMATS[family] if each in needs.formats]
        for name, needs in needs_of_dialects.items()
    }
    known = sorted(("native", *(name for name, formats in readable.items() if formats)))
    for name in sorted(set(dialects) - {"native"}):
        if name not in known:
            raise InvalidRequest(
                f"dialects: a lab's device of the family {family} may have {', '.join(known)}, not"
                f" {name[:100]!r}.",
                field="dialects",
            )
        if not set(readable[name]).intersection(spec.formats):
            raise InvalidRequest(
                f"dialects: clients of {name!r} send {' or '.join(readable[name])}, which the"
                f" device does not read: add it to formats, or leave {name!r} out.",
                field="dialects",
            )
        missing = [each for each in needs_of_dialects[name].outputs if each not in spec.outputs]
        if missing:
            raise InvalidRequest(
                f"dialects: clients of {name!r} request {' and '.join(missing)}, which the device"
                f" does not return: add it to outputs, or leave {name!r} out.",
                field="dialects",
            )


def _check_spec(family: Family, spec: DeviceSpec, limits: Limits) -> None:
    for field, value, maximum, limit in (
        ("qubits", spec.qubits, limits.programs.clifford_qubits, "clifford_qubits"),
        ("max_shots", spec.max_shots, limits.jobs.shots, "shots"),
    ):
        if not 1 <= value <= maximum:
            raise LimitExceeded(
                f"{field} must be 1 to {maximum} (limit {limit}), not {value}.", field=field
            )
    max_s = limits.jobs.run_time_s
    if not 0 <= spec.shot_s <= max_s:
        raise LimitExceeded(
            f"shot_s must be 0 to {max_s:g} (limit run_time_s), not {spec.shot_s:g}.",
            field="shot_s",
        )
    _check_names("formats", spec.formats, _FORMATS[family])
    _check_names("outputs", spec.outputs, sorted(_OUTPUTS[family]))
    for field in ("noise_models", "engines", "exact"):
        if getattr(spec, field):
            raise InvalidRequest(f"{field} is only for simulators; leave it out.", field=field)
    if spec.atoms is not None and family != "atoms":
        raise InvalidRequest("atoms: only for devices of the family atoms.", field="atoms")
    if spec.photonic is not None:
        _check_photonic(family, spec.photonic, limits)
    _check_texts(spec, limits)


def _check_photonic(family: Family, spec: PhotonicSpec, limits: Limits) -> None:
    if family != "photonic":
        raise InvalidRequest("photonic: only for devices of the family photonic.", field="photonic")
    maximum = limits.agents.layout_bytes
    if len(spec.layout) > maximum:
        raise LimitExceeded(
            f"layout has {len(spec.layout)} characters, {maximum} are allowed"
            " (limit layout_bytes).",
            field="photonic",
        )


def _check_texts(spec: DeviceSpec, limits: Limits) -> None:
    atoms = spec.atoms
    gates = [*spec.gates, *spec.native_gates]
    others: list[str] = []
    if atoms is not None:
        gates += [*atoms.instructions, *(gate.name for gate in atoms.gates)]
        others = [atoms.version, *(gate.description for gate in atoms.gates)]
        others += [gate.definition for gate in atoms.gates]
        others += [name for gate in atoms.gates for name in gate.parameters]
    if len(gates) > limits.agents.device_gates:
        raise LimitExceeded(
            f"gates: the spec names {len(gates)} gates, {limits.agents.device_gates} are allowed"
            " (limit device_gates).",
            field="gates",
        )
    _check_gates(spec, limits)
    for field, texts in (
        ("description", [spec.description]),
        ("gates", gates),
        ("atoms", others),
    ):
        for text in texts:
            if len(text) > limits.requests.name_chars or not text.isprintable():
                raise LimitExceeded(
                    f"{field}: {text[:100]!r} has {len(text)} characters;"
                    f" {limits.requests.name_chars} are allowed, all printable (limit name_chars).",
                    field=field,
                )


def _check_gates(spec: DeviceSpec, limits: Limits) -> None:
    number, maximum = len(spec.gates) * spec.qubits, limits.agents.device_gate_qubits
    if number > maximum:
        raise LimitExceeded(
            f"gates: {len(spec.gates)} gates times {spec.qubits} qubits are {number}, {maximum} are"
            " allowed (limit device_gate_qubits).",
            field="gates",
        )
    for field, names in (("gates", spec.gates), ("native_gates", spec.native_gates)):
        for name, count in Counter(names).items():
            if count > 1:
                raise InvalidRequest(
                    f"{field}: {name[:100]!r} is named {count} times.", field=field
                )


def _check_names(field: str, names: Sequence[str], known: Sequence[str]) -> None:
    if not names:
        raise InvalidRequest(f"{field} must not be empty.", field=field)
    for name, count in Counter(names).items():
        if name not in known or count > 1:
            near = "" if name in known else did_you_mean(name, known)
            raise InvalidRequest(
                f"{field}: each may be one of {', '.join(known)}, once; not {name[:100]!r}.{near}",
                field=field,
            )
