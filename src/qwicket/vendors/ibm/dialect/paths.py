"""Normalises the spellings of paths.

Clients write words in any case, and `backends` or `backend` for `devices`, `job` for `jobs`. Paths
of devices and jobs may have a version at the end, and a hub, group and project before them. Names
and ids are not changed, except that an `s` after the id of a job is dropped.
"""

from __future__ import annotations

from typing import Final, NamedTuple

_DEVICES: Final = ("devices", "backends", "backend")
_JOBS: Final = ("jobs", "job")
_VERSION: Final = ["v", "1"]
_ID_CHARS: Final = 36


class Spelling(NamedTuple):
    """What a path contains beside its route.

    Attributes:
        instance: Hub, group and project in the path, if any.
        has_version: Whether the path ended in a version.
    """

    instance: Instance | None = None
    has_version: bool = False


class Instance(NamedTuple):
    """Hub, group and project. IBM's clients call the three together provider or instance."""

    hub: str
    group: str
    project: str


def canonical(path: str) -> tuple[str, Spelling]:
    """Return a path as the routes spell it, and what else it contains.

    Args:
        path: Path after the dialect's prefix.
    """
    segments = path.split("/")[1:]
    instance, segments = _of_instance(segments)
    has_version = [segment.lower() for segment in segments[-2:]] == _VERSION
    if not segments:
        return path, Spelling()
    head = segments[0].lower()
    if head in (*_DEVICES, *_JOBS):
        segments = segments[:-2] if has_version else segments
        is_device = head in _DEVICES
        head, name = ("devices", segments[1:2]) if is_device else ("jobs", _job(segments))
        segments = [head, *name, *map(str.lower, segments[2:])]
    elif instance is not None:
        return path, Spelling()  # a project has no other paths
    elif head == "network" and [segment.lower() for segment in segments[1:2]] == ["devices"]:
        segments = [*map(str.lower, segments[:2]), *segments[2:3], *map(str.lower, segments[3:])]
    elif head == "storage":
        segments = [head, *segments[1:]]
    else:
        segments = [segment.lower() for segment in segments]
    return "/" + "/".join(segments), Spelling(instance, has_version)


def _of_instance(segments: list[str]) -> tuple[Instance | None, list[str]]:
    fixed = [segment.lower() for segment in segments[:5:2]]
    if len(segments) > 6 and fixed == ["network", "groups", "projects"]:
        return Instance(segments[1], segments[3], segments[5]), segments[6:]
    return None, segments


def _job(segments: list[str]) -> list[str]:
    """Return the segment after `jobs` as a list, without the `s` that IBM's document adds."""
    if len(segments) < 2:
        return []
    if len(segments) == 2 and segments[1].lower() == "status":
        return ["status"]
    id_text = segments[1]
    if len(id_text) == _ID_CHARS + 1 and id_text.endswith("s"):
        id_text = id_text[:-1]
    return [id_text]
