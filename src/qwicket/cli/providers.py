"""`qwicket provider`: manage the owners of devices, and show or hide their devices."""

from __future__ import annotations

import click

from qwicket.cli import options
from qwicket.cli.commands import Section
from qwicket.cli.listing import Row, json_flag, print_rows


@click.group(cls=Section)
def provider() -> None:
    """Add and list providers of devices, and show or hide their devices."""


@provider.command("add")
@click.argument("name")
@options.data_location
def add_provider(name: str, location: options.DataLocation) -> None:
    """Add the provider NAME, active and without devices."""
    made = options.as_admin(location, lambda admin: admin.add_provider(name))
    click.echo(made.name)


@provider.command("list")
@json_flag
@options.data_location
def list_providers(as_json: bool, location: options.DataLocation) -> None:
    """List all providers."""
    rows = [
        Row(
            {"name": each.name, "is_active": each.is_active},
            (each.name, "" if each.is_active else "off"),
        )
        for each in options.as_admin(location, lambda admin: admin.providers())
    ]
    print_rows(rows, ("name", ""), as_json)


@provider.command("on")
@click.argument("name")
@options.data_location
def turn_on(name: str, location: options.DataLocation) -> None:
    """Show the devices of the provider NAME, and let them take jobs."""
    options.as_admin(location, lambda admin: admin.set_active(name, True))


@provider.command("off")
@click.argument("name")
@options.data_location
def turn_off(name: str, location: options.DataLocation) -> None:
    """Hide the devices of the provider NAME and refuse new jobs. Accepted jobs still run."""
    options.as_admin(location, lambda admin: admin.set_active(name, False))
