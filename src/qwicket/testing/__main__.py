"""`python -m qwicket.testing`: a test bed for other processes, such as a container service."""

from __future__ import annotations

import os
import signal
import sys
import threading
import zipfile
from functools import partial
from pathlib import Path
from typing import Final

import click

SECRET: Final = "QWICKET_TESTING_SECRET"  # noqa: S105 - a name


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=0, show_default=True, help="Port to listen on; 0 takes a free one.")
@click.option("--workers", default=1, show_default=True, help="Worker processes.")
@click.option("--seed", type=int, help="Seed that makes ids, and seeds of jobs, repeatable.")
@click.option(
    "--state",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Begin with the state that was saved in this file.",
)
@click.option(
    "--strict/--no-strict",
    default=None,
    help="Refuse, or ignore, parameters and fields that no route declares; by default the"
    " journal reports them.",
)
@click.option("--until-input-ends", is_flag=True, help="Stop when standard input is closed.")
def main(
    host: str,
    port: int,
    workers: int,
    seed: int | None,
    state: Path | None,
    strict: bool | None,
    until_input_ends: bool,
) -> None:
    """Serve a quantum cloud for tests, in a temporary folder.

    Requests to its control interface must have the secret in QWICKET_TESTING_SECRET.
    """
    secret = os.environ.pop(SECRET, "")
    if not secret:
        raise click.UsageError(f"{SECRET} must be set: it protects the control interface.")
    from qwicket.extras import NotInstalled, require

    try:
        require("qwicket.testing", "server")
    except NotInstalled as error:
        raise click.ClickException(str(error)) from None
    from qwicket.testing.bed.draws import Draws

    draws = None if seed is None else Draws(seed)
    if draws is not None:
        draws.install()  # before the modules that draw random bits are imported
    from qwicket.server.run import run
    from qwicket.server.settings import Settings
    from qwicket.testing.bed.app import Bed
    from qwicket.testing.data_folder import data_folder

    if until_input_ends:
        threading.Thread(target=_stop_after_input, daemon=True).start()
    with data_folder() as data:
        if state is not None:
            os.umask(0o077)  # the server refuses a master key that other users can read
            with zipfile.ZipFile(state) as saved:
                saved.extractall(data)
        settings = Settings(
            host=host,
            port=port,
            data_dir=data,
            workers=workers,
            express_slots=0,
            stop_grace_s=0.0,
            first_poll_ms=0,  # tests read the state of a job without delay
        )
        status = run(settings, make=partial(Bed, secret=secret, draws=draws, strict=strict))
    sys.exit(status)


def _stop_after_input() -> None:
    """Stop this process when the one that started it has ended, for whatever reason."""
    while os.read(0, 1 << 16):  # a blocked read of `sys.stdin` would hold its lock at exit
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
