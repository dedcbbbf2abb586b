"""The measurements lie beside the package, where no suite finds them by itself."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[4]))
