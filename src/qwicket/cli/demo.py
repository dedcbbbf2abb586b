"""`qwicket demo`: a real server on a folder of its own, and a real job through it."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

import click

from qwicket.cli import options
from qwicket.cli.results import bars

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_ANNOUNCEMENT: Final = "Qwicket listens on "
_ROUTINE: Final = "Qwicket "
"""How lines of a server begin that say how it starts and stops."""
SERVE: Final = (sys.executable, "-m", "qwicket", "serve", "--port", "0", "--log-format", "text")
_START_S: Final = 60.0
_STOP_S: Final = 35.0

BELL: Final[Mapping[str, Any]] = {
    "gateset": "qis",
    "qubits": 2,
    "circuit": [{"gate": "h", "target": 0}, {"gate": "cnot", "control": 0, "target": 1}],
}


@click.command(
    short_help="Run a job through a server that leaves no trace.",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def demo(command: tuple[str, ...]) -> None:
    """Start a server on a fresh folder, run a Bell pair through it, show the counts.

    With a COMMAND (after --), run that too, with QWICKET_URL and QWICKET_TOKEN set to the
    server's address and a token: any client can be tried against a server that leaves no trace.
    The exit status is then that of the COMMAND.
    """
    with (
        ended_by(signal.SIGTERM, signal.SIGHUP),
        tempfile.TemporaryDirectory(prefix="qwicket-demo-", ignore_cleanup_errors=True) as folder,
        running([*SERVE, "--data-dir", folder], folder) as url,
    ):
        click.echo(f"A server runs at {url}, its database in {folder}.")
        token = made_token(Path(folder))
        click.echo("Account ada has a token. A Bell pair, through Qwicket's own client:\n")
        _run_bell(url, token)
        status = _run_command(command, url, token) if command else 0
    click.echo("\nThe server has stopped and its folder is gone.")
    sys.exit(status)


def made_token(folder: Path) -> str:
    """Make the account ada in a folder; return its token."""
    place = options.Place(folder, None)
    options.as_admin(place, lambda admin: admin.add_account("ada", email=None, password=None))
    return options.as_admin(place, lambda admin: admin.create_token("ada")).secret


@options.client_errors
def _run_bell(url: str, token: str) -> None:
    from qwicket.clients.native import connect

    with connect(url, token) as client:
        job = client.submit(BELL, "simulator", shots=1000, name="Bell pair")
        result = job.result(timeout=60)
    click.echo(f"  job {job.id} {job.state}")
    click.echo("\n".join(bars(result.counts)))


def _run_command(command: tuple[str, ...], url: str, token: str) -> int:
    """Run the user's command; return its exit status as a shell would."""
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
    """Run a server until the block ends; yields the address that it announces.

    It has no settings of the user's and no terminal, so that Ctrl-C does not end it before its
    clients. What it logs goes to our standard error.

    Raises:
        click.ClickException: It did not start, or did not end as it should.
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
    """Read the server's standard error for as long as it lives: a full pipe would block it."""
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
def ended_by(*signals: signal.Signals) -> Iterator[None]:
    """Let these signals end the block as an exit does: with everything cleared up."""

    def leave(number: int, _frame: object) -> None:
        sys.exit(128 + number)

    before = {each: signal.signal(each, leave) for each in signals}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
