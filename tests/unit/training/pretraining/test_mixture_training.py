"""A pretraining on sources by shares: they are held, and an interruption changes nothing."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

from ecglfm.config import UserError
from ecglfm.training.pretraining.batches import pair_batches
from tests.unit.training.pretraining.small_pretraining import StopAfter, encoder_slice, history, pretrain, weights

MIXTURE = {"db": 0.75, "other": 0.25}


@pytest.fixture
def two(prepared: Path, tmp_path: Path) -> Path:
    """The last 28 of the 40 patients are of a source of their own; of the 32 that train 20, of 12 of the first."""
    folder = tmp_path / "two"
    shutil.copytree(prepared, folder)
    shutil.copytree(folder / "preprocess/db", folder / "preprocess/other")
    records = pd.read_parquet(folder / "records.parquet")
    records["source"] = records["source"].where(records["patient_id"] < "db/12", "other")
    records.to_parquet(folder / "records.parquet")
    return folder


def test_each_source_has_its_share_and_validation_is_as_ever(two: Path) -> None:
    records, slice_ = pd.read_parquet(two / "records.parquet"), encoder_slice(mixture=MIXTURE)
    train, valid = pair_batches(slice_, records, two / "preprocess")
    rows = [train.crops(step).rows[::2] for step in range(16)]  # two epochs of 32 draws
    for step, batch in enumerate(rows):  # whose its pairs are, since somebody may stand in a batch twice
        names = records["patient_id"].iloc[batch].to_numpy()
        told = train[step]["patient"].numpy()
        assert ((names[:, None] == names) == (told[:, None] == told)).all()
    for batch in rows:
        assert Counter(records["source"].iloc[batch]) == {"db": 3, "other": 1}
    for epoch in (rows[:8], rows[8:]):
        times = Counter(records["patient_id"].iloc[[row for batch in epoch for row in batch]])
        assert sorted(times[f"db/{patient:02d}"] for patient in range(12)) == [2] * 12  # 24 of 12
        assert sorted(times[f"db/{patient:02d}"] for patient in range(12, 32)) == [0] * 12 + [1] * 8
    assert valid is not None
    assert "patient" not in valid[0]
    assert len(valid.sampler) == 8
    without = pair_batches(encoder_slice(), records, two / "preprocess")[1]
    assert without is not None
    assert [valid.crops(k).rows.tolist() for k in range(2)] == [without.crops(k).rows.tolist() for k in range(2)]


def test_a_mixture_resumes_bit_for_bit_and_is_told(two: Path, tmp_path: Path) -> None:
    options = {"mixture": MIXTURE, "steps": 10, "checkpoint_every": {"steps": 2}}  # more than an epoch of 8
    assert pretrain(two, tmp_path / "calm", **options) == 0
    assert pretrain(two, tmp_path / "stopped", stop=StopAfter(9), **options) == 75
    assert pretrain(two, tmp_path / "stopped", num_workers=1, **options) == 0
    assert weights(tmp_path / "stopped") == weights(tmp_path / "calm")
    pd.testing.assert_frame_equal(history(tmp_path / "stopped"), history(tmp_path / "calm"))
    info = json.loads((tmp_path / "calm/encoder.json").read_text())
    assert info["pretrain"]["mixture"] == MIXTURE
    assert info["training"]["draws_per_epoch"] == {"db": 24, "other": 8}
    pretrain(two, tmp_path / "plain", **{key: value for key, value in options.items() if key != "mixture"})
    assert weights(tmp_path / "plain") != weights(tmp_path / "calm")
    assert "draws_per_epoch" not in json.loads((tmp_path / "plain/encoder.json").read_text())["training"]


def test_a_source_without_pairs_is_refused_before_it_begins(two: Path, tmp_path: Path) -> None:
    records = pd.read_parquet(two / "records.parquet")
    records.loc[records["source"] == "other", "split"] = "valid"
    records.to_parquet(two / "records.parquet")
    with pytest.raises(UserError, match="mixture: other: no patient of it makes pairs; leave it out"):
        pretrain(two, tmp_path, mixture=MIXTURE)
