"""Times of the pages with a million jobs, and of a browser's first paint.

`python -m benchmarks.pages [JOBS] [DATABASE]` prints how soon fifty browser sessions show a change,
what open pages of waiting jobs cost, and a row for each page: the server's time, the bytes sent,
and Chromium's first paint without a cache. It takes some minutes.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple

import httpx

import qwicket
from benchmarks.bench_databases import DATABASES, BenchDatabase, bench_databases, now_ms
from qwicket.cli.options import DataLocation, as_admin
from qwicket.features.invitations.service import InvitationAdmin
from qwicket.gateway.admin import Admin
from qwicket.gateway.signin import digest
from qwicket.pages.job_changes import render_count
from support.browser import Page, browser, separate_pages
from support.pages import FIELD
from support.programs import BELL
from support.server import LiveServer

JOBS: Final = 1_000_000
RUNS: Final = 9
SESSIONS: Final = 50
_NAME, _PASSWORD = "bench-0", "correct horse battery"
_PAGES: Final = (
    "",
    "/jobs",
    "/jobs?state=failed",
    "/jobs?state=queued,running",
    "/jobs?tag=rare",
    "/jobs?name=rare",
    "/jobs?device=simulator&state=completed",
    "/jobs?device=rydberg",  # none of them
    "/jobs/{job}",
    "/jobs/{job}/tags",
    "/devices",
    "/devices/qwicket_heavyhex27",
    "/projects",
    "/projects/bench-0",
    "/projects/bench-0/webhooks",
    "/jobs/new",
    "/connect",
    "/admin",
    "/admin/people",
    "/admin/people?q=bench-9",
    "/admin/people/bench-0",
    "/admin/devices",
    "/admin/devices/simulator",
    "/admin/windows",
    "/admin/projects",
    "/admin/projects/bench-0",
    "/admin/usage",
    "/admin/export?project=bench-0",
    "/admin/activity",
    "/admin/activity?q=bench-0",
    "/admin/jobs/{job}",
    "/admin/people?which=deleted",
    "/admin/invitations",
    "/admin/refusals",
    "/invitation?code={code}",
    "/sign-in",
)
_MANY_PAGES: Final = (
    "",
    "/jobs",
    "/devices",
    "/devices?from=500",
    "/projects",
    "/projects?from=500",
    "/projects/bench-0",
    "/projects/bench-0?from=400",
    "/projects/bench-0/webhooks",
    "/jobs/new",
    "/admin",
    "/admin/devices",
    "/admin/projects",
    "/admin/people",
    "/admin/projects/bench-0",
)
"""Pages that are measured again with a thousand devices, projects and members."""
_FILES: Final = re.compile(r'(?:src|href)="(/ui/(?:scripts/[^"]*|style.css))"')
_PAINT: Final = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"


_USE: Final = """
insert into daily_use (project, device, day, jobs, shots, us, cost)
with recursive number (n) as (select 0 union all select n + 1 from number where n < 3649)
select
    project.id, 'device-' || cast(n % 10 as text), cast(n / 10 as bigint) * 86400000,
    1, 1000, 1000, 0
from number cross join project
where project.name like 'bench-%'
"""
"""What jobs have used: ten accounts on ten devices for a year."""


_RECORDS: Final = (
    """
insert into budget (id, project, device, unit, period, maximum, used, begun_at, created_at)
with recursive number (n) as (select 1 union all select n + 1 from number where n < 20)
select
    project.id || '-' || cast(n as text), project.id, 'device-' || cast(n as text), 'jobs', 'month',
    1000, 10, cast(:now as bigint), cast(:now as bigint)
from number cross join project
where project.name like 'bench-%'
""",
    """
insert into reservation (
    id, kind, device, from_at, until_at, drain_ms, is_exclusive, reason, created_at
)
with recursive number (n) as (select 1 union all select n + 1 from number where n < 200)
select
    'window-' || cast(n as text), 'maintenance', 'fermions',
    cast(:now as bigint) + cast(n as bigint) * 86400000,
    cast(:now as bigint) + cast(n as bigint) * 86400000 + 3600000, 0, 0, 'cleaning',
    cast(:now as bigint)
