"""The programs that submit a job again, for our client and those of vendors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qwicket.dialects import offered
from qwicket.snippets import job_codes

if TYPE_CHECKING:
    from qwicket.gateway import DeviceView
    from qwicket.gateway.submitted import Contents


OWN: Final = "qwicket"
"""Key of the program for our client."""


def clients(contents: Contents, device: DeviceView | None) -> dict[str, str]:
    """Return the clients with which a job can be submitted again, by the keys of their programs.

    Ours is the first, then those of the dialect that the job came through, then the others.

    Args:
        contents: What the job was submitted with.
        device: Its device; None if our own API no longer shows it.
    """
    if contents.source is None or contents.options is None:
        return {}
    names = _names(contents, device)
    return {OWN: "qwicket"} | {name: job_codes.JOB_CODES[name].client for name in names}


def code(key: str, contents: Contents, device: DeviceView | None, url: str, install: str) -> str:
    """Return the program that submits a job again with one of its `clients`.

    Args:
        key: Key of the client.
        contents: What the job was submitted with.
        device: Its device; None if our own API no longer shows it.
        url: Address of the server.
        install: How users install our package, in one line.
    """
    assert contents.source is not None
    assert contents.options is not None
    program, file = contents.source.decode(errors="replace"), f"{contents.job.id}.txt"
    shots = contents.options.shots
    if key == OWN or device is None:
        return job_codes.for_own_client(
            url,
            device=contents.job.device,
            program=program,
            file=file,
            shots=shots,
            options=_options(contents),
        )
    (dialect,) = offered(frozenset([job_codes.JOB_CODES[key].dialect]))
    return job_codes.of_job(
        key,
        url,
        device=device.device.name,
        program=program,
        format_name=contents.format,
        file=file,
        shots=shots,
        install=install,
        vendor_name=dialect.name_of(device.device, program),
    )


def why_none(contents: Contents, device: DeviceView | None) -> str:
    """Return why there is no code for a vendor's client; empty if there is some."""
    if contents.source is None or contents.options is None:
        return "The job has no program: it was refused, or its program never arrived."
    if _names(contents, device):
        return ""
    if device is None:
        return "The device is not there any more."
    if reason := _unsendable(contents):
        return reason
    dialects = [name for name in device.device.dialects if name != "native"]
    if not dialects:
        return f"Only our own API shows the device {device.device.name}."
    return (
        f"Clients of the dialects that show the device ({', '.join(dialects)}) do not send programs"
        f" in the format {contents.format}."
    )


def _names(contents: Contents, device: DeviceView | None) -> list[str]:
    """Return the keys of `JOB_CODES` that fit a job, its own dialect's first."""
    if device is None or _unsendable(contents):
        return []
    dialects = device.device.dialects
    found = [
        name
        for name, code in job_codes.JOB_CODES.items()
        if code.dialect in dialects and contents.format in code.formats
    ]
    return sorted(found, key=lambda name: job_codes.JOB_CODES[name].dialect != contents.job.dialect)


def _unsendable(contents: Contents) -> str:
    """Return why no vendor's client can send a program as it is; empty if some can."""
    if contents.inputs:
        return "The vendors' clients send no values for the inputs of a program."
    return ""


def _options(contents: Contents) -> dict[str, object]:
    """Return the options of our client with which a job was submitted."""
    options = contents.options
    assert options is not None
    found: dict[str, object] = {
        "format": contents.format,
        "outputs": list(options.outputs),
    }
    if contents.seed is not None:
        found["seed"] = contents.seed
    # A twin's noise comes from its calibration; submissions must not name it.
    if options.noise and contents.calibration is None:
        found["noise"] = options.noise.name
    if options.engine:
        found["engine"] = options.engine
    if contents.inputs:
        found["inputs"] = contents.inputs
    return found
