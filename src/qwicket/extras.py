"""The optional parts of the package: which modules each extra brings, and how to install it."""

from __future__ import annotations

from importlib import util
from typing import Final

__all__ = ["EXTRAS", "NotInstalled", "how_to_add", "missing", "require"]

EXTRAS: Final = {
    "server": (
        "argon2",
        "httptools",
        "jinja2",
        "jwt",
        "prometheus_client",
        "re2",
        "scipy",
        "starlette",
        "uvicorn",
        "uvloop",
        "websockets",
    ),
    "oidc": ("authlib", "joserfc"),
    "postgres": ("psycopg", "psycopg_pool"),
    "aer": ("qiskit_aer",),
    "qsim": ("qsimcirq",),
    "qiskit": ("qiskit",),
    "samplex": ("samplomatic",),
    "dask": ("distributed", "cryptography", "dask_jobqueue"),
    "testing": ("pytest",),
    "plot": ("matplotlib",),
    "rich": ("rich",),
}
"""Modules of each extra of pyproject.toml (except `all`) without which its code does not run.

Qulacs and Stim are not listed: without them NumPy runs circuits, on fewer qubits than Stim does.
"""


class NotInstalled(ImportError):
    """An extra that a call needs is not installed; the message says how to install it.

    Args:
        feature: The command or feature that needs it.
        extra: Key of `EXTRAS`.
    """

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f'{feature} needs the extra "{extra}": {how_to_add(extra)}')


def how_to_add(extra: str) -> str:
    """Return how to install an extra. No command: only the user knows where Qwicket came from."""
    return f"install Qwicket again from the same place, with [{extra}] after its name"


def missing(extra: str) -> list[str]:
    """Return the modules of an extra that are not installed, without importing any."""
    return [module for module in EXTRAS[extra] if util.find_spec(module) is None]


def require(feature: str, extra: str) -> None:
    """Check that an extra is installed.

    Raises:
        NotInstalled: At least one of its modules is missing.
    """
    if missing(extra):
        raise NotInstalled(feature, extra)
