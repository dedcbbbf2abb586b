"""CPU time of importing each client in fresh processes, and the module that takes most of it.

The times are those of `time.process_time` and `-X importtime`; the floor is the time of the HTTP
library alone, in the same run.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Final

from benchmarks.figures import Figure, p50

BAR_S: Final = 0.150
_RUNS: Final = 9
_WHAT: Final = {
    "import urllib3": None,
    "import qwicket; qwicket.connect": "import urllib3",
    "import qwicket; qwicket.aconnect": "import urllib3",
    **{
        f"import qwicket.clients.{name}": "import urllib3"
        for name in ("ionq", "qlued", "ibm_qx", "qbraid")
    },
}
_TIMED: Final = "import time; began = time.process_time(); {}; print(time.process_time() - began)"


def measure() -> Iterator[Figure]:
    """Yield a figure for each client."""
    found: dict[str, list[float]] = {}
    for code, floor in _WHAT.items():
        found[code] = [_cpu_s(code) for _ in range(_RUNS)]
        if floor is not None:
            measured = p50(found[code])
            yield Figure(
                f"`{code}`, most: {_slowest_module(code)}",
                "",
                f"{1000 * measured:.0f} ms",
                f"{1000 * p50(found[floor]):.0f} ms",
                f"{1000 * BAR_S:.0f} ms",
                measured <= BAR_S,
            )


def _cpu_s(code: str) -> float:
    return float(_fresh(_TIMED.format(code)).stdout)


def _slowest_module(code: str) -> str:
    """Return the module that takes longest by itself, of those that `code` imports."""
    rows = [
        line.removeprefix("import time:").split("|")
        for line in _fresh(code, "-X", "importtime").stderr.splitlines()[1:]
    ]
    own_us, name = max((int(own), name.strip()) for own, _, name in rows)
    return f"{name} {own_us / 1000:.0f} ms"


def _fresh(code: str, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *options, "-c", code],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": "src"},
        capture_output=True,
        text=True,
        check=True,
    )
