"""Models that are loaded once: what they say of recordings in memory is what the table of files says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import ecglfm
from ecglfm.app.prediction import FromFiles, Predictor
from ecglfm.config import LEADS, UserError
from ecglfm.data.samples import Held
from ecglfm.models.bundle import save_model
from ecglfm.models.conformal import Conformal
from ecglfm.models.reference import PARTS, Reference
from ecglfm.records import Record
from ecglfm.training.inference import predict_described
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


def test_what_is_unlike_the_training_is_told_and_not_decided(tmp_path: Path) -> None:
    known = [ecglfm.read_record(write_wfdb(tmp_path / "ecgs", f"r{k}", seed=k)) for k in range(8)]
    folders = []
    for seed in range(3):
        model = ecglfm.load_model(make_model(tmp_path / f"m{seed}", seed=seed))
        model.reference = Reference(16, 12)
        model.conformal = Conformal(0.9, (0.5, 0.5), (0.5, 0.5), (20, 20), (20, 20))
        prepared = [Predictor([model]).prepare(record) for record in known]
        _, numbers = predict_described(model, Held([one.signal for one in prepared]))
        model.reference.fit(numbers)
        model.reference.choose(numbers, [{"einthoven_residual"}] * 8, np.arange(8).astype(str), 0.05)
        if seed == 2:  # of three models one calls nothing unlike
            model.reference.limits = dict.fromkeys(PARTS, 1e9)
        folders.append(tmp_path / f"saved{seed}")
        save_model(folders[-1], model, {})
    noise = Record(np.random.default_rng(0).normal(0, 0.3, (2500, 12)), LEADS, 500.0)
    for some in (folders[:1], folders):
        predictor = Predictor.load(some)
        genuine, odd = predictor.answer([predictor.prepare(known[0]), predictor.prepare(noise)])
        assert (genuine["abstained"], genuine["reason"]) == (False, "")
        assert genuine["decision.AF"] == (genuine["probability.AF"] >= 0.4)
        assert genuine["set.AF"] in {"present", "absent", "either"}
        assert odd["abstained"] is True
        assert odd["reason"].startswith("unlike_training: ")
        assert 0 < odd["probability.AF"] < 1
        assert (odd["decision.AF"], odd["set.AF"]) == (None, None)
    predictor = Predictor.load(folders[1:])  # one of two is not most of them
    assert predictor.answer([predictor.prepare(noise)])[0]["abstained"] is False


def test_an_ensemble_of_two_tasks_is_refused(tmp_path: Path) -> None:
    models = [ecglfm.load_model(make_model(tmp_path / kind, kind=kind)) for kind in ("multilabel", "multiclass")]
    with pytest.raises(UserError, match=r"^model 1: its kind of task is not that of model 0; an ensemble is"):
        Predictor(models)


def test_other_numbers_move_probabilities_by_less_than_two_hundredths(tmp_path: Path) -> None:
    """On a processor TF32 is float32; bfloat16 is not, and what is held against the reference stays float32."""
    folder = make_model(tmp_path / "m")
    model = ecglfm.load_model(folder)
    model.head.weight.data.mul_(8.0)
    model.head.bias.data = 8 * torch.tensor([1.06, 1.66])  # logits about 0, so that probabilities go from 0.1 to 0.9
    save_model(folder, model, {})
    for k in range(8):
        write_wfdb(tmp_path / "ecgs", f"r{k}", seed=k)
    reader = FromFiles()
    recordings = reader.find([tmp_path / "ecgs"])
    columns = ["probability.AF", "probability.LBBB"]
    said = {
        precision: Predictor.load([folder], precision=precision).table(recordings, reader)[columns].to_numpy()
        for precision in ("fp32", "tf32", "bf16")
    }
    assert np.ptp(said["fp32"]) > 0.3
    assert (said["tf32"] == said["fp32"]).all()
    assert 0 < np.abs(said["bf16"] - said["fp32"]).max() < 0.02
    prepared = [Predictor([model]).prepare(ecglfm.read_record(one.name)) for one in recordings]
    held = Held([one.signal for one in prepared])
    (_, plain), (_, half) = (predict_described(model, held, precision=precision) for precision in ("fp32", "bf16"))
    assert (plain[:, 16:] == half[:, 16:]).all()
    assert (plain[:, :16] != half[:, :16]).any()


def test_layers_are_compiled_where_asked(tmp_path: Path, monkeypatch) -> None:
    asked = []
    monkeypatch.setattr("ecglfm.training.inference.compile_layers", lambda encoder, **_: asked.append(encoder))
    folder = make_model(tmp_path / "m")
    Predictor.load([folder])
    assert asked == []
    predictor = Predictor.load([folder], compiled=True)
    assert asked == [predictor.models[0].encoder]
