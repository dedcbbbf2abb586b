"""Times of the pages with a million jobs, and of a browser's first paint.

`python -m benchmarks.pages [JOBS]` prints how soon fifty browser sessions show a change, and a row
for each page: the server's time, the bytes sent, and Chromium's first paint without a cache. It
takes some minutes.
"""

from __future__ import annotations

import re
import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple

import httpx

import qwicket
from benchmarks.bench_databases import DATABASES, BenchDatabase, bench_databases
from qwicket.cli.options import DataLocation, as_admin
from qwicket.gateway.admin import Admin
from qwicket.gateway.signin import digest
from qwicket.pages.jobs import render_count
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
    "/devices",
    "/devices/qwicket_heavyhex27",
    "/projects",
    "/projects/bench-0",
    "/projects/bench-0/webhooks",
    "/try",
    "/clients",
    "/admin",
    "/admin/accounts",
    "/admin/tokens?account=bench-0",
    "/admin/jobs",
    "/admin/jobs?state=failed",
    "/admin/devices",
    "/admin/projects",
    "/admin/usage",
    "/admin/export?project=bench-0",
    "/admin/audit",
)
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
            rows = [row(client, page, live.url, path.format(job=job.id)) for path in _PAGES]
            return [*rows, number_row(client, count // 10)]
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


def number_row(client: httpx.Client, count: int) -> Row:
    """Measure the page that counts the jobs before a change of all that match."""
    field = FIELD.search(client.get("/ui/jobs").text)
    assert field is not None
    form = {"csrf": field[1], "of": "all", "search": "device=simulator", "action": "delete"}
    times = []
    for _ in range(RUNS + 1):
        began = time.perf_counter()
        response = client.post("/ui/jobs/confirm", data=form)
        times.append(1000 * (time.perf_counter() - began))
        assert render_count(count + 1) in response.text
    size = len(response.content)
    return Row("/jobs/confirm", statistics.median(times[1:]), max(times[1:]), size, None)


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
        await admin._store.sessions.start(
            *(account.id, digest(secret)), now=now, expires_at=now + 3_600_000, ended=None
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
    """Print the times of live updates, and a table of pages for each database."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else JOBS
    with bench_databases() as made:
        print(f"\n## Live updates in {SESSIONS} sessions\n")
        print("| database | changes | median s | longest s |")
        print("|---|---|--:|--:|")
        for database in DATABASES:
            with made.fresh(database) as bench_db:
                for name, times in live_updates(bench_db).items():
                    middle, longest = statistics.median(times), times[-1]
                    print(f"| {database} | {name} | {middle:.2f} | {longest:.2f} |")
    with bench_databases() as made:
        for database in DATABASES:
            with made.fresh(database) as bench_db:
                rows = measure(bench_db, count)
            print(f"\n## {database}, {count:,} jobs\n")
            print("| page | server, median ms | longest ms | kB | first paint ms |")
            print("|---|--:|--:|--:|--:|")
            for each in rows:
                shown = f"`/ui{each.path}`"
                paint = "" if each.paint_ms is None else f"{each.paint_ms:.0f}"
                print(
                    f"| {shown} | {each.median_ms:.1f} | {each.longest_ms:.1f} |"
                    f" {each.size / 1000:.1f} | {paint} |"
                )


if __name__ == "__main__":
    main()
