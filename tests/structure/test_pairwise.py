from __future__ import annotations

from itertools import product

from support.for_each import for_each
from support.pairwise import pairs

ROUTES = ("GET /a", "PUT /a", "GET /b", "PUT /b", "GET /c")


@for_each("values", ["x", "xy", "xyzuv", "xyzuvw", "xyzuvwabcd"])
def test_every_row_and_every_value_occurs_and_not_their_product(values: str) -> None:
    found = pairs(ROUTES, values)
    assert {row for row, _ in found} == set(ROUTES)
    assert {value for _, value in found} == set(values)
    assert len(found) == len(set(found)) == max(len(ROUTES), len(values))


def test_every_value_occurs_in_every_group() -> None:
    found = pairs(ROUTES, "xyzu", per=lambda route: route[:3])
    assert {(route[:3], value) for route, value in found} == {*product(("GET", "PUT"), "xyzu")}
    assert {route for route, _ in found} == set(ROUTES)


def test_pairs_that_matter_stay_besides() -> None:
    found = {*pairs(ROUTES, "xyz", always="z", keep=lambda row, value: row + value == "GET /ay")}
    assert {(route, "z") for route in ROUTES} | {("GET /a", "y")} <= found
    assert set(pairs(ROUTES, "xyz")) <= found


def test_the_selection_is_the_same_every_time_and_in_the_order_of_the_rows() -> None:
    found = pairs(iter(ROUTES), iter("xyz"))
    assert found == pairs(ROUTES, "xyz")
    assert [row for row, _ in found] == sorted((row for row, _ in found), key=ROUTES.index)
