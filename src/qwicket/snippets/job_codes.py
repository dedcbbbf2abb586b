"""Programs that submit an existing job again, with vendors' clients or ours."""

from __future__ import annotations

from html import escape
from typing import Final

from qwicket.registrations import JobCode, clients
from qwicket.snippets import FILE_NAME, HOW_TO_INSTALL, fill_program

_MAX_INLINE_CHARS: Final = 2_000
_MAX_INLINE_BYTES: Final = 4_000
"""Limits on a job's program in characters, and as an escaped literal in a page in bytes. A longer
program is read from a file, because a page contains the code for several clients."""


JOB_CODES: Final[dict[str, JobCode]] = {
    name: code for _, each in clients() for name, code in each.job_codes.items()
}
"""Programs by their name in `job_codes.txt`."""


def of_job(
    name: str,
    url: str,
    *,
    device: str,
    program: str,
    format_name: str,
    file: str,
    shots: int,
    vendor_name: str = "",
    install: str = HOW_TO_INSTALL,
) -> str:
    """Return a program that submits a job again with a vendor's client.

    Args:
        name: A key of `JOB_CODES`.
        url: Valid address of the server.
        device: Name of the device.
        program: Program of the job as it was submitted.
        format_name: Format of the program.
        file: Name of the file with its program, which is read if the program is long.
        shots: Shots of each circuit.
        vendor_name: What the dialect's clients call the device, if they do not use its name.
        install: How users install our package, in one line.
    """
    text = fill_program("job_codes.txt", name, url, install)
    is_long = _is_long(program)
    source = f"open({file!r}, encoding='utf-8').read()" if is_long else literal(program)
    marks = {
        "{DEVICE}": repr(device),
        "{FORMAT}": repr(JOB_CODES[name].format_names.get(format_name, format_name)),
        "{SHOTS}": str(shots),
        "{VENDOR_NAME}": repr(vendor_name),
        "{PROGRAM}": source,  # last, because it may contain the other marks
    }
    for mark, value in marks.items():
        text = text.replace(mark, value)
    return "\n".join((FILE_NAME, *([_to_download(file)] if is_long else []), text))


def for_own_client(
    url: str, *, device: str, program: str, file: str, shots: int, options: dict[str, object]
) -> str:
    """Return a program that submits a job again with our client.

    Args:
        url: Address of the server.
        device: Name of the device.
        program: Program of the job as it was submitted.
        file: Name of the file with its program, which is read if the program is long.
        shots: Shots of each circuit.
        options: Further options of `Client.submit`.
    """
    is_long = _is_long(program)
    listed = "".join(f"    {name}={value!r},\n" for name, value in options.items())
    return (
        (f"{_to_download(file)}\nfrom pathlib import Path\n\n" if is_long else "")
        + "import qwicket\n\n"
        f"program = {f'Path({file!r})' if is_long else literal(program)}\n"
        f"client = qwicket.connect({url!r})  # the token is that of QWICKET_TOKEN\n"
        f"job = client.submit(\n    program,\n    {device!r},\n    shots={shots},\n{listed})\n"
        "print(job.result())\n"
    )


def _is_long(program: str) -> bool:
    if len(program) > _MAX_INLINE_CHARS:
        return True
    return len(escape(repr(program)).encode()) > _MAX_INLINE_BYTES


def literal(text: str) -> str:
    """Return a text as a Python literal, on several lines where that is safe."""
    is_plain = text.replace("\n", "").isprintable() and "\\" not in text and '"""' not in text
    if "\n" in text and is_plain and not text.endswith('"'):
        return f'"""{text}"""'
    return repr(text)


def _to_download(file: str) -> str:
    return f"# First download the program from the page of the job, as {file}."
