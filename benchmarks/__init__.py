"""Measurements, each beside its floor or its peers in the same run. `make bench` prints them."""

import sys
from pathlib import Path

# Modules of `tests` are imported as tests import them.
sys.path.append(str(Path(__file__).parents[1] / "tests"))
