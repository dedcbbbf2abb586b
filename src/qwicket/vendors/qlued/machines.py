"""The four machines that are simulated, and the formats of all machines."""

from __future__ import annotations

from typing import Final

SIMULATED: Final = ("singlequdit", "multiqudit", "rydberg", "fermions")

FORMATS: Final = (*[f"qlued.{machine}" for machine in SIMULATED], "qlued.lab")
"""Names of formats; the last is for a lab's own machine."""
