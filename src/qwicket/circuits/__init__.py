"""Circuits in flat form, with their costs, noise and results. No I/O.

Parsers of all formats produce them, and all engines run them.
"""

from typing import Final

PACKING_VERSION: Final = 6
"""Version of packed circuits, options and results, which travel between machines.

Increase it with each change of these structs, or new gate, that an older program reads wrongly or
not at all. `tests/unit/circuits/test_packing.py` fails after a change."""
