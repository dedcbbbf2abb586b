"""Problems with settings that keep a server from starting or from working as intended.

`qwicket doctor` reports them. TLS files, device files and --compute are checked by the functions
that `qwicket serve` uses, so both agree. A check leaves no changes behind.
"""

from __future__ import annotations

import errno
import os
import ssl
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from qwicket.compute.memory import available_bytes
from qwicket.extras import NotInstalled, require
from qwicket.model.errors import InvalidRequest
from qwicket.model.limits import Limits
from qwicket.server import compute
from qwicket.server.addresses import Address, addresses, listen, listen_failure
from qwicket.server.listeners import holder, is_served

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qwicket.server.settings import Settings

    Severity = Literal["refused", "wrong", "warning"]

_SOON_S: Final = 14 * 86_400
"""Time before the end of a certificate from which it is a problem."""
_DAY_S: Final = 86_400


class Problem(NamedTuple):
    """Problem with one setting.

    Attributes:
        setting: The option at fault.
        detail: Description of the problem.
        remedy: Action that solves it.
        severity: `refused` when the server does not start with it, `wrong` when clients cannot use
            it, `warning` when it has another effect than the operator may expect.
    """

    setting: str
    detail: str
    remedy: str
    severity: Severity = "refused"


def problems(settings: Settings) -> Iterator[Problem]:
    """Yield the problems of settings on this machine.

    While a server uses the folder, the port is not checked: that server may listen on it, and the
    folder's lock prevents a second server anyway.
    """
    if settings.database_url is None:
        yield from check_folder(settings.data_dir)
    for absent, present in settings.half_pairs():
        yield Problem(absent, f"it is not set, but {present} is", "Set both, or neither.")
    yield from _identity_provider(settings)
    # Reversed, so that of addresses with the same files the first one names the option.
    by_files = {(each.cert, each.key): each for each in reversed(addresses(settings))}
    for address in by_files.values():
        yield from _tls(address)
    yield from _compute(settings)
    yield from _device_files(settings)
    if settings.database_url is not None or not is_served(settings.data_dir):
        yield from _ports(settings)
    yield from _memory(settings)


# --- folder ---------------------------------------------------------------------------------------


def check_folder(folder: Path) -> Iterator[Problem]:
    """Yield the problems of the folder of the embedded database."""
    remedy = "Name another folder, or run as the owner of this one."
    try:
        if folder.exists():
            if not folder.is_dir():
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
            if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
                raise PermissionError(errno.EACCES, "it cannot be written")
            return
        # Tested by creating a folder: for root and in /proc, permissions prove nothing.
        above = next(each for each in folder.absolute().parents if each.exists())
        Path(tempfile.mkdtemp(dir=above, prefix=".qwicket-")).rmdir()
    except OSError as error:
        yield Problem("--data-dir", f"{folder} cannot be used: {error.strerror}", remedy)


# --- TLS ------------------------------------------------------------------------------------------


def _tls(address: Address) -> Iterator[Problem]:
    cert, key = address.cert, address.key
    if cert is None or key is None:  # only one of them is a problem that was found already
        return
    try:
        address.tls()
    except InvalidRequest as error:
        option, _, detail = error.detail.partition(": ")
        yield Problem(option, detail, "Name the right files, which the server's user can read.")
        return
    left_s = _expires_at(cert) - time.time()
    remedy = "Renew the certificate."
    if left_s <= 0:
        yield Problem(address.option("--tls-cert"), f"{cert} has expired", remedy, "wrong")
    elif left_s < _SOON_S:
        detail = f"{cert} expires in {left_s / _DAY_S:.0f} days"
        yield Problem(address.option("--tls-cert"), detail, remedy, "warning")


def _expires_at(cert: Path) -> float:
    """Return when the first certificate of a file expires, in Unix seconds."""
    # The public functions of `ssl` show the dates of a connection's certificate only.
    decoded = ssl._ssl._test_decode_cert(str(cert))  # type: ignore[attr-defined]  # CPython's own
    return float(ssl.cert_time_to_seconds(decoded["notAfter"]))


# --- identity provider ----------------------------------------------------------------------------


def _identity_provider(settings: Settings) -> Iterator[Problem]:
    if settings.oidc_issuer is None:
        return
    try:
        require("--oidc-issuer", "oidc")
    except NotInstalled as error:
        yield Problem("--oidc-issuer", str(error), "Install it, or leave --oidc-issuer out.")


# --- compute --------------------------------------------------------------------------------------


