"""Jobs in a Dask cluster (`--compute`), which runs already or which the server starts."""

from __future__ import annotations

from typing import Final

from qwicket.registrations import Feature

FEATURE: Final = Feature(
    name="dask",
    clusters="qwicket.features.dask.settings",
    hooks={"cluster_findings": "qwicket.features.dask.diagnostics:findings"},
)
