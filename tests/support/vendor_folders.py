"""Where a vendor has more than its own folder."""

from __future__ import annotations

from typing import Final

PUBLIC_CLIENTS: Final = {"ibm": "ibm_qx"}
"""Public names of clients, `qwicket.clients.NAME`, that differ from the vendor's."""