from number
""",
    """
insert into reservation_device (device, until_at, reservation)
select device, until_at, id from reservation
""",
    """
insert into sign_in_refusal (minute, address, number)
with recursive number (n) as (select 1 union all select n + 1 from number where n < 10000)
select cast(:now as bigint) / 60000 - n, '192.0.2.7', 3 from number
""",
)
"""Rows of administrators' lists: 200 budgets, 200 windows, refusals of 10,000 minutes."""
_CROWD: Final = (
    """
insert into device (name, position, body, origin, provider)
with recursive number (n) as (select 1 union all select n + 1 from number where n < 1000)
select
    'many-' || cast(n as text), 2000 + n,
    replace(body, '"simulator"', '"many-' || cast(n as text) || '"'), origin, provider
from number cross join device
where name = 'simulator'
""",
    """
insert into project (id, name, shares, created_at)
with recursive number (n) as (select 1 union all select n + 1 from number where n < 1000)
select
    'many-' || cast(n as text), 'many-' || cast(n as text), 1, cast(:now as bigint)
from number
""",
    """
insert into member (account, project)
select account.id, project.id from account cross join project
where account.name = 'bench-0' and project.id like 'many-%'
""",
    """
insert into account (id, name, role, created_at)
with recursive number (n) as (select 1 union all select n + 1 from number where n < 1000)
select
    'many-' || cast(n as text), 'many-' || cast(n as text), 'member', cast(:now as bigint)
from number
""",
    """
insert into member (account, project)
select account.id, project.id from account cross join project
where account.id like 'many-%' and project.name = 'bench-0'
""",
)


class Row(NamedTuple):
    """One page: times in milliseconds, size in bytes."""

    path: str
    median_ms: float
    longest_ms: float
    size: int
    paint_ms: float | None


