"""`qwicket agent --try`: run a program with a lab's function, without a server.

The steps are those of a server and an agent: parse the program, compile it to the announced gates,
run the function in a process of its own, and validate the outcome.
"""

from __future__ import annotations

import codecs
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import click
import msgspec

from qwicket.cli import results

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qwicket.agents import Program
    from qwicket.agents.outcomes import Part
    from qwicket.agents.program import Failed
    from qwicket.circuits.options import LabOptions
    from qwicket.circuits.outcomes import Completion, Encoded
    from qwicket.circuits.summary import Checked
    from qwicket.clients.native import Part as ShownPart
    from qwicket.model.devices import DeviceSpec
    from qwicket.model.failures import Failure
    from qwicket.model.limits import Limits

_TICK_S: Final = 0.5
_OUTPUTS: Final = {"qubit": ("counts",), "atoms": ("samples",), "photonic": ("samples",)}


class _TrialJob(NamedTuple):
    """Id and state to print, in place of a job's."""

    id: str
    state: str


class _Device(NamedTuple):
    name: str
    family: str | None
    spec: DeviceSpec | None


def try_program(
    file: Path, run: str, device: str | None, shots: int, format_name: str | None
) -> int:
    """Run the program in a file with a lab's function, and print the outcome.

    Args:
        file: File with the program.
        run: The lab's function, "module:function".
        device: File that announces the device, or its name.
        shots: Shots of each circuit.
        format_name: Format of the program; None detects it from extension and text.

    Returns:
        Exit status: 0, or that of a failed job.
    """
    from qwicket.model.errors import QwicketError
    from qwicket.model.limits import Limits

    limits = Limits()
    announced = _device(device, limits)
    try:
        name, source, checked = _read(file, announced, format_name, limits)
        options = _options(announced, checked, shots, limits)
    except QwicketError as error:
        raise click.ClickException(f"{file}: {error.detail}") from None
    from qwicket.agents import Program

    program = Program(
        job=file.name,
        device=announced.name,
        family=checked.summary.family,
        format=name,
        source=source.decode("utf-8", "replace"),
        shots=options.shots,
        seed=options.seed,
        outputs=options.outputs,
        packed=checked.circuits,
    )
    found = _run(run, program)
    try:
        parts = _checked(found, program, options, limits)
    except QwicketError as error:
        raise click.ClickException(f"A server would refuse the outcome: {error.detail}") from None
    return _print(file, parts)


def _device(text: str | None, limits: Limits) -> _Device:
    """Return the device in a TOML file; any other text names a device without restrictions."""
    if text is None or not text.endswith(".toml"):
        return _Device(text or "try", None, None)
    from qwicket.cli.options import read_toml
    from qwicket.dialects import needs_of_dialects
    from qwicket.dialects.native import lab_wire
    from qwicket.gateway.announcements import check_announced
    from qwicket.model.errors import QwicketError

    document = read_toml(Path(text))
    name = document.pop("name", None)
    document.pop("calibration", None)
    if not isinstance(name, str):
        raise click.ClickException(f"{text}: name is missing.")
    try:
        body = lab_wire.announcement(msgspec.json.encode(document), limits)
        sent = needs_of_dialects(body.family)
        check_announced(name, body.family, body.dialects, body.spec, limits, sent)
    except QwicketError as error:
        raise click.ClickException(f"{text}: {error.detail}") from None
    return _Device(name, body.family, body.spec)


def _read(
    file: Path, device: _Device, format_name: str | None, limits: Limits
) -> tuple[str, bytes, Checked]:
    """Return format, source and compiled circuits of a program."""
    from qwicket import programs

    try:
        with file.open("rb") as opened:
            text = opened.read(limits.programs.program_json_bytes + 1)
    except OSError as error:
        raise click.ClickException(f"{file}: {error.strerror}.") from None
    source, spec = text.removeprefix(codecs.BOM_UTF8), device.spec
    name = format_name or _format(file, source, spec)
    if spec is not None and name not in spec.formats:
        formats = ", ".join(spec.formats)
        raise click.ClickException(
            f"{file}: the format is {name}, but {device.name} takes {formats}."
        )
    checked = programs.read(name, source, limits)
    if spec is not None and checked.summary.n_qubits > spec.qubits:
        raise click.ClickException(
            f"{file}: the program has {checked.summary.n_qubits} qubits, but {device.name} takes"
            f" at most {spec.qubits}."
        )
    gates = (*spec.gates, *spec.native_gates) if spec is not None and spec.gates else ()
    is_estimation = checked.summary.is_estimation
    if (device.family == "qubit" and gates) or is_estimation:
        expand_seed = 0 if is_estimation else None
        compiled = programs.compile_to_basis_in_parser(
            checked.circuits, gates, device.name, "", limits, expand_seed=expand_seed
        )
        if isinstance(compiled, programs.Refusal):
            raise compiled.error()
        checked = compiled
    return name, source, checked


