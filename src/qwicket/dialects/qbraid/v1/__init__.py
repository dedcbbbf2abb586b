"""Version 1 of the API. Every success is `{"success": true, "data": …}`."""

from qwicket.dialects.qbraid.v1.routes import dialect

__all__ = ["dialect"]
