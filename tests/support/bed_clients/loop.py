"""Runs jobs with an unmodified client, one for each line of standard input.

In a vendor's environment, whose Python may be old: nothing but the standard library and the client.
"""

from __future__ import annotations

import json
import logging
import sys
import traceback
import warnings
from collections.abc import Callable

warnings.simplefilter("ignore")
logging.disable(logging.CRITICAL)


def serve(run: Callable[[], dict[str, int]]) -> None:
    """Call `run` for each line, and answer with what it returned or raised, as a line of JSON."""
    answers = sys.stdout
    sys.stdout = sys.stderr  # some clients print
    answers.write("ready\n")
    answers.flush()
    for _line in sys.stdin:
        try:
            counts = {each: int(n) for each, n in run().items()}
            found: dict[str, object] = {"counts": counts, "error": ""}
        except Exception as error:  # whatever the client raises is what its user sees
            found = {
                "counts": None,
                "error": f"{type(error).__name__}: {error}",
                "trace": traceback.format_exc(),
            }
        answers.write(json.dumps(found) + "\n")
        answers.flush()
