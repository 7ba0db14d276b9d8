"""Pairs of a pretraining: those of train and valid, with reports where there are some, and no validation of nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ecglfm.data.loading import ReportVectors
from ecglfm.training.pretraining.batches import pair_batches
from tests.unit.training.pretraining.small_pretraining import encoder_slice


def test_each_split_has_its_patients_and_the_reports_of_its_recordings(prepared: Path) -> None:
    records = pd.read_parquet(prepared / "records.parquet")
    reports = ReportVectors(np.arange(80), np.arange(80, dtype=np.float32)[:, None])
    train, valid = pair_batches(encoder_slice(), records, prepared / "preprocess", reports)
    assert valid is not None
    assert (len(train.sampler), len(valid.sampler)) == (32, 8)
    for batches, first, last in ((train, 0, 64), (valid, 64, 80)):
        batch = batches[0]
        assert batch["report"].tolist() == batches.crops(0).rows.tolist()
        assert batch["report_vector"][:, 0].tolist() == batch["report"].tolist()
        assert batch["report"].min() >= first
        assert batch["report"].max() < last
    assert "report" not in pair_batches(encoder_slice(), records, prepared / "preprocess")[0][0]
    assert train.batch_bytes == 8 * (200 * 3 * 2 + 4)


def test_a_split_without_pairs_is_no_validation(prepared: Path, caplog: pytest.LogCaptureFixture) -> None:
    records = pd.read_parquet(prepared / "records.parquet")
    records = records[records["split"] == "train"].reset_index(drop=True)
    assert pair_batches(encoder_slice(), records, prepared / "preprocess")[1] is None
    assert caplog.messages[-1] == "the validation split has 0 pairs: no validation"
