"""Versions before v1: the registry of jobs, and the first API that runs jobs."""

from qwicket.dialects.qbraid.v0.routes import dialect

__all__ = ["dialect"]
