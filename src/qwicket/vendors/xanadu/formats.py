"""Formats that Xanadu's clients write."""

from __future__ import annotations

from typing import Final

from qwicket.circuits.formats import Format

FORMATS: Final = (
    Format(
        name="blackbird",
        version=2,
        reader="qwicket.vendors.xanadu.blackbird:read",
        title="Blackbird",
        description="Blackbird 1.x for photons, `tdm` programs included.",
        family="photonic",
        is_guessed=True,
        recogniser="qwicket.vendors.xanadu.blackbird:is_blackbird",
        layouts="qwicket.vendors.xanadu.blackbird.layout",
    ),
)
