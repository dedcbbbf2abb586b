"""What a document asks for beside its circuits."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwicket.model.errors import InvalidProgram
from qwicket.vendors.ibm.qobj import Settings, settings
from vendors.ibm.unit.qobj.documents import Json, document, experiment, source


def asking(**config: object) -> Json:
    return {"config": config, "header": {}, "instructions": [{"name": "no matter what"}]}


def asked(*experiments: object, **changes: object) -> Settings:
    return settings(source(*experiments, **changes))


def test_the_document_speaks_for_experiments_that_are_silent() -> None:
    config = {"shots": 7, "memory": True, "seed_simulator": 3, "method": "stabilizer"}
    found = asked(asking(), asking(), config=config)
    assert (found.shots, found.seed, found.method) == (7, 3, "stabilizer")
    assert [each.memory for each in found.experiments] == [True, True]


def test_an_experiment_wins_over_the_document() -> None:
    own = asking(shots=9, memory=False, seed_simulator=4, method="statevector")
    config = {"shots": 7, "memory": True, "seed_simulator": 3, "method": "stabilizer"}
    found = asked(own, config=config)
    assert (found.shots, found.seed, found.method) == (9, 4, "statevector")
    assert not found.experiments[0].memory


def test_memory_is_a_matter_of_each_experiment() -> None:
    found = asked(asking(memory=True), asking(), config={})
    assert [each.memory for each in found.experiments] == [True, False]
    assert (found.shots, found.seed, found.method) == (None, None, None)


@pytest.mark.parametrize(
    ("name", "values"),
    [("shots", (1, 2)), ("seed_simulator", (1, None)), ("method", ("automatic", "stabilizer"))],
)
def test_experiments_that_differ_in_what_is_one_for_the_job_are_refused(
    name: str, values: tuple[object, object]
) -> None:
    with pytest.raises(InvalidProgram) as caught:
        asked(*[asking(**{name: value}) for value in values], config={})
    at = f"experiments[1].config.{name}"
    assert caught.value.detail == f"{at} differs from that of experiment 0"
    assert caught.value.field == at


def test_headers_come_back_just_as_they_came() -> None:
    outer = b'{ "backend":\t"\xc3\xa9",  "n": 1.50 }'
    inner = b'{"name" : "a\\u00e9", "creg_sizes": [["c", 2]]}'
    text = source(experiment(header="INNER"), experiment(), header="OUTER")
    text = text.replace(b'"INNER"', inner).replace(b'"OUTER"', outer)
    found = settings(text)
    assert bytes(found.header) == outer
    assert [bytes(each.header) for each in found.experiments] == [inner, b"{}"]
    assert found.qobj_id == "an id"


def test_an_experiment_without_a_header_has_an_empty_one() -> None:
    assert bytes(asked({"instructions": []}).experiments[0].header) == b"{}"


@pytest.mark.parametrize("at", ["header", "experiments[1].header"])
def test_a_header_that_is_no_object_is_refused(at: str) -> None:
    text = (
        source(experiment(), header=[1])
        if at == "header"
        else source(experiment(), experiment(header=5))
    )
    with pytest.raises(InvalidProgram) as caught:
        settings(text)
    assert (caught.value.detail, caught.value.field) == (f"{at} must be an object", at)


def test_a_setting_of_the_wrong_kind_is_refused_by_its_place() -> None:
    with pytest.raises(InvalidProgram) as caught:
        asked(asking(), asking(shots="9"))
    assert caught.value.detail == "experiments[1]: shots must be an integer, not text"
    assert caught.value.field == "experiments[1].config.shots"


@given(st.data())
def test_any_damage_gives_settings_or_a_refusal(data: st.DataObject) -> None:
    text = json.dumps(document(asking(shots=5), asking())).encode()
    at = data.draw(st.integers(0, len(text)))
    cut = data.draw(st.integers(0, 9))
    damaged = text[:at] + data.draw(st.binary(max_size=4)) + text[at + cut :]
    with contextlib.suppress(InvalidProgram):
        assert isinstance(settings(damaged), Settings)
