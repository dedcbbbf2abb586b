"""The IonQ dialect, below `/ionq` and, for clients that drop the path of their URL, at the root."""

from qwicket.dialects.ionq.routes import V03_ROUTES, V04_ROUTES, unknown_version, v03, v04

__all__ = ["V03_ROUTES", "V04_ROUTES", "unknown_version", "v03", "v04"]
