"""What notebooks and plots show: tables of lists, titles, and never a server's markup."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

import pytest

from qwicket.clients.native import Result
from qwicket.clients.native.operations import check_options
from qwicket.clients.native.results import Part
from qwicket.clients.native.views import DeviceView, JobView, Listing
from qwicket.job_card import job_card
from qwicket.schema.jobs import JobBody

Shown = JobView | DeviceView | Listing[JobView] | Listing[DeviceView] | Result
HOSTILE = "<script>alert(1)</script><img src=x onerror='a'>&\"'"
ID = "01a1fc34-7a5e-7cc3-98c4-dc0c0c07398f"


class Tags(HTMLParser):
    """The tags of a page, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.text = ""
        self.links: list[str | None] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.links += [value for name, value in attrs if name == "href"]
        assert not [name for name, _ in attrs if name.startswith("on")]

    def handle_data(self, data: str) -> None:
        self.text += data


def job(**fields: Any) -> JobView:
    return JobView({"id": ID, "state": "completed", **fields})


def device(**fields: Any) -> DeviceView:
    return DeviceView({"name": "simulator", "status": "on", **fields})


SHOWN: dict[str, Shown] = {
    "job": job(device=HOSTILE, name=HOSTILE, created_at=HOSTILE),
    "device": device(
        name=HOSTILE, status=HOSTILE, family=HOSTILE, description=HOSTILE, formats=[HOSTILE]
    ),
    "jobs": Listing([job(device=HOSTILE, name=HOSTILE, created_at=HOSTILE)]),
    "devices": Listing([device(name=HOSTILE, family=HOSTILE, description=HOSTILE)]),
    "counts": Result(ID, (Part(counts={HOSTILE: 3}),), HOSTILE),
    "memory": Result(ID, (Part(memory=[HOSTILE]),)),
    "error": Result(ID, (Part(error=HOSTILE), Part(probabilities={HOSTILE: 1.0}))),
}


@pytest.mark.parametrize("name", SHOWN)
def test_nothing_that_a_server_says_is_markup_in_a_notebook(name: str) -> None:
    page = Tags(SHOWN[name]._repr_html_())
    assert page.names <= {"table", "tr", "th", "td", "div", "code", "p", "a"}
    assert "<script>" in page.text or name == "jobs"


def test_lists_of_jobs_and_devices_are_tables_in_a_notebook() -> None:
    jobs = Listing([job(device="simulator", shots=100, created_at="2026-11-21T06:19:46Z")])
    page = Tags(jobs._repr_html_())
    assert page.text == (f"jobdevicestatenameshotscreated{ID}simulatorcompleted1002026-11-21 06:19")
    devices = Listing([device(family="qubit", qubits=29), device(name="clifford")])
    page = Tags(devices._repr_html_())
    assert "simulatorqubit29on" in page.text
    assert "clifford" in page.text
    assert Tags(Listing([])._repr_html_()).text == ""


def test_the_card_of_a_job_links_to_its_page() -> None:
    assert (job().url, Tags(job()._repr_html_()).links) == ("", [])
    of_server = job(url='https://lab.example/"><script>')
    assert Tags(of_server._repr_html_()).links == [of_server.url]
    of_older_server = JobView({"id": "../a", "state": "queued"}, "http://q")
    assert Tags(of_older_server._repr_html_()).links == ["http://q/ui/jobs/..%2Fa"]
    assert Tags(job_card(JobBody(id=ID, state="queued", url="javascript:alert(1)"))).links == []


def test_a_list_stays_a_list() -> None:
    jobs = Listing([job()])
    assert jobs == [jobs[0]]
    assert repr(jobs) == f"[<JobView {ID} completed>]"


class Axes:
    """What matplotlib's axes are asked to draw."""

    def __init__(self) -> None:
        self.drawn: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        return lambda *args, **options: self.drawn.update({name: (args, options)})

    def said(self, name: str) -> Any:
        return self.drawn[name][0][0]


COUNTS = {"00": 40, "01": 2, "11": 58}


def test_a_plot_says_device_shots_and_axes() -> None:
    axes = Result(ID, (Part(counts=COUNTS),), "simulator").plot(Axes())
    assert axes.said("set_title") == "simulator, 100 shots"
    assert (axes.said("set_xlabel"), axes.said("set_ylabel")) == ("outcome", "shots")
    named = Result(ID, (Part(counts=COUNTS),), "simulator").plot(Axes(), title="Bell")
    assert named.said("set_title") == "Bell"
    assert Part(counts={"0": 1}).plot(Axes()).said("set_title") == "1 shot"
    few = Part(counts=COUNTS).plot(Axes(), top=2)
    assert few.said("set_title") == "100 shots\n1 rarer outcomes omitted"


@pytest.mark.parametrize(
    ("sort", "labels"), [("key", ["00", "01", "11"]), ("height", ["11", "00", "01"])]
)
def test_bars_are_in_the_requested_order(sort: Any, labels: list[str]) -> None:
    axes = Result(ID, (Part(counts=COUNTS),)).plot(Axes(), sort=sort)
    assert axes.drawn["set_xticks"][0][1] == labels


def test_an_order_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="sort must be 'key' or 'height', not 'size'"):
        Part(counts=COUNTS).plot(Axes(), sort="size")  # type: ignore[arg-type]  # on purpose


def test_the_plot_of_a_batch_says_how_to_plot_one() -> None:
    with pytest.raises(ValueError, match=r"has 2 circuits. .* result\[0\]\.plot\(\)"):
        Result(ID, (Part(counts=COUNTS), Part(counts=COUNTS))).plot()


@pytest.mark.parametrize(
    ("word", "near"), [("shot", "'shots'"), ("sed", "'seed'"), ("output", "'outputs'")]
)
def test_an_unknown_option_is_named_with_a_similar_one(word: str, near: str) -> None:
    with pytest.raises(TypeError) as caught:
        check_options("run", {word: 3})
    assert str(caught.value) == f"run() has no argument {word!r}. Did you mean {near}?"


def test_an_unknown_option_without_a_similar_one_is_named() -> None:
    with pytest.raises(TypeError, match=r"^run\(\) has no argument 'colour'\.$"):
        check_options("run", {"colour": 3})
