"""The risk until a time is that of the model's own baseline hazard, by hand, and is not said where none is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import ecglfm
from ecglfm.app.prediction import Predictor, percents
from ecglfm.config import UserError
from ecglfm.models.baseline_hazard import BaselineHazard
from ecglfm.models.bundle import save_model
from tests.unit.app.prediction.test_predict import make_model, predict, write_wfdb

HF = BaselineHazard((1.0, 2.5), (0.1, 0.3), 6.0, (1.0, 2.5), 1.0, (-1.0, 0.0, 1.0))


def make_survival(folder: Path, *, seed: int = 0, baselines: tuple[BaselineHazard | None, ...] = (HF, HF)) -> Path:
    """A model of two labels; without `baselines` one of before."""
    model = ecglfm.load_model(make_model(folder, seed=seed, kind="survival", labels=["HF", "AF"]))
    model.baselines = list(baselines)
    save_model(folder, model, {"task": "t", "fit": "full-s0"})
    return folder


@pytest.fixture
def ecg(tmp_path: Path) -> Path:
    return write_wfdb(tmp_path / "ecgs", "a")


def test_a_risk_by_hand_at_the_models_times_and_at_others(tmp_path: Path, ecg: Path):
    model = ecglfm.load_model(make_survival(tmp_path / "m"))
    (row,) = model.predict(ecg).to_dict("records")
    assert [key for key in row if key.endswith(".HF")] == ["risk.HF", "within_1.HF", "within_2.5.HF"]
    ratio = np.exp(row["risk.HF"])
    assert row["within_1.HF"] == pytest.approx(1 - np.exp(-0.1 * ratio))
    assert row["within_2.5.HF"] == pytest.approx(1 - np.exp(-0.3 * ratio))
    (row,) = model.predict(ecg, at=[5, 0.5, 5]).to_dict("records")
    assert [key for key in row if key.endswith(".HF")] == ["risk.HF", "within_0.5.HF", "within_5.HF"]
    assert (row["within_0.5.HF"], row["within_5.HF"]) == (0.0, pytest.approx(1 - np.exp(-0.3 * ratio)))


def test_several_models_say_the_mean_of_their_probabilities(tmp_path: Path, ecg: Path):
    other = BaselineHazard((2.0,), (2.0,), 2.2, (2.0,), 1.0, (-1.0, 0.0, 1.0))
    folders = [make_survival(tmp_path / "a"), make_survival(tmp_path / "b", seed=1, baselines=(other, other))]
    record = ecglfm.read_record(ecg)
    single = [ecglfm.load_model(folder).predict(record)["risk.HF"][0] for folder in folders]
    predictor = Predictor.load(folders)
    (row,) = predictor.answer([predictor.prepare(record)])
    assert "within_2.5.HF" not in row  # the second saw nobody so long
    assert row["within_1.HF"] == pytest.approx((1 - np.exp(-0.1 * np.exp(single[0])) + 0) / 2)
    with pytest.raises(
        UserError, match=r"b: no risk of HF is known at 5: its validation patients were followed for 2.2"
    ):
        Predictor.load(folders, at=[2, 5])


def test_a_model_of_before_ranks_and_says_why_it_says_no_risk(tmp_path: Path, ecg: Path, capsys):
    folder = make_survival(tmp_path / "m", baselines=())
    assert predict("--model", folder, ecg, "--output", tmp_path / "p.csv") == 0
    assert [name for name in pd.read_csv(tmp_path / "p.csv") if "within" in name] == []
    assert predict("--model", folder, ecg, "--at", 1, "--output", tmp_path / "q.csv") == 1
    error = capsys.readouterr().err
    assert "keeps no baseline hazard of HF" in error
    assert error.count("\n") == 1
    assert not (tmp_path / "q.csv").exists()
    partly = ecglfm.load_model(make_survival(tmp_path / "n", baselines=(None, HF))).predict(ecg)
    assert [name for name in partly if "within" in name] == ["within_1.AF", "within_2.5.AF"]


@pytest.mark.parametrize("at", ["0", "-1", "nan", "inf", "soon"])
def test_what_is_no_time_is_said(tmp_path: Path, capsys, at: str):
    with pytest.raises(SystemExit):
        predict("--model", tmp_path, tmp_path, "--output", "p.csv", "--at", at)
    assert f"argument --at: {at} is no time above 0" in capsys.readouterr().err


def test_classes_have_no_time(tmp_path: Path, ecg: Path, capsys):
    assert predict("--model", make_model(tmp_path / "m"), ecg, "--at", 1, "--output", tmp_path / "p.csv") == 1
    assert "a model of `kind: multilabel` says none" in capsys.readouterr().err


def test_a_recording_without_an_answer_has_no_risk(tmp_path: Path):
    predictor = Predictor.load([make_survival(tmp_path / "m")])
    unknown = predictor.prepare(ecglfm.records.Record(np.zeros((2500, 1)), ("X",), 500.0))
    (row,) = predictor.answer([unknown])
    assert (row["risk.HF"], row["within_1.HF"], percents(row, "HF")) == (None, None, [])


def test_percents_for_people():
    row = {"risk.HF": 1.0, "within_1.HF": 0.123, "within_2.5.HF": 0.0042, "within_5.HF": 0.998, "within_1.old.HF": 0.5}
    assert percents(row, "HF") == ["12 % within 1", "0.4 % within 2.5", "99.8 % within 5"]
    assert percents(row, "old.HF") == ["50 % within 1"]
    assert percents({"within_0.839151.HF": 0.2, "within_3652.5.HF": 0.3}, "HF") == [
        "20 % within 0.839",
        "30 % within 3652",
    ]
