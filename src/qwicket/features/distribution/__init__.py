"""The server offers its own package at `/dist/`, so that users install the matching version."""

from __future__ import annotations

from typing import Final

from qwicket.registrations import Feature

FEATURE: Final = Feature(
    name="distribution",
    mounts="qwicket.features.distribution.routes:mounts",
    hooks={
        "install_command": "qwicket.features.distribution.service:install_command",
        "find_install_command": "qwicket.features.distribution.commands:find_install_command",
    },
)


def install_from(url: str, link: str) -> str:
    """Return the command that installs the wheel of a server.

    Args:
        url: Address of the server.
        link: Name of the file, `#sha256=`, and its digest.
    """
    return f'pip install "qwicket @ {url.rstrip("/")}/dist/{link}"'
