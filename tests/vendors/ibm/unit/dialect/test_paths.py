from __future__ import annotations

import pytest

from qwicket.vendors.ibm.dialect.paths import Instance, canonical
from support.for_each import for_each

ID = "0197a0b0-0000-7000-8000-000000000000"
PLACE = Instance("qwicket", "open", "Ada")


@pytest.mark.parametrize(
    ("spelt", "route"),
    [
        ("/version", "/version"),
        ("/Users/loginWithToken", "/users/loginwithtoken"),
        ("/backends", "/devices"),
        ("/devices/v/1", "/devices"),
        ("/backend/Line_5/defaults", "/devices/Line_5/defaults"),
        ("/Backends/Line_5/queue/status", "/devices/Line_5/queue/status"),
        ("/Network/devices/Line_5/bookings/v2", "/network/devices/Line_5/bookings/v2"),
        ("/Jobs/v/1", "/jobs"),
        ("/Jobs/status/v/1", "/jobs/status"),
        (f"/jobs/{ID}", f"/jobs/{ID}"),
        (f"/Jobs/{ID}/v/1", f"/jobs/{ID}"),
        (f"/Jobs/{ID}/Status/V/1", f"/jobs/{ID}/status"),
        (f"/job/{ID}s/jobDownloadUrl", f"/jobs/{ID}/jobdownloadurl"),
        ("/storage/x/upload/aB.c-D_e", "/storage/x/upload/aB.c-D_e"),
        ("/nothing/At/All", "/nothing/at/all"),
    ],
)
def test_each_spelling_leads_to_one_route(spelt: str, route: str) -> None:
    assert canonical(spelt)[0] == route
    scoped, spelling = canonical(f"/network/qwicket/groups/open/PROJECTS/Ada{spelt}")
    if route.startswith(("/devices", "/jobs")):
        assert (scoped, spelling.instance) == (route, PLACE)
    else:
        assert spelling.instance is None
        assert scoped != route


@for_each("path", ["", "/", "//", "//jobs", "/jobs/", f"/jobs/{ID}/", "/v/1"])
def test_what_is_no_path_stays_none(path: str) -> None:
    assert canonical(path)[0].endswith("/") or canonical(path)[0] in ("", "//jobs", "/v/1")


def test_a_version_is_noticed() -> None:
    assert canonical(f"/jobs/{ID}/status/v/1")[1].has_version
    assert not canonical(f"/jobs/{ID}/status")[1].has_version
