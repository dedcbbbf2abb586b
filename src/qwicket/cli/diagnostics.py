"""Checks of `qwicket doctor`: each yields findings, and none changes anything."""

from __future__ import annotations

import asyncio
import os
import platform
import shutil
import stat
import tempfile
import time
from email.utils import parsedate_to_datetime
from importlib import metadata
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Final

import click
import msgspec
from msgspec import structs

from qwicket import __version__
from qwicket.cli.commands import error_text
from qwicket.cli.config import FILE, wrong_settings
from qwicket.cli.database_checks import (
    check_database,
    check_device_names,
    check_key_pairs,
    is_absent,
    is_older,
)
from qwicket.cli.findings import MAX_OFFSET_S, TIMEOUT_S, TRIAL_S, Finding, Status
from qwicket.cli.serve import check_settings
from qwicket.extras import EXTRAS, how_to_add, missing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from qwicket.cli.options import DataLocation

    Check = Callable[["DataLocation"], Iterator["Finding"]]

_NETWORKED: Final = ("nfs", "cifs", "smb", "fuse.sshfs", "9p", "afs", "ceph", "lustre")
_IN_MEMORY: Final = ("tmpfs", "ramfs")
_LOW_BYTES: Final = 1 << 30
_CRITICAL_BYTES: Final = 100 << 20
_FLUSHES: Final = 15
"""Number of flushes of which the median counts."""
_TOO_QUICK_S: Final = 20e-6
"""Battery-backed memory, the fastest durable medium, flushes a block in 20 µs. A quicker flush did
not reach any durable medium."""
_SLOW_S: Final = 0.05
"""Time above which a flush is called slow."""
_BELL: Final = (
    b'OPENQASM 3.0; include "stdgates.inc"; qubit[2] q; bit[2] c;'
    b" h q[0]; cx q[0], q[1]; c = measure q;"
)


def all_findings(
    location: DataLocation, context: click.Context, *, is_deep: bool = False
) -> Iterator[Finding]:
    """Yield every finding as it is made; a check that fails is a finding, too.

    Args:
        location: Folder or database.
        context: Context of the command, with the settings.
        is_deep: Whether to read the whole database.
    """
    of_server: tuple[tuple[str, Check], ...] = (
        ("settings", lambda where: _settings(where, context)),
        ("folder", _folder),
        ("disk", _disk),
        ("database", check_database),
        ("key pairs", lambda where: check_key_pairs(where, context)),
        ("devices", lambda where: check_device_names(where, context)),
        *((("rows", lambda where: _rows(where, context)),) if is_deep else ()),
        ("compute", _compute),
        ("cluster", lambda _: _cluster(context)),
        ("parsers", _parsers),
    )
    checks = (
        ("installed", _installed),
        *(of_server if _has_server() else ()),
        ("server", lambda where: _server(where, context)),
    )
    for about, check in checks:
        try:
            yield from check(location)
        except click.ClickException as error:
            yield Finding(about, "wrong", error.format_message())
        except Exception as error:
            yield Finding(about, "wrong", f"It could not be checked ({type(error).__name__}).")


# --- what is installed ---------------------------------------------------------------------------


def _installed(location: DataLocation) -> Iterator[Finding]:
    has = [_extra(name) for name in EXTRAS if not missing(name)]
    python = f"Python {platform.python_version()}"
    found = ", ".join(has) or "none"
    yield Finding("installed", "ok", f"qwicket {__version__}, {python}; extras: {found}")
    if lacks := sorted(_missing_packages()):
        remedy = "Install Qwicket again from the same place, with pip install --force-reinstall."
        yield Finding("installed", "wrong", f"missing: {', '.join(lacks)}", remedy)
    if not _has_server():
        yield _without_server(location)


def _has_server() -> bool:
    return not missing("server")


def _extra(name: str) -> str:
    """Return an extra, with the version of its first package; `server` without one."""
    if name == "server":
        return name
    return f"{name} {metadata.version(EXTRAS[name][0])}"  # a package with its module's name


