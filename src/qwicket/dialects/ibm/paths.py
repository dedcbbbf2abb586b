"""The many spellings of one path.

Words are written in any case, devices and jobs in the singular or plural, with or without a version
at the end, and everything once more below a hub, group and project. Names and ids are taken as they
are.
"""

from __future__ import annotations

from typing import Final, NamedTuple

_DEVICES: Final = ("devices", "backends", "backend")
_JOBS: Final = ("jobs", "job")
_VERSION: Final = ["v", "1"]
_ID_CHARS: Final = 36


class Spelling(NamedTuple):
    """What a path says beside its route.

    Attributes:
        place: The hub, group and project below which it stands, if it does.
        has_version: Whether it ended in a version.
    """

    place: Place | None = None
    has_version: bool = False


class Place(NamedTuple):
    """The hub, group and project below which a path stands."""

    hub: str
    group: str
    project: str


def canonical(path: str) -> tuple[str, Spelling]:
    """Return a path as the routes spell it, and what else it says.

    Args:
        path: What follows the door's prefix.
    """
    words = path.split("/")[1:]
    place, words = _placed(words)
    has_version = [word.lower() for word in words[-2:]] == _VERSION
    if not words:
        return path, Spelling()
    head = words[0].lower()
    if head in (*_DEVICES, *_JOBS):
        words = words[:-2] if has_version else words
        head, thing = ("devices", words[1:2]) if head in _DEVICES else ("jobs", _job(words))
        words = [head, *thing, *map(str.lower, words[2:])]
    elif place is not None:
        return path, Spelling()  # nothing else stands below a project
    elif head == "network" and [word.lower() for word in words[1:2]] == ["devices"]:
        words = [*map(str.lower, words[:2]), *words[2:3], *map(str.lower, words[3:])]
    elif head == "storage":
        words = [head, *words[1:]]
    else:
        words = [word.lower() for word in words]
    return "/" + "/".join(words), Spelling(place, has_version)


def _placed(words: list[str]) -> tuple[Place | None, list[str]]:
    fixed = [word.lower() for word in words[:5:2]]
    if len(words) > 6 and fixed == ["network", "groups", "projects"]:
        return Place(words[1], words[3], words[5]), words[6:]
    return None, words


def _job(words: list[str]) -> list[str]:
    """Return a job's id as a list; one printed document lets it end in an s."""
    if len(words) < 2:
        return []
    if len(words) == 2 and words[1].lower() == "status":
        return ["status"]
    id_text = words[1]
    if len(id_text) == _ID_CHARS + 1 and id_text.endswith("s"):
        id_text = id_text[:-1]
    return [id_text]
