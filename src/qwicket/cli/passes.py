"""`qwicket passes`: the key that signs short-lived access tokens and addresses."""

from __future__ import annotations

import click

from qwicket.cli import options
from qwicket.cli.commands import Section


@click.group(cls=Section, short_help="Void all short-lived access tokens.")
def passes() -> None:
    """Void passes: short-lived access tokens, and signed addresses of uploads and downloads."""


@passes.command("rotate")
@options.data_location
def rotate(location: options.DataLocation) -> None:
    """Sign passes with a new key; those that are out count no more, on any server.

    Clients that renew their access tokens notice nothing, others sign in again. Tokens stay as
    they are.
    """
    options.as_admin(location, lambda admin: admin.rotate_passes())