def _without_server(location: DataLocation) -> Finding:
    """Report that the extra is not installed: wrong only where there is data of a server."""
    lacks = missing("server")
    some = f" (missing: {', '.join(lacks)})" if len(lacks) < len(EXTRAS["server"]) else ""
    found = f'the extra "server" is not installed{some}, so nothing of a server is checked'
    is_server = location.database_url is not None or (location.data_dir / "qwicket.db").exists()
    remedy = f"Only to run a server here: {how_to_add('server')}."
    return Finding("installed", "wrong" if is_server else "ok", found, remedy)


def _settings(location: DataLocation, context: click.Context) -> Iterator[Finding]:
    """Report settings that `qwicket serve` would refuse, or that have an unexpected effect."""
    from qwicket.server.preflight import problems

    settings, refused = check_settings(context)
    found = [
        *(
            Finding("settings", "wrong", each, "Correct the file.")
            for each in wrong_settings(context)
        ),
        *(
            Finding("settings", "wrong", error_text(each), "Correct the setting.")
            for each in refused
        ),
    ]
    settings = structs.replace(
        settings, data_dir=location.data_dir, database_url=location.database_url
    )
    for problem in problems(settings):
        # The folder has a finding of its own.
        if problem.setting != "--data-dir":
            status: Status = "warning" if problem.severity == "warning" else "wrong"
            found.append(
                Finding("settings", status, f"{problem.setting}: {problem.detail}", problem.remedy)
            )
    yield from found
    if not found:
        file = context.meta.get(FILE)
        yield Finding("settings", "ok", f"{file} is read" if file else "qwicket serve accepts them")


def _missing_packages() -> Iterator[str]:
    """Yield the required packages that are not installed.

    Packages of the extra `server` count if a server can run here; those of other extras never.
    """
    for wanted in metadata.requires("qwicket") or ():
        name, _, condition = wanted.partition(";")
        of_server = _has_server() and "server" in condition
        if "extra ==" in condition and not of_server:
            continue
        bare = "".join(char if char.isalnum() or char in "-_." else " " for char in name).split()[0]
        try:
            metadata.version(bare)
        except metadata.PackageNotFoundError:
            yield bare


# --- folder and disk -----------------------------------------------------------------------------


def _folder(location: DataLocation) -> Iterator[Finding]:
    from qwicket.server.preflight import check_folder

    if location.database_url:
        return
    folder = location.data_dir
    for each in check_folder(folder):
        yield Finding("folder", "wrong", f"{each.setting}: {each.detail}", each.remedy)
        return
    if not folder.exists():
        yield Finding("folder", "ok", f"{folder} does not exist yet: qwicket serve creates it")
        return
    mode = stat.S_IMODE(folder.stat().st_mode)
    if mode & 0o077:
        yield Finding(
            "folder", "warning", f"{folder} can be entered by other users", f"chmod 700 {folder}"
        )
    else:
        yield Finding("folder", "ok", f"{folder}")
    free = shutil.disk_usage(folder).free
    status: Status = "ok"
    if free < _LOW_BYTES:
        status = "wrong" if free < _CRITICAL_BYTES else "warning"
    remedy = "" if status == "ok" else "Free some space, or let jobs be deleted: --keep-days."
    yield Finding("disk", status, f"{free / 1e9:,.1f} GB free", remedy)


def _disk(location: DataLocation) -> Iterator[Finding]:
    if location.database_url or not location.data_dir.is_dir():
        return
    kind = _file_system(location.data_dir)
    if kind.startswith(_NETWORKED):
        remedy = "Keep the folder on a disk of this machine, or use PostgreSQL."
        text = f"{kind} is a network file system, on which SQLite loses data"
        yield Finding("disk", "wrong", text, remedy)
    elif kind in _IN_MEMORY:
        remedy = "Keep the folder on a disk."
        yield Finding("disk", "warning", f"{kind} loses its files when the machine stops", remedy)
    took_s = _flush_s(location.data_dir)
    text = f"a flush takes {1000 * took_s:,.2f} ms"
    if took_s < _TOO_QUICK_S:
        remedy = "Submitted jobs may not survive a power cut: use a disk that honours flush."
        yield Finding("disk", "warning", f"{text}; a disk cannot be so fast", remedy)
    elif took_s > _SLOW_S:
        remedy = "Each submission waits for one: use a faster disk."
        yield Finding("disk", "warning", f"{text}, which is slow", remedy)
    else:
        yield Finding("disk", "ok", text)


