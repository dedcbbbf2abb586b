"""Every vendor's unmodified client against a live server: one half of the suites.

All but the newest client of each dialect are extended, as their requirements say.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from contract.vendor_suites import SUITES, check, server
from support.server import LiveServer

__all__ = ["server"]


@pytest.mark.vendor
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("suite", SUITES[::2])
def test_the_vendors_client_cannot_tell(
    suite: str, server: LiveServer, tmp_path: Path, subtests: pytest.Subtests
) -> None:
    check(suite, server, tmp_path, subtests)
