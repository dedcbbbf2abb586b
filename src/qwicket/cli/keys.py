"""`qwicket keys`: the key that signs short-lived access tokens and URLs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from qwicket.cli import options
from qwicket.cli.commands import Section

if TYPE_CHECKING:
    from qwicket.cli.administration import Administration


@click.group(cls=Section, short_help="Void all short-lived access tokens.")
def keys() -> None:
    """Replace the key that signs access tokens, and URLs for uploads and downloads."""


@keys.command("rotate")
@options.administration
def rotate(admin: Administration) -> None:
    """Sign with a new key. Access tokens and URLs signed before become invalid on all servers.

    Clients that renew their access tokens continue; others must sign in again. API tokens stay
    valid.
    """
    admin.change("POST", "keys", "rotate")
