"""Numerical bounds of the engine. Bounds on what users may ask for are in `Limits`."""

from __future__ import annotations

from typing import Final

MAX_FED: Final = 1e6
"""Amplitude in size that measured values may displace by in any shot."""

MAX_PHOTONS: Final = 1e6
"""Mean photons of all modes, displacements aside: beyond, covariances lose their digits."""

MAX_PAIR_MODES: Final = 5
"""Modes of the smaller half of a pair state; others are counted mode by mode."""
