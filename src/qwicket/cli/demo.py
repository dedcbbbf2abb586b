"""`qwicket demo`: start a temporary server and run a job on it."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

import click

from qwicket.cli import options
from qwicket.cli.results import bars

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_ANNOUNCEMENT: Final = "Qwicket listens on "
_ROUTINE: Final = "Qwicket "
"""Prefix of the server's lines about its start and stop, which the demo does not repeat."""
SERVE: Final = (
    *(sys.executable, "-m", "qwicket", "serve"),
    *("--port", "0", "--log-format", "text", "--no-setup-link"),
)
_START_S: Final = 60.0
_STOP_S: Final = 35.0
"""Longest time for the server to stop. It gives running jobs 20 s (`--stop-grace-s`)."""

BELL: Final[Mapping[str, Any]] = {
    "gateset": "qis",
    "qubits": 2,
    "circuit": [{"gate": "h", "target": 0}, {"gate": "cnot", "control": 0, "target": 1}],
}


@click.command(
    short_help="Run a job on a temporary server.",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
@click.option(
    "--keep", is_flag=True, help="Keep the server until Ctrl-C, and print a link to its pages."
)
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def demo(command: tuple[str, ...], keep: bool) -> None:
    """Start a server with a temporary folder, run a Bell pair on it, and show the counts.

    With a COMMAND (after --), run that too, with QWICKET_URL and QWICKET_TOKEN set to the
    server's address and a token. The exit status is then that of the COMMAND. The folder is
    deleted at the end.
    """
    with (
        exiting_on(signal.SIGTERM, signal.SIGHUP),
        tempfile.TemporaryDirectory(prefix="qwicket-demo-", ignore_cleanup_errors=True) as folder,
    ):
        # Without an account the server would print a link to make one.
        token = create_demo_token(Path(folder))
        with running([*SERVE, "--data-dir", folder], folder) as url:
            click.echo(f"A server runs at {url}, its database in {folder}.")
            click.echo("Account ada has a token. A Bell pair, through Qwicket's own client:\n")
            _run_bell(url, token)
            status = _run_command(command, url, token) if command else 0
            if keep:
                _keep(url, Path(folder))
    click.echo("\nThe server has stopped and its folder is gone.")
    sys.exit(status)


def create_demo_token(folder: Path) -> str:
    """Add the account ada to a folder's database; return a token of it."""
    location = options.DataLocation(folder, None)
    options.as_admin(location, lambda admin: admin.add_account("ada", email=None, password=None))
    return options.as_admin(location, lambda admin: admin.create_token("ada")).secret


def _keep(url: str, folder: Path) -> None:
    """Print a link to the pages, and at a terminal a new one at each Enter, until Ctrl-C."""
    with suppress(KeyboardInterrupt):
        click.echo("\nThe pages, signed in as ada. The link works once, within a minute:\n")
        _print_link(url, folder)
        if sys.stdin.isatty():
            click.echo("Enter prints a new link. Ctrl-C stops the server and deletes its folder.\n")
            for _ in sys.stdin:
                _print_link(url, folder)
        else:
            click.echo("Ctrl-C stops the server and deletes its folder.")
            signal.pause()


def _print_link(url: str, folder: Path) -> None:
    location = options.DataLocation(folder, None)
    link = options.as_admin(location, lambda admin: admin.make_sign_in_link("ada"))
    click.echo(f"  {url}{link.path}\n")


@options.report_client_errors
def _run_bell(url: str, token: str) -> None:
    from qwicket.clients.native import connect

    with connect(url, token) as client:
        job = client.submit(BELL, "simulator", shots=1000, name="Bell pair")
        result = job.result(timeout=60)
    click.echo(f"  job {job.id} {job.state}")
    click.echo("\n".join(bars(result.counts)))


def _run_command(command: tuple[str, ...], url: str, token: str) -> int:
    """Run the user's command; return its exit status like a shell."""
    click.echo("")
    env = {**os.environ, "QWICKET_URL": url, "QWICKET_TOKEN": token}
    before = signal.signal(signal.SIGINT, lambda _number, _frame: None)  # Ctrl-C is the command's
    try:
        status = subprocess.run(command, env=env, check=False).returncode  # noqa: S603 - their own
    except OSError as error:
        raise click.ClickException(f"{command[0]}: {error.strerror}.") from None
    finally:
        signal.signal(signal.SIGINT, before)
    return status if status >= 0 else 128 - status


@contextmanager
def running(command: list[str], folder: str) -> Iterator[str]:
    """Run a server until the end of the block; yield its address.

    It ignores the user's settings, and runs in a session of its own, so that Ctrl-C does not stop
    it before its clients. Its log is copied to standard error.

    Raises:
        click.ClickException: The server did not start, or ended with an error.
    """
    process = subprocess.Popen(  # noqa: S603 - our own
        command,
        cwd=folder,
        env={key: value for key, value in os.environ.items() if not key.startswith("QWICKET_")},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    )
    assert process.stderr is not None
    address: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    log = threading.Thread(target=_pass_on, args=(process.stderr, address), daemon=True)
    log.start()
    try:
        yield _announced(address)
    finally:
        _stop(process)
        log.join(_STOP_S)
        process.stderr.close()
    if process.returncode:
        raise click.ClickException(f"The server ended with status {process.returncode}.")


def _pass_on(log: IO[str], address: queue.SimpleQueue[str | None]) -> None:
    """Copy the server's standard error until its end: a full pipe would block the server."""
    for line in log:
        if line.startswith(_ANNOUNCEMENT):
            address.put(line.removeprefix(_ANNOUNCEMENT).strip())
        elif not line.startswith(_ROUTINE):
            click.echo(line, nl=False, err=True)
    address.put(None)


def _announced(address: queue.SimpleQueue[str | None]) -> str:
    try:
        url = address.get(timeout=_START_S)
    except queue.Empty:
        url = None
    if url is None:
        raise click.ClickException("The server did not start.")
    return url


def _stop(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
    except BaseException:  # a second Ctrl-C does not wait
        process.kill()
        raise
    finally:
        process.wait()


@contextmanager
def exiting_on(*signals: signal.Signals) -> Iterator[None]:
    """Turn these signals into `SystemExit` within the block, so that its cleanup runs."""

    def leave(number: int, _frame: object) -> None:
        sys.exit(128 + number)

    before = {each: signal.signal(each, leave) for each in signals}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