def _flush_s(folder: Path) -> float:
    """Return the median time of a flush of one block."""
    took = []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(_FLUSHES):
            file.seek(0)
            file.write(os.urandom(4096))
            file.flush()
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            took.append(time.perf_counter() - began)
    return median(took)


def _file_system(folder: Path) -> str:
    """Return the kind of file system of a folder, or "" where the system does not report it."""
    mount_point, kind = "", ""
    try:
        lines = Path("/proc/mounts").read_text().splitlines()
    except OSError:
        return ""
    path = str(folder.resolve()) + "/"
    for line in lines:
        _, place, its_kind, *_ = line.split(" ")
        place = place.replace("\\040", " ").rstrip("/") + "/"
        # The longest one counts; of equal ones the last, because it hides the others.
        if path.startswith(place) and len(place) >= len(mount_point):
            mount_point, kind = place, its_kind
    return kind


# --- rows -----------------------------------------------------------------------------------------


def _rows(location: DataLocation, context: click.Context) -> Iterator[Finding]:
    from qwicket.cli.deep_checks import findings
    from qwicket.model.errors import QwicketError

    if not is_absent(location) and is_older(location):
        return
    settings, _refused = check_settings(context)
    is_served = None if location.database_url else _is_running(location)
    try:
        yield from findings(location, is_served=is_served, lease_s=settings.lease_s)
    except QwicketError as error:
        yield Finding("rows", "wrong", error.detail)


# --- engines and parsers -------------------------------------------------------------------------


def _compute(_: DataLocation) -> Iterator[Finding]:
    from qwicket import programs
    from qwicket.circuits.options import RunOptions
    from qwicket.compute import EngineJob, LocalCompute, WorkError, WorkFailed
    from qwicket.compute.memory import available_bytes
    from qwicket.model.failures import Failure
    from qwicket.model.limits import Limits

    program = programs.read("openqasm3", _BELL, Limits())
    run_options = RunOptions(shots=100, seed=7, outputs=("counts",))
    job = EngineJob("qubit", program.circuits, msgspec.msgpack.encode(run_options))

    async def run() -> float:
        compute = LocalCompute(1, memory_bytes=None)
        began = time.perf_counter()
        try:
            ((completion, _),) = await compute.run([job], timeout_s=TRIAL_S)
        finally:
            await compute.close()
        if isinstance(completion, Failure):
            raise WorkError("Failure", completion.message)
        return time.perf_counter() - began

    machine = f"{os.cpu_count()} cores, {available_bytes() / 1e9:,.1f} GB of memory"
    try:
        took_s = asyncio.run(run())
    except WorkFailed as failure:
        remedy = "Free some memory, or see why: python -c 'import qulacs, stim'."
        yield Finding("compute", "wrong", f"{machine}; a Bell pair failed: {failure}", remedy)
    else:
        yield Finding(
            "compute", "ok", f"{machine}; a worker started and ran a job in {took_s:.1f} s"
        )


def _cluster(context: click.Context) -> Iterator[Finding]:
    """Connect to a cluster that runs already and count its slots, or try to start one."""
    settings, _refused = check_settings(context)
    if settings.compute == "local":
        return
    from qwicket.model.errors import InvalidRequest
    from qwicket.registrations import hook
    from qwicket.server import compute

    try:
        compute.check(settings)
    except InvalidRequest:  # a finding about the settings already
        return
    findings = hook("cluster_findings")
    if findings is not None:
        yield from findings(settings)


def _parsers(_: DataLocation) -> Iterator[Finding]:
    from qwicket.compute import ParserPool
    from qwicket.model.errors import QwicketError
    from qwicket.model.limits import Limits

    async def read() -> float:
        parsers = ParserPool(Limits())
        began = time.perf_counter()
        try:
            await parsers.read("openqasm3", _BELL, account="doctor")
            return time.perf_counter() - began
        finally:
            await parsers.close()

    try:
        took_s = asyncio.run(read())
    except QwicketError as error:
        remedy = "Free some memory, or raise the limit parse_memory_bytes."
        yield Finding("parsers", "wrong", f"a program could not be read: {error.detail}", remedy)
    else:
        yield Finding("parsers", "ok", f"a parser started and parsed a program in {took_s:.1f} s")


