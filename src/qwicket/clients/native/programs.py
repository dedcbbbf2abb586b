"""Convert programs to the JSON of a submission; import Qiskit only for its own circuits."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from qwicket.clients.http import sanitize
from qwicket.clients.http.text import json_bytes
from qwicket.clients.native.errors import ClientError


class ProgramText(str):
    """Source text that is never taken for the path of a file, for texts from other people."""

    __slots__ = ()


Program = str | Path | Mapping[str, Any] | Sequence[Any] | Any
"""Source text, path, object of a JSON format, circuit of Qiskit or Cirq, or a list of these."""

Observables = Mapping[str, float] | Sequence[Mapping[str, float]]
"""A sum of words of Paulis with their coefficients, such as `{"ZZ": 1.0}`, or several of them."""

_SUFFIXES: Final = {
    ".qasm": None,
    ".qasm2": "openqasm2",
    ".qasm3": "openqasm3",
    ".json": None,
    ".ll": "qir",
    ".xbb": "blackbird",
}
"""Formats by suffix; None where the content decides."""
_MAX_PATH_CHARS: Final = 4096
"""Linux's limit (PATH_MAX)."""


def read(program: Program, stated: str | None = None) -> tuple[Any, str | None]:
    """Return the `program` of a submission, and its format if known.

    Args:
        program: Program in any form that `Client.submit` takes.
        stated: Name of the format; None detects it.

    Raises:
        ClientError: The program has an unsupported type, cannot be read or converted, or is an
            empty or nested list.
    """
    if isinstance(program, ProgramText):
        return str(program), stated
    if isinstance(program, str):
        path = _path_in(program)
        return (program, stated) if path is None else _file(path, stated)
    if isinstance(program, Path):
        return _file(program, stated)
    if isinstance(program, Mapping):
        return program, stated
    if isinstance(program, list | tuple):
        return _batch(program, stated)
    source, found = _circuit(program)
    return source, stated or found


def estimation(
    source: Any,
    format_name: str | None,
    observables: Observables,
    shots: int,
    mitigation: Mapping[str, Any] | None,
) -> tuple[dict[str, Any], str]:
    """Return a program whose result are expectation values, and its format."""
    several = [observables] if isinstance(observables, Mapping) else list(observables)
    program = {"program": source, "observables": several, "shots": shots}
    if format_name is not None:
        program["format"] = format_name
    if mitigation is not None:
        program["mitigation"] = dict(mitigation)
    return program, "estimation"


def _path_in(text: str) -> Path | None:
    """Return a text as a path, if it is a file or has a known suffix; else None.

    A text with a line end, `;` or `{` is a program.
    """
    if len(text) > _MAX_PATH_CHARS or any(char in text for char in "\n;{\0") or not text.strip():
        return None
    try:
        path = Path(text).expanduser()
        is_path = path.suffix.lower() in _SUFFIXES or path.is_file()
    except (OSError, RuntimeError):  # too long, or `~` of an unknown user
        return None
    return path if is_path else None


def _file(path: Path, stated: str | None) -> tuple[str, str | None]:
    try:
        text = path.read_text("utf-8-sig")
    except OSError as error:
        reason = error.strerror or type(error).__name__
    except UnicodeDecodeError:
        reason = "it is not UTF-8 text"
    else:
        return text, stated or _SUFFIXES.get(path.suffix.lower())
    raise ClientError(f"The program {str(path)!r} cannot be read: {reason}.")


def _batch(programs: Sequence[Any], stated: str | None) -> tuple[list[Any], str]:
    """Return a list of programs as one program of the format `batch`."""
    if not programs:
        raise ClientError("The list of programs is empty.")
    stated = None if stated == "batch" else stated
    return [_member(program, stated) for program in programs], "batch"


def _member(program: Program, stated: str | None) -> dict[str, str]:
    if isinstance(program, Mapping) and set(program) == {"format", "source"}:
        return dict(program)
    if isinstance(program, list | tuple):
        raise ClientError("A list of programs cannot contain a list.")
    source, found = read(program, stated)
    if not isinstance(source, str):
        source = json_bytes(source, "The program", ClientError).decode()
    return {"format": found, "source": source} if found else {"source": source}


def _circuit(program: Any) -> tuple[str, str]:
    """Convert a circuit of Qiskit or Cirq to OpenQASM."""
    # A process with such a circuit has imported its package, so no import is needed here.
    qiskit, cirq = sys.modules.get("qiskit"), sys.modules.get("cirq")
    if qiskit is not None and isinstance(program, qiskit.QuantumCircuit):
        return _openqasm3(program), "openqasm3"
    if cirq is not None and isinstance(program, cirq.AbstractCircuit):
        return _written(program.to_qasm, "Cirq"), "openqasm2"
    kind = type(program)
    raise ClientError(
        f"A program cannot be a {kind.__module__}.{kind.__qualname__}. Pass OpenQASM text, a path,"
        " a dict in JSON, a circuit of Qiskit or Cirq, or a list of these."
    )


def bound(program: Program, inputs: Mapping[Any, float]) -> tuple[Program, dict[str, float]]:
    """Return the program, with a Qiskit circuit's parameters bound, and the inputs left to send.

    Raises:
        ClientError: Qiskit refuses an input, such as one that is no parameter.
    """
    # Bound here, because OpenQASM output may rename parameters.
    qiskit = sys.modules.get("qiskit")
    if not inputs or qiskit is None or not isinstance(program, qiskit.QuantumCircuit):
        return program, dict(inputs)
    try:
        return program.assign_parameters(dict(inputs)), {}
    except Exception as error:
        reason = sanitize(str(error))
    raise ClientError(f"inputs: {reason}")


def _openqasm3(circuit: Any) -> str:
    import qiskit.qasm3

    return _written(lambda: qiskit.qasm3.dumps(circuit), "Qiskit")


def _written(write: Any, package: str) -> str:
    """Return a package's OpenQASM output; turn any of its errors into a `ClientError`."""
    try:
        return str(write())
    except Exception as error:
        raise ClientError(
            f"{package} cannot write the circuit as OpenQASM: {sanitize(str(error))}"
        ) from error
