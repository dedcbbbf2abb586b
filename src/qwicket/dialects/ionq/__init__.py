"""The IonQ door, below `/ionq` and, for clients that drop the path of their URL, at the root."""

from qwicket.dialects.ionq.routes import unknown_version, v03, v04

__all__ = ["unknown_version", "v03", "v04"]
