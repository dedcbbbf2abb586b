"""What keeps a job from starting now: the condition in the statements that claim jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def may_start(fragments: Mapping[str, str]) -> dict[str, str]:
    """Return the condition for each job of these statements, and for any job of a project.

    Args:
        fragments: SQL that depends on the database, as `store/statements.py` has it.
    """
    found = {
        f"may_start:{job}": _may_start(job, f"1000 * {job}.est_seconds", fragments)
        for job in ("next", "waiting", "job")
    }
    return found | {"may_start:share": _may_start("share", "0", fragments)}


def _may_start(of: str, run_ms: str, fragments: Mapping[str, str]) -> str:
    """Return the condition that no reservation or maintenance window keeps a job from starting.

    A window keeps jobs of other projects from starting until it ends. Before it begins, jobs do not
    start that may still run then: estimates are doubled, or prolonged by `drain_ms` if that is
    more. If only some slots are reserved, jobs of other projects may use the other slots.

    Args:
        of: The table or alias of the job; or `share`, to ask for any job of a project.
        run_ms: Its estimated run time in milliseconds.
        fragments: As for `load`.
    """
    greatest = fragments["greatest"]
    return f"""not exists (
        select 1 from reservation_device as covered
        inner join reservation on reservation.id = covered.reservation
        where covered.device = {of}.device and covered.until_at > :now
            and reservation.from_at
                <= cast(:now as bigint) + {run_ms} + {greatest}({run_ms}, reservation.drain_ms)
            and not exists (
                select 1 from reservation_project as permitted
                where permitted.reservation = reservation.id
                    and permitted.project = {of}.project
            )
            and (
                reservation.slots is null
                or reservation.slots + (
                    select count(*)
                    from reservation_device as shared
                    inner join job as begun on begun.device = shared.device
                    where shared.reservation = reservation.id
                        and begun.state in ('running', 'cancelling', 'uncertain')
                        and not exists (
                            select 1 from reservation_project as permitted
                            where permitted.reservation = reservation.id
                                and permitted.project = begun.project
                        )
                ) >= (
                    select coalesce(sum(runner.slots), 0) from runner
                    where runner.kind <> 'scaler'
                        and coalesce(runner.device, '') = coalesce(reservation.agent_device, '')
                )
            )
    )"""
