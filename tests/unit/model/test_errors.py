from __future__ import annotations

from collections.abc import Iterator

from qwicket.model import errors
from qwicket.model.errors import MethodNotAllowed, QwicketError
from support.for_each import for_each


def family(root: type[QwicketError]) -> Iterator[type[QwicketError]]:
    for child in root.__subclasses__():
        if child.__module__ == errors.__name__:
            yield child
            yield from family(child)


CLASSES = sorted(family(QwicketError), key=lambda each: each.__name__)


@for_each("kind", CLASSES)
def test_each_error_has_cause_and_remedy_and_is_in_the_tree(kind: type[QwicketError]) -> None:
    assert 400 <= kind.status < 600
    assert kind.title.endswith(".")
    assert kind.remedy.endswith((".", "?"))
    assert f"── {kind.__name__} " in (errors.__doc__ or "")
    assert f" {kind.status}" in (errors.__doc__ or "")


def test_codes_are_unique() -> None:
    codes = [kind.code for kind in CLASSES]
    assert len(set(codes)) == len(codes)


def test_without_a_detail_the_title_is_shown() -> None:
    assert errors.NotFound().detail == errors.NotFound.title


def test_a_refused_method_names_those_allowed() -> None:
    error = MethodNotAllowed("PUT", ("GET", "HEAD"))
    assert error.detail == "PUT is not allowed here. Allowed: GET, HEAD."