# --- a server that runs --------------------------------------------------------------------------


def _server(location: DataLocation, context: click.Context) -> Iterator[Finding]:
    from qwicket.clients.native import ApiError, ClientError

    named, token = os.environ.get("QWICKET_URL"), os.environ.get("QWICKET_TOKEN")
    is_running = _has_server() and _is_running(location)
    if is_running:
        yield Finding("server", "ok", "a server runs on the folder")
    if not named and not is_running:
        yield Finding("server", "ok", "no server runs on the folder, and QWICKET_URL is not set")
        return
    url = named or _own_url(context)
    if url is None:
        text = "its port is any free one (--port 0): QWICKET_URL is not set, so it was not asked"
        yield Finding("server", "ok", text)
        return
    try:
        offset_s = _clock_offset_s(url)
    except ClientError as error:
        # For an address on this machine the error ends with advice that the remedy repeats.
        text = str(error).partition(" Is the server running?")[0]
        remedy = "Start it with qwicket serve, or put its address into QWICKET_URL."
        yield Finding("server", "wrong" if named else "warning", text, remedy)
        return
    yield Finding("server", "ok", f"{url} is ready")
    if abs(offset_s) > MAX_OFFSET_S:
        text = f"the server's clock differs from this machine's by {offset_s:+,.0f} s"
        yield Finding("clock", "warning", text, "Synchronise both with NTP.")
    if not token:
        remedy = "export QWICKET_TOKEN=$(qwicket token create --user NAME)"
        yield Finding("token", "warning", "QWICKET_TOKEN is not set", remedy)
        return
    try:
        yield Finding("token", "ok", _signed_in(url, token))
    except ApiError as error:
        remedy = "Make a new one: qwicket token create --user NAME"
        yield Finding("token", "wrong", f"QWICKET_TOKEN does not sign in: {error}", remedy)
    except ClientError as error:
        yield Finding("token", "wrong", str(error))


def _own_url(context: click.Context) -> str | None:
    """Return the address at which this machine reaches its server; None if any port may be it."""
    settings, _refused = check_settings(context)
    if settings.public_url is not None:
        return settings.public_url
    if settings.port == 0:
        return None
    host = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104 - only compared
    scheme = "http" if settings.tls_cert is None else "https"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{settings.port}"


def _is_running(location: DataLocation) -> bool:
    from qwicket.server.listeners import is_served

    return not location.database_url and is_served(location.data_dir)


def _clock_offset_s(url: str) -> float:
    """Return how many seconds a server's clock is ahead of this machine's.

    Raises:
        ClientError: No server responds there, or it is not ready.
        ValueError: The response has no valid `Date`.
    """
    from qwicket.clients.http import HTTPClient, InvalidResponse, NoResponse, Request
    from qwicket.clients.native import ClientError, UnexpectedResponse, Unreachable

    client = HTTPClient(url, ClientError)
    try:
        response = client.exchange(Request("GET", "/readyz", limit_s=TIMEOUT_S))
    except NoResponse as error:
        raise Unreachable(str(error)) from None
    except InvalidResponse as error:
        raise UnexpectedResponse(str(error)) from None
    finally:
        client.close()
    if response.status != 200:
        raise Unreachable(f"{url} is not ready: /readyz returns {response.status}.")
    server_time = parsedate_to_datetime(response.headers.get("Date", "")).timestamp()
    ahead_s = server_time - time.time()
    # `Date` has whole seconds, so a correct clock seems to be up to a second late.
    return ahead_s + 1 if ahead_s < -1 else max(0.0, ahead_s)


def _signed_in(url: str, token: str) -> str:
    from qwicket.clients.http import RetryPolicy, sanitize
    from qwicket.clients.native.transport import Transport
    from qwicket.schema.accounts import AccountBody

    transport = Transport(url, token, TIMEOUT_S, RetryPolicy(max_attempts=1))
    try:
        account = transport.get("/v1/account", AccountBody)
    finally:
        transport.close()
    scopes = " ".join(map(sanitize, account.token.scopes))
    return f"QWICKET_TOKEN is one of {sanitize(account.name)}: {scopes}"
