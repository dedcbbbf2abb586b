"""Validation of a program's format, gates and measurements, and its errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qwicket import programs
from qwicket.model.errors import InvalidProgram, InvalidRequest, LimitExceeded
from qwicket.model.suggestions import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qwicket.circuits.calibrations import Pair
    from qwicket.circuits.summary import Summary
    from qwicket.model.devices import Device
    from qwicket.model.jobs import Submission

_QUOTED_CHARS: Final = 100


class NotConnected(InvalidProgram):
    """A gate acts on two qubits that the device does not connect.

    Attributes:
        pair: The qubits, counted from 0.
    """

    pair: Pair


def check_format(submission: Submission, device: Device) -> None:
    """Refuse a format that a device does not accept.

    Raises:
        InvalidRequest: The device does not accept it; the detail names the detected format.
    """
    stated = submission.format
    known = stated in programs.FORMATS
    if stated in device.spec.formats and not known:
        raise InvalidRequest(f"format: this server does not read {stated}.", field="format")
    if stated not in device.spec.formats:
        found = programs.recognise_format(submission.source) or (stated if known else "")
        value = "" if stated == found else f", not {stated[:_QUOTED_CHARS]!r}"
        title = f"; this is {programs.format_title(found)}" if found else ""
        near = "" if known else did_you_mean(stated, device.spec.formats)
        raise InvalidRequest(
            f"format: {device.name} takes {', '.join(device.spec.formats)}{value}{title}.{near}",
            field="format",
        )


def with_detected_format(
    error: InvalidProgram, submission: Submission, device: Device
) -> InvalidProgram:
    """Return the error, or one that names the program's format if this is not the stated one."""
    named, found = submission.format, programs.recognise_format(submission.source)
    if named == "batch" or programs.may_be_meant(found, named):
        return error
    if found in device.spec.formats:
        detail = f"this is {programs.format_title(found)}, not {programs.format_title(named)}"
        return InvalidProgram(f"{detail}: the format is {found}", field="program")
    if found:
        formats = ", ".join(device.spec.formats)
        detail = f"{device.name} takes {formats}; this is {programs.format_title(found)}"
        return InvalidProgram(detail, field="program")
    if named.startswith("openqasm"):
        return InvalidProgram(f"this is not an OpenQASM program: {error.detail}", field=error.field)
    return error


def check_program(
    summary: Summary,
    submission: Submission,
    device: Device,
    circuits_limit: int,
) -> None:
    """Refuse a program with unsupported gates or too many experiments, or without measurements.

    Raises:
        InvalidProgram: The program has native gates of other machines, is no Clifford circuit as
            its device requires, or measures nothing.
        LimitExceeded: The program has more experiments on atoms than the device allows in one job.
    """
    if device.spec.native_gates or device.spec.clifford_only:
        _check_gates(summary, device)
    if device.family == "atoms":
        _check_experiments(summary, device, circuits_limit)
    if summary.unmeasured:
        _check_measured(summary, submission.format)


def _check_gates(summary: Summary, device: Device) -> None:
    own = device.spec.native_gates
    if own and not set(own).issuperset(summary.native_gates):
        foreign = ", ".join(gate for gate in summary.native_gates if gate not in own)
        raise InvalidProgram(
            f"{device.name} has the native gates {', '.join(own)}, not {foreign}.", field="program"
        )
    if device.spec.clifford_only and not summary.is_clifford:
        raise InvalidProgram(
            f"{device.name} runs only Clifford circuits, and this is not one.", field="program"
        )


def _check_experiments(summary: Summary, device: Device, maximum: int) -> None:
    if summary.n_circuits > maximum:
        raise LimitExceeded(
            f"The job has {summary.n_circuits} experiments, {device.name} takes {maximum}.",
            field="program",
        )


def _check_measured(summary: Summary, format_name: str) -> None:
    if programs.FORMATS[format_name].must_measure:
        which = f"circuit {summary.unmeasured - 1}" if summary.n_circuits > 1 else "the program"
        raise InvalidProgram(
            f"{which} measures nothing; add a measurement of qubits into classical bits, such as"
            " c = measure q; in OpenQASM 3, measure q -> c; in OpenQASM 2, measure_all() in Qiskit",
            field="program",
        )


def check_connected(summary: Summary, device: Device, connectivity: Sequence[Pair] | None) -> None:
    """Refuse gates on pairs that a device does not connect, where its programs need that.

    Args:
        summary: Summary of the program in the form in which the device gets it.
        device: The device.
        connectivity: Pairs that it connects; None is all.

    Raises:
        NotConnected: A gate acts on a pair that must be connected and is not.
    """
    if connectivity is None or not summary.pairs:
        return
    connected = {frozenset(pair) for pair in connectivity}
    for pair in summary.pairs:
        if frozenset(pair) not in connected:
            refusal = NotConnected(
                f"a gate acts on the qubits {pair[0]} and {pair[1]}, which {device.name} does not"
                " connect",
                field="program",
            )
            refusal.pair = pair
            raise refusal
