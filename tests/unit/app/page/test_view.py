"""What is said of a recording: the model's own numbers, differences by hand, and sentences where there are none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import wfdb

import ecglfm
from ecglfm.app.page.form import Form, PageError
from ecglfm.app.page.view import NONE, answer
from ecglfm.app.prediction import Predictor
from ecglfm.config import LEADS
from tests.unit.app.page.conftest import Page, recording
from tests.unit.app.prediction.test_horizons import make_survival


def form_of(now: Path, before: Path | None = None, **fields: str) -> Form:
    files = {which: {name: content for _, name, content in recording(which, path)} if path else {}
             for which, path in (("now", now), ("before", before))}  # fmt: skip
    return Form(files, fields)


def test_numbers_are_those_of_the_model_and_their_difference(page: Page):
    found = answer(page.predictor, form_of(*page.ecgs, label=NONE))
    now, before = page.predictor.answer([page.predictor.prepare(ecglfm.read_record(path)) for path in page.ecgs])
    rows = {row["label"]: row for row in found.rows()}
    assert set(rows) == {"AF", "LBBB"}
    for label, row in rows.items():
        key = f"probability.{label}"
        assert row["value"] == f"{now[key]:.3f}"
        assert row["before"] == f"{before[key]:.3f}"
        assert float(row["difference"].replace("−", "-")) == pytest.approx(now[key] - before[key], abs=6e-4)
        assert row["decision"] == ("yes" if now[key] >= now[f"threshold.{label}"] else "no")
    assert (rows["AF"]["threshold"], rows["LBBB"]["threshold"]) == ("0.400", "0.600")
    assert rows["AF"]["set"] == {"present": "present", "either": "present or absent", "absent": "absent"}[now["set.AF"]]
    assert rows["LBBB"]["set"] == "too few patients"
    assert found.explanation is None
    margins = {label: now[f"probability.{label}"] - now[f"threshold.{label}"] for label in rows}
    explained = answer(page.predictor, form_of(page.ecgs[0])).explanation
    assert explained is not None
    assert explained.label == max(margins, key=margins.__getitem__)


def test_noise_is_not_decided_and_a_sheet_of_each_is_in_the_pdf(page: Page, tmp_path: Path):
    noise = np.random.default_rng(0).normal(0, 0.3, (2500, 12))
    wfdb.wrsamp("noise", fs=500, units=["mV"] * 12, sig_name=list(LEADS), p_signal=noise, fmt=["16"] * 12,
                write_dir=str(tmp_path))  # fmt: skip
    found = answer(page.predictor, form_of(tmp_path / "noise", page.ecgs[0], label="LBBB"))
    assert found.verdict().startswith("No decision: unlike training: ")
    assert {row["decision"] for row in found.rows()} == {"–"}
    content = found.pdf("m")
    assert content.startswith(b"%PDF")
    assert content.count(b"/Type /Page\n") + content.count(b"/Type /Page ") == 3
    assert answer(page.predictor, form_of(page.ecgs[0], label=NONE)).pdf("m").count(b"/Type /Page ") == 1


def _without_samples(folder: Path) -> Form:
    return Form({"now": {"a.hea": b"a 1 500 10\na.dat 16 1000/mV 16 0 0 0 0 I\n"}, "before": {}})


def _long(rate: int, samples: int) -> Callable[[Path], Form]:
    head = f"a 1 {rate} {samples}\na.dat 16 1000/mV 16 0 0 0 0 I\n".encode()
    return lambda folder: Form({"now": {"a.hea": head, "a.dat": bytes(2 * samples)}, "before": {}})


def _exams(folder: Path) -> Form:
    with h5py.File(folder / "x.hdf5", "w") as file:
        file["exam_id"] = np.array([7, 8])
        file["tracings"] = np.zeros((2, 4096, 12), np.float32)
    return Form({"now": {"x.hdf5": (folder / "x.hdf5").read_bytes()}, "before": {}})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda _: Form(), "No recording was chosen"),
        (lambda _: Form({"now": {"a.dat": b"x"}, "before": {}}), "a.dat came without its header"),
        (lambda _: Form({"now": {"a.xml": b"<a/>"}, "before": {}}), r"^a\.xml: "),
        (_without_samples, r"^a: signal_missing: .*; choose it together with its header\.$"),
        (_long(100, 30001), r"^a: lasts 300 s; at most 300 s are shown; `ecglfm predict` takes any length\.$"),
        (_long(10000, 600001), "^a: 600001 samples a lead; at most 600000 are shown; `ecglfm predict`"),
        (_exams, "2 recordings; write the number of one, such as 7, into the field"),
    ],
)
def test_what_cannot_be_answered_is_a_sentence(
    page: Page, tmp_path: Path, temporary: Path, make: Callable[[Path], Form], message: str
):
    with pytest.raises(PageError, match=message) as error:
        answer(page.predictor, make(tmp_path))
    assert str(temporary) not in str(error.value)
    assert not list(temporary.iterdir())


def test_one_recording_of_several_and_a_label_that_is_none(page: Page, tmp_path: Path):
    form = _exams(tmp_path)
    form.fields |= {"now_exam": "8"}
    flat = answer(page.predictor, form)
    assert flat.now.subject.name == "x.hdf5#8"
    assert flat.verdict().startswith("No decision: ")
    assert flat.unexplained.startswith("x.hdf5#8: no answer to explain")
    form.fields |= {"now_exam": "9"}
    with pytest.raises(PageError, match="no exam 9"):
        answer(page.predictor, form)
    with pytest.raises(PageError, match="no label MI"):
        answer(page.predictor, form_of(page.ecgs[0], label="MI"))
    two = form_of(page.ecgs[0])
    two.files["now"] |= form_of(page.ecgs[1]).files["now"]
    with pytest.raises(PageError, match="2 recordings; choose the files of one"):
        answer(page.predictor, two)


def test_a_survival_model_says_its_risk_in_percent(page: Page, tmp_path: Path):
    predictor = Predictor.load([make_survival(tmp_path / "m")], at=[5])
    found = answer(predictor, form_of(page.ecgs[0], label=NONE))
    (row,) = predictor.answer([predictor.prepare(ecglfm.read_record(page.ecgs[0]))])
    shown = {one["label"]: one for one in found.rows()}
    assert shown["HF"]["within"] == f"{100 * row['within_5.HF']:.1f} % within 5"
    assert found.columns == {"threshold": False, "set": False, "within": True}
    assert found.shown()["output"] == "log hazard ratio"
    old = Predictor.load([make_survival(tmp_path / "old", baselines=())])
    assert not answer(old, form_of(page.ecgs[0], label=NONE)).columns["within"]