def _compute(settings: Settings) -> Iterator[Problem]:
    try:
        compute.check(settings)
    except InvalidRequest as error:
        option, _, detail = error.detail.partition(": ")
        yield Problem(option, detail, "See docs/howto/dask.md.")


def _device_files(settings: Settings) -> Iterator[Problem]:
    if settings.device_dir is None and not any(each.device for each in settings.listen):
        return
    from qwicket.devices.files import load_folder
    from qwicket.devices.remotes import NoKey
    from qwicket.dialects import shown_by
    from qwicket.drivers.remote import connect
    from qwicket.server.device_files import pass_through_file

    remedy = "See docs/howto/remote-devices.md."
    try:
        files = load_folder(settings.device_dir) if settings.device_dir is not None else {}
        for each in settings.listen:
            if each.device is not None:
                pass_through_file(settings, each)
    except InvalidRequest as error:
        option, _, detail = error.detail.partition(": ")
        yield Problem(option, detail, remedy)
        return
    for path, file in files.items():
        try:
            if file.remote is not None:
                formats = file.device(shown_by).spec.formats_as_written
                connect(file.remote, file.remote.key(), formats)
        except (NoKey, ValueError) as error:
            yield Problem("--device-dir", f"{path}: {error}.", remedy)


# --- port -----------------------------------------------------------------------------------------


def _ports(settings: Settings) -> Iterator[Problem]:
    """Listen at all addresses at once, as the server does, and report those where it fails."""
    with ExitStack() as probes:
        for address in addresses(settings):
            try:
                for each in listen(address):
                    probes.enter_context(each)
            except OSError as error:
                process = holder(address.port) if error.errno == errno.EADDRINUSE else None
                # A server of the same PostgreSQL database may listen here already.
                if settings.database_url is not None and process and process.is_qwicket:
                    continue
                option, _, detail = listen_failure(error, address).partition(": ")
                remedy = f"Change {option}."
                if process is not None and process.pid != os.getpid():
                    remedy = f"Process {process.pid} ({process.name}) uses it."
                yield Problem(option, detail, remedy)


# --- memory ---------------------------------------------------------------------------------------


def _memory(settings: Settings) -> Iterator[Problem]:
    if settings.workers == 0:
        return  # no job runs on this machine
    limits, workers = settings.limits.jobs, settings.workers or os.cpu_count() or 1
    available = available_bytes()
    if limits.memory_bytes is not None and limits.memory_bytes * workers > available:
        detail = (
            f"memory_bytes = {limits.memory_bytes:,} for each of {workers} workers is more than the"
            f" {available:,} bytes that this machine has free"
        )
        remedy = f"Set at most {available // workers:,}, or fewer --workers."
        yield Problem("--limit", detail, remedy, "warning")
    memory_bytes = limits.memory_bytes or available // workers
    for limit in _widths(settings.limits):
        if limit.value > limit.default:
            maximum = _widest(memory_bytes, limit.value * limit.factor) // limit.factor
            if maximum < limit.value:
                detail = (
                    f"{limit.name} = {limit.value}, but the memory of a worker holds {maximum}"
                    " qubits"
                )
                remedy = f"Set at most {maximum}, or fewer --workers: wider programs are refused."
                yield Problem("--limit", detail, remedy, "warning")


class _Width(NamedTuple):
    """A limit on qubits whose state needs memory.

    Attributes:
        name: Name of the limit.
        value: Its value.
        default: Its default.
        factor: Qubits of a state vector that takes as much memory as one qubit here.
    """

    name: str
    value: int
    default: int
    factor: int


_WIDTHS: Final = {"exact_qubits": 1, "density_qubits": 2}
"""Limits that formats may declare, with their factors."""


def _widths(limits: Limits) -> Iterator[_Width]:
    from qwicket import programs

    yield _Width("qubits", limits.jobs.qubits, Limits().jobs.qubits, 1)
    for kind in programs.LIMITS:
        own, default = limits.of(kind), kind()
        for name, factor in _WIDTHS.items():
            if hasattr(own, name):
                yield _Width(name, getattr(own, name), getattr(default, name), factor)


def _widest(memory_bytes: int, maximum: int) -> int:
    """Return the most qubits whose state fits into memory."""
    from qwicket import engines
    from qwicket.circuits.options import RunOptions
    from qwicket.circuits.summary import Summary

    options = RunOptions(shots=1, seed=0, outputs=("counts",))
    for n_qubits in range(maximum, 0, -1):
        if engines.estimate(Summary("qubit", 1, n_qubits, 0, 0), options).bytes <= memory_bytes:
            return n_qubits
    return 0
