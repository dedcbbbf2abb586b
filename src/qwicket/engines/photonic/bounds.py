"""Numerical bounds of the engine. Bounds on what users may ask for are in `Limits`."""

from __future__ import annotations

from typing import Final

MAX_FED: Final = 1e6
"""Largest |α| of a displacement by measured values, in any shot."""

MAX_PHOTONS: Final = 1e6
"""Mean photons of all modes, without displacements. Above it covariances lose accuracy."""

MAX_PAIR_MODES: Final = 5
"""Modes of the smaller half of a pair state. States with more are counted mode by mode."""
