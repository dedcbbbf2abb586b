"""Runs The Walrus without Numba's compiler, which takes longer than all tests without it."""

from __future__ import annotations

import os

os.environ["NUMBA_DISABLE_JIT"] = "1"
