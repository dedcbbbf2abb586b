"""Today's generation. Every success is `{"success": true, "data": …}`."""

from qwicket.dialects.qbraid.v1.routes import ROUTES, dialect

__all__ = ["ROUTES", "dialect"]
