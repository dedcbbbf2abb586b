"""Measurements, each beside its floor or its peers in the same run. `make bench` prints them."""

import sys
from pathlib import Path

# What they share with tests is imported as tests import it.
sys.path.append(str(Path(__file__).parents[1] / "tests"))
