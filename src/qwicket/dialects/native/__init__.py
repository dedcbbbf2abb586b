"""The native door, `/v1`: the gateway's own words as JSON."""

from qwicket.dialects.native.openapi import description
from qwicket.dialects.native.routes import door

__all__ = ["description", "door"]
