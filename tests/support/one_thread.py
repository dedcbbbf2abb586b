"""Loads NumPy and SciPy with one thread of linear algebra in this process.

As many test processes run as there are cores, so further threads wait for each other: products of
64 × 64 matrices took ten times as long. The environment of child processes stays as it was.
"""

from __future__ import annotations

import os
from contextlib import suppress

_NAME = "OPENBLAS_NUM_THREADS"
_before = os.environ.get(_NAME)
os.environ[_NAME] = "1"  # OpenBLAS reads it once, when it is loaded
with suppress(ImportError):
    import numpy  # noqa: F401 - only loaded
    import scipy.linalg  # noqa: F401 - as numpy
if _before is None:
    del os.environ[_NAME]
else:
    os.environ[_NAME] = _before
