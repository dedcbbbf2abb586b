"""`qwicket demo`: a real server on a folder of its own, and a real job through it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import click

from qwicket.cli import options
from qwicket.cli.jobs import bars

_ANNOUNCEMENT: Final = "Qwicket listens on "
_STOP_S: Final = 35.0

BELL: Final[Mapping[str, Any]] = {
    "gateset": "qis",
    "qubits": 2,
    "circuit": [{"gate": "h", "target": 0}, {"gate": "cnot", "control": 0, "target": 1}],
}


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def demo(command: tuple[str, ...]) -> None:
    """Start a server on a fresh folder, run a Bell pair through it, show the counts.

    With a COMMAND (after --), run that too, with QWICKET_URL and QWICKET_TOKEN set to the
    server's address and a token: any client can be tried against a server that leaves no trace.
    """
    with tempfile.TemporaryDirectory(prefix="qwicket-demo-") as folder, _server(folder) as url:
        click.echo(f"A server runs at {url}, its database in {folder}.")
        options.as_admin(
            Path(folder), lambda admin: admin.add_account("ada", email=None, password=None)
        )
        made = options.as_admin(Path(folder), lambda admin: admin.create_token("ada"))
        click.echo("Account ada has a token. A Bell pair, through Qwicket's own client:\n")
        _run_bell(url, made.secret)
        status = _run_command(command, url, made.secret) if command else 0
    click.echo("\nThe server has stopped and its folder is gone.")
    sys.exit(status)


@options.client_errors
def _run_bell(url: str, token: str) -> None:
    from qwicket.clients.native import connect

    with connect(url, token) as client:
        job = client.submit(BELL, "simulator", shots=1000, name="Bell pair")
        result = job.result(timeout=60)
    click.echo(f"  job {job.id} {job.state}")
    click.echo("\n".join(bars(result.counts)))


def _run_command(command: tuple[str, ...], url: str, token: str) -> int:
    click.echo("")
    env = {**os.environ, "QWICKET_URL": url, "QWICKET_TOKEN": token}
    try:
        return subprocess.run(command, env=env, check=False).returncode  # noqa: S603 - the user's own
    except OSError as error:
        raise click.ClickException(f"{command[0]}: {error.strerror}.") from None


@contextmanager
def _server(folder: str) -> Iterator[str]:
    """Run `qwicket serve` on a free port until the block ends; yields its address."""
    command = [sys.executable, "-m", "qwicket", "serve", "--port", "0", "--data-dir", folder]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)  # noqa: S603 - ours
    try:
        yield _address(process)
    finally:
        process.terminate()
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _address(process: subprocess.Popen[str]) -> str:
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        if line.startswith(_ANNOUNCEMENT):
            return line.removeprefix(_ANNOUNCEMENT).strip()
        said.append(line)
    raise click.ClickException("The server did not start:\n" + "".join(said))
