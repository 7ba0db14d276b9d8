"""Which recordings a model is shown with, and what is drawn of them."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from ecglfm.config import CardConfig, UserError
from ecglfm.evaluation import attribution
from ecglfm.evaluation.report import examples
from ecglfm.evaluation.report.beat_sections import explainable
from ecglfm.evaluation.report.examples import Example, draw_examples, read_examples, write_examples
from ecglfm.provenance import write_json
from tests.unit.evaluation.report.conftest import FIT

METRICS = {"thresholds": {}, "label_names": ["AF", "LBBB"]}


@pytest.mark.parametrize(
    ("probability", "threshold", "said"),
    [
        (0.1, 0.5, "probability 0.10, called from 0.50"),
        (0.486, 0.4893, "probability 0.486, called from 0.489"),  # of two digits a miss would look like a hit
        (0.48926, 0.48934, "probability 0.4893, called from 0.4893"),
        (0.5, 0.5, "probability 0.50, called from 0.50"),
    ],
)
def test_a_probability_is_told_apart_from_its_threshold(probability: float, threshold: float, said: str) -> None:
    assert examples.called(probability, threshold) == said


def test_a_hit_a_false_alarm_and_a_miss_of_a_label(modelled: Path, monkeypatch: pytest.MonkeyPatch):
    drawn: list[list[Example]] = []
    paint = examples.draw_examples

    def draw(found: list[Example], leads: list[str], fs: float):
        drawn.append(found)
        return paint(found, leads, fs)

    monkeypatch.setattr(examples, "draw_examples", draw)
    folder = modelled / "evaluate" / FIT.path / "examples"
    folder.mkdir()
    (folder / "7.png").write_bytes(b"of an earlier run")
    write_examples(explainable(modelled, FIT, METRICS, CardConfig(records=1, labels=1)), folder)
    (found,) = drawn
    hit, alarm, miss = (one.title for one in found)
    assert hit in {f"Hit (1 of 2): alpha/{n}, probability 0.90, called from 0.50" for n in (0, 3)}
    assert alarm == "False alarm (1 of 1): alpha/1, probability 0.90, called from 0.50"
    assert miss == "Miss (1 of 1): alpha/2, probability 0.10, called from 0.50"
    assert sorted(path.name for path in folder.iterdir()) == ["0.png", "examples.json"]
    read = read_examples(folder)
    assert read is not None
    (label,) = read["labels"]
    assert (label["name"], label["records"], read["left_out"]) == ("AF", 3, ["LBBB"])
    assert label["picture"].startswith("data:image/png;base64,")


def test_what_cannot_be_explained_is_named_and_the_next_takes_its_place(
    modelled: Path, monkeypatch: pytest.MonkeyPatch
):
    """Of the two hits the one that is drawn first, and the only miss."""
    explain, calls = attribution.attribute, []

    def attribute(*args: object, **options: object):
        calls.append(args)
        if len(calls) in (1, 4):  # a hit, the other hit, a false alarm, the miss
            raise UserError("does not add up")
        return explain(*args, **options)

    monkeypatch.setattr(attribution, "attribute", attribute)
    folder = modelled / "evaluate" / FIT.path / "examples"
    write_examples(explainable(modelled, FIT, METRICS, CardConfig(records=1, labels=1)), folder)
    read = read_examples(folder)
    assert read is not None
    (label,) = read["labels"]
    first = min(("alpha/0", "alpha/3"), key=lambda name: hashlib.sha256(name.encode()).digest())
    assert (label["records"], label["passed_over"]) == (2, [f"Hit {first}", "Miss alpha/2"])


def test_the_two_leads_that_count_most_are_drawn_in_their_order():
    signal_mv = np.zeros((1000, 3))
    signal_mv[100] = [0.5, 2.0, -1.0]
    values = np.zeros((1000, 3))
    values[100] = [0.3, 0.1, -0.9]
    one = Example("Hit (1 of 1): a", signal_mv, values)
    assert one.strongest().tolist() == [0, 2]
    figure = draw_examples([one], ["I", "II", "V1"], 100.0)
    assert [text.get_text() for text in figure.texts] == ["Hit (1 of 1): a"]
    assert [axes.texts[0].get_text() for axes in figure.axes] == ["I", "V1"]
    assert figure.axes[1].lines[0].get_ydata().min() == -1.0


def test_where_there_are_none_a_sentence_says_why(tmp_path: Path):
    assert read_examples(tmp_path) is None
    write_examples(explainable(tmp_path, FIT, METRICS, CardConfig(records=0)), tmp_path / "examples")
    assert read_examples(tmp_path / "examples") == {"reason": "Not wanted: card.records is 0."}
    write_json(tmp_path / "examples.json", {"labels": [{"name": "AF", "picture": None, "records": 0}], "left_out": []})
    assert read_examples(tmp_path)["labels"][0]["picture"] is None
