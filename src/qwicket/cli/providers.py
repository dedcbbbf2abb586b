"""`qwicket device provider`: manage the owners of devices, and show or hide their devices."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from qwicket.cli import options
from qwicket.cli.commands import Section
from qwicket.cli.listing import Row, json_flag, print_rows
from qwicket.schema import admin as schema

if TYPE_CHECKING:
    from qwicket.cli.administration import Administration


@click.group(cls=Section)
def provider() -> None:
    """Add and list providers, and show or hide their devices."""


@provider.command("add")
@click.argument("name")
@options.administration
def add_provider(name: str, admin: Administration) -> None:
    """Add the provider NAME, active and without devices."""
    body = schema.NewProviderBody(name=name)
    made = admin.post("providers", body=body, of=schema.ProviderBody)
    click.echo(made.name)


@provider.command("list")
@json_flag
@options.administration
def list_providers(as_json: bool, admin: Administration) -> None:
    """List all providers."""
    rows = [
        Row(
            {"name": each.name, "is_active": each.is_active},
            (each.name, "" if each.is_active else "off"),
        )
        for each in admin.get("providers", of=schema.ProviderList).providers
    ]
    print_rows(rows, ("name", ""), as_json)


@provider.command("on")
@click.argument("name")
@options.administration
def turn_on(name: str, admin: Administration) -> None:
    """Show the devices of the provider NAME, and let them take jobs."""
    admin.change("PATCH", "providers", name, body=schema.ProviderChangeBody(is_active=True))


@provider.command("off")
@click.argument("name")
@options.administration
def turn_off(name: str, admin: Administration) -> None:
    """Hide the devices of the provider NAME and refuse new jobs. Accepted jobs still run."""
    admin.change("PATCH", "providers", name, body=schema.ProviderChangeBody(is_active=False))
