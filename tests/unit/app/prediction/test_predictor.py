"""Models that are loaded once: what they say of recordings in memory is what the table of files says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import ecglfm
from ecglfm.app.prediction import FromFiles, Predictor
from ecglfm.config import UserError
from ecglfm.records import Record
from tests.unit.app.prediction.test_predict import make_model, write_wfdb


def test_recordings_in_memory_get_the_rows_of_files(tmp_path: Path) -> None:
    for k in range(3):
        write_wfdb(tmp_path / "ecgs", f"r{k}", seconds=3 + k, rate=(500, 400, 250)[k], seed=k)
    predictor = Predictor.load([make_model(tmp_path / f"m{seed}", seed=seed) for seed in range(2)])
    reader = FromFiles()
    table = predictor.table(reader.find([tmp_path / "ecgs"]), reader)
    assert len(table) == 3
    prepared = [predictor.prepare(ecglfm.read_record(name), name=name) for name in table["record"]]
    pd.testing.assert_frame_equal(pd.DataFrame(predictor.answer(prepared)), table)


def test_a_recording_in_memory_without_an_answer(tmp_path: Path) -> None:
    predictor = Predictor.load([make_model(tmp_path / "model")])
    unknown = predictor.prepare(Record(np.zeros((2500, 1)), ("X",), 500.0), name="a", patient_id="p")
    (row,) = predictor.answer([unknown])
    assert row["reason"].startswith("lead_missing: ")
    assert (row["record"], row["patient_id"], row["abstained"]) == ("a", "p", True)
    assert (row["probability.AF"], row["threshold.AF"], row["decision.AF"]) == (None, 0.4, None)
    assert predictor.answer([]) == []


def test_an_ensemble_of_two_tasks_is_refused(tmp_path: Path) -> None:
    models = [ecglfm.load_model(make_model(tmp_path / kind, kind=kind)) for kind in ("multilabel", "multiclass")]
    with pytest.raises(UserError, match=r"^model 1: its kind of task is not that of model 0; an ensemble is"):
        Predictor(models)
