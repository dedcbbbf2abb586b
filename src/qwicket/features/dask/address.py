"""The value of `--compute`: where the engines run."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import parse_qsl, urlsplit

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

Kind = Literal["scheduler", "slurm", "kubernetes", "factory"]

_FACTORY: Final = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")
_FORMS: Final = (
    "'local', dask://HOST:PORT, dask+tcp://HOST:PORT, dask+slurm:, dask+kubernetes:,"
    " or a function MODULE:FUNCTION that returns a Dask cluster"
)


class ClusterAddress(msgspec.Struct, frozen=True):
    """A Dask cluster, to connect to or to start.

    Attributes:
        kind: `scheduler` is a running cluster; Qwicket starts the others.
        place: "host:port" of the scheduler, or "module:function" of a factory, which returns an
            instance of one of Dask's cluster classes. Empty for other kinds.
        allows_plain_tcp: Whether its connections may be without TLS.
        options: Options of the class that starts the cluster.
    """

    kind: Kind
    place: str = ""
    allows_plain_tcp: bool = False
    options: Mapping[str, str | int] = msgspec.field(default_factory=dict)

    @property
    def is_ours(self) -> bool:
        """Whether Qwicket starts the cluster, and sets its size."""
        return self.kind != "scheduler"


def parse(text: str) -> ClusterAddress:
    """Return the cluster in a value of `--compute`.

    Raises:
        ValueError: The value is malformed; the text shows a valid form.
    """
    scheme, _, rest = text.partition(":")
    if scheme in ("dask", "dask+tcp", "dask+tls"):
        is_plain = scheme == "dask+tcp"
        return ClusterAddress("scheduler", _host_and_port(text), allows_plain_tcp=is_plain)
    if scheme in ("dask+slurm", "dask+kubernetes"):
        kind: Kind = "slurm" if scheme == "dask+slurm" else "kubernetes"
        # Dask's operator for Kubernetes makes no certificates for its clusters.
        is_plain = kind == "kubernetes"
        return ClusterAddress(kind, allows_plain_tcp=is_plain, options=_options(text, rest))
    if _FACTORY.fullmatch(text) and not scheme.startswith("dask+"):
        return ClusterAddress("factory", text)
    raise ValueError(f"{text[:200]!r} is not one of {_FORMS}.")


def _host_and_port(text: str) -> str:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        port = None
    if not port or not parts.hostname or parts.path not in ("", "/") or parts.query:
        raise ValueError(f"{text[:200]!r} is not an address such as dask://cluster.lab:8786.")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{host}:{port}"


def _options(text: str, rest: str) -> dict[str, str | int]:
    query = rest.removeprefix("//").removeprefix("?")
    try:
        pairs = parse_qsl(query, strict_parsing=True) if query else []
    except ValueError:
        wanted = "dask+slurm:?queue=main&cores=4&memory=16GB"
        raise ValueError(f"{text[:200]!r} does not have the form {wanted}.") from None
    return {key: int(value) if value.isdecimal() else value for key, value in pairs}
