"""`qwicket keys`: the key that signs short-lived access tokens and URLs."""

from __future__ import annotations

import click

from qwicket.cli import options
from qwicket.cli.commands import Section


@click.group(cls=Section, short_help="Void all short-lived access tokens.")
def keys() -> None:
    """Replace the key that signs access tokens, and URLs for uploads and downloads."""


@keys.command("rotate")
@options.data_location
def rotate(location: options.DataLocation) -> None:
    """Sign with a new key. Access tokens and URLs signed before become invalid on all servers.

    Clients that renew their access tokens continue; others must sign in again. API tokens stay
    valid.
    """
    options.as_admin(location, lambda admin: admin.rotate_keys())
