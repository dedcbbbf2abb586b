"""Profiles: several sizes of workers, and workers for some projects, by one scaler in Slurm."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from qwicket.scaling.slurm import parse_options

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,23}")
_SIZE: Final = re.compile(r"([0-9]{1,12})([KMGT]?)B?", re.IGNORECASE)
_KIB: Final = {"K": 1, "M": 1 << 10, "": 1 << 10, "G": 1 << 20, "T": 1 << 30}
"""Units of sizes in Slurm, in KiB; without a unit they are MiB (sbatch(1), --mem)."""
_JOBS_FRACTION: Final = 0.8
"""Fraction of a worker's memory for jobs; the rest is for the processes themselves."""


class Profile(NamedTuple):
    """Workers of one kind.

    Attributes:
        name: Its name; "" without profiles.
        options: Options of sbatch.
        memory_bytes: Memory of one job in a worker; None if nothing states it.
        above_bytes: Memory up to which jobs are left to another profile for the same projects.
        projects: Names of the projects whose jobs they take; empty means all but others'.
        except_projects: Names of the projects of other profiles.
    """

    name: str
    options: Mapping[str, str | None]
    memory_bytes: int | None = None
    above_bytes: int = 0
    projects: tuple[str, ...] = ()
    except_projects: tuple[str, ...] = ()


def parse_profiles(
    texts: Sequence[str], common: str, memory_bytes: int | None = None
) -> list[Profile]:
    """Return the profiles that texts such as `large=mem-per-cpu=32G partition=fat` describe.

    Beside options of sbatch, `projects=a,b` names the only projects whose jobs the workers take.
    The workers of profiles without this word take the jobs of all projects that no profile names.

    Args:
        texts: The profiles. Without any, there is one, of the common options.
        common: Options of all profiles.
        memory_bytes: Memory of one job where the options state none.

    Raises:
        ValueError: A text is malformed, or two profiles are for the same jobs.
    """
    if not texts:
        return [Profile("", parse_options(common), memory_bytes)]
    found: dict[str, Profile] = {}
    for text in texts:
        name, equals, words = text.partition("=")
        if not equals or not _NAME.fullmatch(name):
            raise ValueError(
                f"{text!r} is not a profile such as small='mem-per-cpu=2G', whose name has at most"
                " 24 letters, digits and . _ -."
            )
        if name in found:
            raise ValueError(f"there are two profiles {name!r}.")
        options = parse_options(f"{common} {words}")
        projects = tuple(filter(None, (options.pop("projects", None) or "").split(",")))
        if projects:
            options.setdefault("comment", f"Qwicket: {','.join(projects)}")
        found[name] = Profile(name, options, _job_bytes(options) or memory_bytes, 0, projects)
    named = tuple(dict.fromkeys(project for each in found.values() for project in each.projects))
    return [_beside(each, found.values(), named) for each in found.values()]


def _beside(profile: Profile, all_profiles: Iterable[Profile], named: tuple[str, ...]) -> Profile:
    """Return a profile with what it leaves to others."""
    above, own = 0, {*profile.projects}
    for other in all_profiles:
        is_alike = own == {*other.projects}
        if other is profile or (not is_alike and own.isdisjoint(other.projects)):
            continue
        if not is_alike or other.memory_bytes == profile.memory_bytes:
            raise ValueError(
                f"the profiles {profile.name!r} and {other.name!r} are for the same jobs: give them"
                " different mem-per-cpu, or other projects."
            )
        size = other.memory_bytes
        if size is not None and (profile.memory_bytes is None or size < profile.memory_bytes):
            above = max(above, size)
    others = () if profile.projects else named
    return profile._replace(above_bytes=above, except_projects=others)


def _job_bytes(options: Mapping[str, str | None]) -> int | None:
    """Return the memory of one job in a worker with these options; None if they state none.

    Raises:
        ValueError: A size is malformed.
    """
    slots = int(options.get("cpus-per-task") or 1)
    for name, n_jobs in (("mem-per-cpu", 1), ("mem", slots)):
        text = options.get(name)
        if text:
            size = _SIZE.fullmatch(text)
            if size is None or not int(size[1]):
                raise ValueError(f"{name} must be a size such as 4G, not {text!r}.")
            n_bytes = int(size[1]) * _KIB[size[2].upper()] << 10
            return int(_JOBS_FRACTION * n_bytes) // n_jobs
    return None