def measure(bench_db: BenchDatabase, count: int) -> list[Row]:
    """Return a row for each page of a server with `count` jobs of ten accounts."""
    bench_db.add_accounts()
    bench_db.fill("completed", count)
    bench_db.run(
        _USE,
        "update job set name = 'rare', tags = '[\"rare\"]' where seq = (select min(seq) from job)",
        "update job set state = 'failed' where seq = (select min(seq) + 10 from job)",
        *_RECORDS,
        now=now_ms(),
    )
    at = DataLocation(bench_db.folder, bench_db.url)
    as_admin(at, lambda admin: admin.reset_account(_NAME, password=_PASSWORD))
    as_admin(at, lambda admin: admin.set_role(_NAME, "admin"))
    token = as_admin(at, lambda admin: admin.create_token(_NAME))
    live = LiveServer(bench_db.folder / "log", *bench_db.options)
    try:
        with (
            httpx.Client(base_url=live.url, timeout=120) as client,
            tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
            browser(Path(folder)) as page,
        ):
            sign_in(client, page, live.url)
            with qwicket.connect(live.url, token.secret) as caller:
                job = caller.submit(BELL, "simulator", outputs=["counts", "memory"])
                job.result(60)
            code = as_admin(at, _add_records)
            rows = []
            for path in _PAGES:
                measured = row(client, page, live.url, path.format(job=job.id, code=code))
                rows.append(measured._replace(path=path.format(job="ID", code="CODE")))
            rows += [number_row(client, count // 10, is_exact) for is_exact in (False, True)]
            rows += form_rows(client, live.url, job.id, code)
            bench_db.run(*_CROWD, now=now_ms())
            for path in _MANY_PAGES:
                measured = row(client, page, live.url, path)
                rows.append(measured._replace(path=f"{path}, many"))
            return rows
    finally:
        live.stop()


def sign_in(client: httpx.Client, page: Page, url: str) -> None:
    """Sign in with both."""
    field = FIELD.search(client.get("/ui/sign-in").text)
    assert field is not None
    form = {"csrf": field[1], "name": _NAME, "password": _PASSWORD}
    assert client.post("/ui/sign-in", data=form).status_code == 303
    cookie = {"name": "qwicket_session", "value": client.cookies["qwicket_session"]}
    page.call("Network.setCookie", **cookie, url=f"{url}/ui", path="/ui")
    page.call("Network.setCacheDisabled", cacheDisabled=True)


def row(client: httpx.Client, page: Page, url: str, path: str) -> Row:
    """Measure one page."""
    times = []
    for _ in range(RUNS + 1):
        began = time.perf_counter()
        response = client.get(f"/ui{path}")
        times.append(1000 * (time.perf_counter() - began))
        assert response.status_code == 200, (path, response.status_code)
    size = len(response.content)
    for each in set(_FILES.findall(response.text)):
        with client.stream("GET", each) as file:
            size += sum(map(len, file.iter_raw()))
    page.open(f"{url}/ui{path}", width=1440)
    page.wait_for(f"{_PAINT} !== undefined")
    paint = page.run(_PAINT)
    return Row(path, statistics.median(times[1:]), max(times[1:]), size, paint)


def number_row(client: httpx.Client, count: int, is_exact: bool) -> Row:
    """Measure the page before a change of all that match, or the request that counts them all."""
    form = {"of": "all", "search": "device=simulator", "action": "delete"}
    shown = render_count(count + 1, is_open=True)
    if is_exact:
        # Other states than ended ones are not deleted, and a job was added.
        form["exact"], shown = "yes", render_count(count + 1, is_open=False)
    return form_row(
        client, "/jobs/confirm" + (", exact" if is_exact else ""), lambda _: form, shown=shown
    )


def form_rows(client: httpx.Client, url: str, job: str, code: str) -> list[Row]:
    """Measure the responses to forms; what a redirect leads to is not part of them."""
    bell = json.dumps(BELL)
    tag = {"action": "tag", "name": "n", "tags": "a\nb"}
    change = {"of": "selected", "job": job, "action": "tag", "tag": "c"}
    provider = {"act": "create_provider"}
    rows = [
        form_row(client, f"/jobs/{job}", lambda _: tag, shown=""),
        form_row(client, "/jobs/change", lambda _: change, shown="Done: 1."),
        form_row(
            client,
            "/jobs/new",
            lambda _: {"action": "check", "program": bell, "device": "simulator", "shots": "10"},
            shown="Valid</span>",
        ),
        form_row(client, "/tokens", lambda _: {"project": _NAME}, shown="Your new token"),
        form_row(client, "/admin/devices", lambda k: {**provider, "name": f"bench-{k}"}, shown=""),
    ]
    rows[0] = rows[0]._replace(path="/jobs/ID")
    with httpx.Client(base_url=url, timeout=120) as nobody:
        invited = "/ui/invitation?code=" + code
        person = {"code": code, "password": _PASSWORD, "email": ""}
        rows += [
            form_row(
                nobody,
                "/sign-in",
                lambda _: {"name": _NAME, "password": _PASSWORD},
                page="/ui/sign-in",
                shown="",
            ),
            form_row(
                nobody,
                "/invitation",
                lambda k: {**person, "name": f"invited-{k}"},
                page=invited,
                shown="",
            ),
        ]
    return [each._replace(path=f"{each.path}, form") for each in rows]


def form_row(
    client: httpx.Client,
    path: str,
    fields: Callable[[int], dict[str, str]],
    *,
    shown: str,
    page: str = "/ui/jobs",
) -> Row:
    """Measure the response to a form of a page, which must contain a text."""
    times = []
    for number in range(RUNS + 1):
        field = FIELD.search(client.get(page).text)
        assert field is not None
        form = {"csrf": field[1], **fields(number)}
        began = time.perf_counter()
        response = client.post(f"/ui{path.partition(',')[0]}", data=form)
        times.append(1000 * (time.perf_counter() - began))
        assert response.status_code in (200, 303), (path, response.status_code, response.text)
        assert shown in response.text, (path, response.text)
    size = len(response.content)
    return Row(path, statistics.median(times[1:]), max(times[1:]), size, None)


async def _add_records(admin: Admin) -> str:
    """Add rows of administrators' lists; return the code of an invitation."""
    for number in range(100):
        gone = await admin.add_account(f"gone-{number}", email=None, password=None)
        await admin.delete_account(gone.name)
        made = await InvitationAdmin(admin.store, admin.now_ms).add(
            project=None, uses=50, life_s=86_400
        )
    return made.code


_WAITING: Final = 1_000
_LOAD_S: Final = 10.0


def waiting_cost(bench_db: BenchDatabase, n_pages: int) -> tuple[float, int, float]:
    """Measure what open pages of waiting jobs cost while jobs come and go on their device.

    Returns:
        Seconds of the server's processor per second, events with a place, and changes per second.
    """
    bench_db.add_accounts()
    at = DataLocation(bench_db.folder, bench_db.url)
    as_admin(at, lambda admin: admin.reset_account(_NAME, password=_PASSWORD))
    token = as_admin(at, lambda admin: admin.create_token(_NAME)).secret
    live = LiveServer(bench_db.folder / "log", *bench_db.options, "--workers", "0")
    try:
        with httpx.Client(base_url=live.url, timeout=120) as client:
            field = FIELD.search(client.get("/ui/sign-in").text)
            assert field is not None
            form = {"csrf": field[1], "name": _NAME, "password": _PASSWORD}
            assert client.post("/ui/sign-in", data=form).status_code == 303
            cookie = client.cookies["qwicket_session"]
        return asyncio.run(_follow(live, token, cookie, n_pages))
    finally:
        live.stop()


async def _follow(
    live: LiveServer, token: str, cookie: str, n_pages: int
) -> tuple[float, int, float]:
    n_events = 0
    auth = {"Authorization": f"Bearer {token}"}
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=live.url, timeout=60, limits=limits) as client:

        async def submit() -> str:
            body = {"device": "simulator", "program": BELL}
            made = await client.post("/v1/jobs", json=body, headers=auth)
            return str(made.raise_for_status().json()["id"])

        waiting = [await submit() for _ in range(_WAITING)]
        job = waiting[-1]

        async def read() -> None:
            nonlocal n_events
            headers = {"Cookie": f"qwicket_session={cookie}"}
            async with client.stream("GET", f"/ui/jobs/{job}/stream", headers=headers) as response:
                assert response.status_code == 200
                async for line in response.aiter_lines():
                    n_events += line == "event: place"

        tasks = [asyncio.create_task(read()) for _ in range(n_pages)]
        await asyncio.sleep(3)
        n_events, before, began = 0, _processor_s(live.process.pid), time.monotonic()
        n_changes = 0
        while time.monotonic() - began < _LOAD_S:
            cancelled = await client.post(f"/v1/jobs/{waiting.pop(0)}/cancel", headers=auth)
            cancelled.raise_for_status()
            await submit()
            n_changes += 2
            await asyncio.sleep(0.1)
        took = time.monotonic() - began
        used = _processor_s(live.process.pid) - before
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return used / took, n_events, n_changes / took


def _processor_s(pid: int) -> float:
    """Return the seconds that a process has used the processor."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def live_updates(bench_db: BenchDatabase) -> dict[str, list[float]]:
    """Return the seconds from a change to each of many browser sessions that show its list.

    Each session is one of its own account, in a tab with its own cookies. Times are from the
    server's time of the submission, which is before its commit, to the changed list in the page.
    """
    at = DataLocation(bench_db.folder, bench_db.url)
    pairs = as_admin(at, _make_accounts)
    live = LiveServer(bench_db.folder / "log", *bench_db.options, "--workers", "0")
    found = {}
    try:
        with (
            tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
            browser(Path(folder)),
            separate_pages(Path(folder), SESSIONS) as pages,
            httpx.Client(base_url=live.url, timeout=60) as client,
        ):
            for page, (cookie, _) in zip(pages, pairs, strict=True):
                named = {"name": "qwicket_session", "value": cookie}
                page.call("Network.setCookie", **named, url=f"{live.url}/ui", path="/ui")
                page.open(f"{live.url}/ui/jobs", width=1440)
            for page in pages:
                page.run(_WATCH)
            jobs = []
            for page, (_, token) in zip(pages, pairs, strict=True):
                jobs.append(_submit(client, token))
                page.wait_for(f"window.seen[{jobs[-1][0]!r}]")
            found["one at a time"] = _times(pages, jobs)
            with ThreadPoolExecutor(SESSIONS) as threads:
                jobs = list(threads.map(lambda pair: _submit(client, pair[1]), pairs))
            found["all at once"] = _times(pages, jobs)
    finally:
        live.stop()
    return found


_WATCH: Final = """
window.seen = {};
new MutationObserver(() => {
  const jobs = document.querySelectorAll("[name=job]");
  for (const each of jobs) window.seen[each.value] ??= Date.now();
}).observe(document.body, { childList: true, subtree: true });
"""


def _times(pages: list[Page], jobs: list[tuple[str, float]]) -> list[float]:
    """Return the seconds from the submission of each job until its page showed it."""
    found = []
    for page, (job, submitted_at) in zip(pages, jobs, strict=True):
        page.wait_for(f"window.seen[{job!r}]")
        found.append(page.run(f"window.seen[{job!r}]") / 1000 - submitted_at)
    return sorted(found)


async def _make_accounts(admin: Admin) -> list[tuple[str, str]]:
    """Make accounts with the secret of a session, and a token."""
    found = []
    for number in range(SESSIONS):
        account = await admin.add_account(f"person-{number}", email=None, password=None)
        secret, now = f"session-{number}", int(1000 * time.time())
        await admin.store.sessions.start(
            *(account.id, digest(secret)), now=now, expires_at=now + 3_600_000, replaced=None
        )
        found.append((secret, (await admin.create_token(account.name)).secret))
    return found


def _submit(client: httpx.Client, token: str) -> tuple[str, float]:
    """Submit a job; return its id and the time of its submission."""
    body = {"device": "simulator", "program": BELL}
    headers = {"Authorization": f"Bearer {token}"}
    job = client.post("/v1/jobs", json=body, headers=headers).raise_for_status().json()
    return job["id"], datetime.fromisoformat(job["created_at"]).timestamp()


def main() -> None:
    """Print the times of live updates, the cost of pages that wait, and a table of pages."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else JOBS
    databases = sys.argv[2:] or DATABASES
    print(f"\n## Live updates in {SESSIONS} sessions\n")
    with bench_databases() as made:
        print("| database | changes | median s | longest s |")
        print("|---|---|--:|--:|")
        for database in databases:
            with made.fresh(database) as bench_db:
                for name, times in live_updates(bench_db).items():
                    middle, longest = statistics.median(times), times[-1]
                    print(f"| {database} | {name} | {middle:.2f} | {longest:.2f} |", flush=True)
        print("\n| database | pages | changes/s | events of each page/s | processor |")
        print("|---|--:|--:|--:|--:|")
        for database in databases:
            for n_pages in (0, 1, SESSIONS):
                with made.fresh(database) as bench_db:
                    share, n_events, rate = waiting_cost(bench_db, n_pages)
                of_each = n_events / _LOAD_S / max(1, n_pages)
                print(
                    f"| {database} | {n_pages} | {rate:.0f} | {of_each:.1f} | {share:.0%} |",
                    flush=True,
                )
        for database in databases:
            with made.fresh(database) as bench_db:
                rows = measure(bench_db, count)
            print(f"\n## {database}, {count:,} jobs\n")
            print("| page | server, median ms | longest ms | kB | first paint ms |")
            print("|---|--:|--:|--:|--:|")
            for each in rows:
                path, _, more = each.path.partition(", ")
                shown = f"`/ui{path}`{', ' if more else ''}{more}"
                paint = "" if each.paint_ms is None else f"{each.paint_ms:.0f}"
                print(
                    f"| {shown} | {each.median_ms:.1f} | {each.longest_ms:.1f} |"
                    f" {each.size / 1000:.1f} | {paint} |"
                )


if __name__ == "__main__":
    main()
