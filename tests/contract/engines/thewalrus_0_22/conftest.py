"""Keeps what Numba compiles, in the environment: The Walrus does so for half of its functions.

Without it each process compiles the others for half a minute. Their code is as it was.
"""

from __future__ import annotations

from functools import partial

import numba

numba.jit = partial(numba.jit, cache=True)