def _format(file: Path, source: bytes, spec: DeviceSpec | None) -> str:
    """Return the format of a program: by its extension, the device's only one, or detected."""
    from qwicket import programs

    if file.suffix.lower() == ".xbb":
        return "blackbird"
    if spec is not None and len(spec.formats) == 1 and not spec.formats[0].startswith("openqasm"):
        return spec.formats[0]
    return programs.guess_format(source)


def _options(device: _Device, checked: Checked, shots: int, limits: Limits) -> LabOptions:
    from qwicket.circuits.options import LabOptions
    from qwicket.model.errors import LimitExceeded

    spec = device.spec
    maximum = min(spec.max_shots, limits.jobs.shots) if spec is not None else limits.jobs.shots
    if not 1 <= shots <= maximum:
        raise LimitExceeded(f"shots must be 1 to {maximum}, not {shots}.", field="shots")
    outputs = spec.outputs if spec is not None else _OUTPUTS[checked.summary.family]
    outputs = _OUTPUTS["qubit"] if checked.combinations else outputs
    seed = secrets.randbits(63)
    return LabOptions(shots=shots, seed=seed, outputs=outputs, combinations=checked.combinations)


def _run(run: str, program: Program) -> Sequence[Part | Failed]:
    """Run a lab's function in a process of its own, like an agent."""
    from qwicket.agents import function_process
    from qwicket.agents.supervisor import CannotStart, ProcessDied, Supervisor

    supervisor = Supervisor(run)
    try:
        supervisor.start()
        supervisor.begin(program)
        while True:
            message = supervisor.receive(_TICK_S)
            if message is None:
                continue
            if message[0] == function_process.PROGRESS:
                click.echo(f"{message[1]:4.0%}  {message[2]}".rstrip(), err=True)
            elif message[0] == function_process.DONE:
                return list(message[1])
            else:
                return [_failure(message)]
    except CannotStart as error:
        raise click.ClickException(str(error)) from None
    except ProcessDied as death:
        raise click.ClickException(f"The function's process died: {death}.") from None
    except KeyboardInterrupt:
        raise click.Abort from None
    finally:
        supervisor.end()


def _failure(message: Sequence[Any]) -> Failed:
    from qwicket.agents import Failed, function_process

    if message[0] == function_process.STOPPED:
        return Failed("The function raised Stopped without a request to stop.")
    failed: Failed = message[1]
    return failed


def _checked(
    outcomes: Sequence[Part | Failed], program: Program, options: LabOptions, limits: Limits
) -> Completion:
    """Validate outcomes like a server; return the values of estimations in place of their runs.

    Raises:
        QwicketError: An outcome is invalid.
    """
    from qwicket import engines
    from qwicket.agents import Failed
    from qwicket.circuits import outcome_checks
    from qwicket.circuits.frames import frames
    from qwicket.circuits.outcomes import Encoded
    from qwicket.model.failures import Failure

    parts = tuple(
        Failure(each.code, each.message)
        if isinstance(each, Failed)
        else Encoded(each.body, bytes.fromhex(each.sha256))
        for each in outcomes
    )
    encoded = [(k, each) for k, each in enumerate(parts) if isinstance(each, Encoded)]
    if encoded:
        outcome_checks.check(encoded, frames(program.family, program.packed), options, limits)
    n_runs = sum([len(each.flipped) for each in options.combinations])
    # There are fewer parts if the function failed as a whole.
    return engines.combine(options, parts) if n_runs and len(parts) == n_runs else parts


def _print(file: Path, parts: Sequence[Encoded | Failure]) -> int:
    from qwicket.circuits.outcomes import Encoded
    from qwicket.clients.native import Result

    is_whole = all(isinstance(each, Encoded) for each in parts)
    job = _TrialJob(file.name, "completed" if is_whole else "failed")
    result = Result(file.name, tuple(_shown(each) for each in parts))
    click.echo("\n".join(results.lines(job, result)))
    return results.exit_status(job.state)


def _shown(part: Encoded | Failure) -> ShownPart:
    from qwicket.circuits.outcomes import decode
    from qwicket.clients.native import Part
    from qwicket.model.failures import Failure

    if isinstance(part, Failure):
        return Part(error=f"{part.code}: {part.message}")
    found = decode(part)
    if "samples" in found.arrays:
        return Part(samples=found.samples(), engine=found.engine)
    if "evs" in found.arrays:
        return Part(evs=found.evs(), stds=found.stds(), engine=found.engine)
    counts = found.counts() if "counts" in found.arrays else {}
    width = found.n_bits
    texts = {format(key, f"0{width}b") if width else "": n for key, n in counts.items()}
    return Part(counts=texts, engine=found.engine)
