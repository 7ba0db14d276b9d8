"""A pretraining of an encoder with an input contract: the same to the bit where that does nothing, and it resumes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.signal import resample_poly

from ecglfm.config import EncoderSlice, InputConfig, UserError, parse
from ecglfm.data.loading import on_device
from ecglfm.models.bundle import load_encoder, save_encoder
from ecglfm.provenance import read_json
from ecglfm.training.pretraining.batches import pair_batches
from ecglfm.training.pretraining.pretrain import Pretraining
from tests.unit.training.pretraining.small_pretraining import (
    LEADS,
    StopAfter,
    encoder_slice,
    history,
    pretrain,
    weights,
)

SAME = {"leads": LEADS, "sampling_rate": 100, "window_seconds": 2}
HALVED = {
    "leads": ["V1", "II", "I"], "sampling_rate": 50, "window_seconds": 2, "unit": "standardised",
    "record": [{"step": "resample", "rate": 50}], "window": [{"step": "standardize"}],
}  # fmt: skip


def with_input(input_: dict[str, Any] | None, **config: Any) -> EncoderSlice:
    content = encoder_slice().model_dump()
    content["config"] |= {"input": input_} | config
    return EncoderSlice.model_validate(content)


@pytest.fixture(scope="module")
def halved(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("halved")
    assert pretrain(prepared, output, slice_=with_input(HALVED)) == 0
    return output


def test_a_contract_that_does_nothing_changes_no_bit(prepared: Path, tmp_path: Path) -> None:
    for name, input_ in (("with", SAME), ("without", None)):
        assert pretrain(prepared, tmp_path / name, slice_=with_input(input_)) == 0
    assert weights(tmp_path / "with") == weights(tmp_path / "without")
    pd.testing.assert_frame_equal(history(tmp_path / "with"), history(tmp_path / "without"))
    one, other = (read_json(tmp_path / name / "encoder.json") for name in ("with", "without"))
    assert one["config_hash"] != other["config_hash"]
    assert one.pop("input")["leads"] == LEADS
    assert one | {"config_hash": other["config_hash"]} == other


def test_it_resumes_bit_for_bit(prepared: Path, halved: Path, tmp_path: Path, caplog) -> None:
    caplog.set_level("INFO")
    assert pretrain(prepared, tmp_path, stop=StopAfter(5), slice_=with_input(HALVED)) == 75
    assert pretrain(prepared, tmp_path, slice_=with_input(HALVED)) == 0
    assert "resumed from step 5 of 12" in caplog.text
    assert weights(tmp_path) == weights(halved)
    about = load_encoder(halved)
    assert (about.leads, about.sampling_rate, about.crop_samples) == (["V1", "II", "I"], 50, 100)
    assert about.preprocess.sampling_rate == 100


def test_segments_are_those_of_the_contract(prepared: Path) -> None:
    """Cut in its own time from the resampled recording, each standardised by itself; then leads are zeroed."""
    records = pd.read_parquet(prepared / "records.parquet")
    train, valid = pair_batches(with_input(HALVED), records, prepared / "preprocess")
    assert valid is not None
    crops, batch = train.crops(3), train[3]
    assert (batch["signal"].shape, batch["signal"].dtype) == ((8, 100, 3), torch.float32)
    assert crops.starts.max() <= 50
    x, _ = on_device(batch, torch.device("cpu"))
    samples = np.load(prepared / "preprocess/db/000.npy").reshape(-1, 300, 3)
    for place, (row, start) in enumerate(zip(crops.rows, crops.starts, strict=True)):
        whole = resample_poly(samples[row][:, [2, 1, 0]] / 1000.0, 1, 2, padtype="line")
        piece = whole[start : start + 100]
        expected = (piece - piece.mean(axis=0)) / piece.std(axis=0) * crops.lead_mask[place]
        np.testing.assert_allclose(x[place].T, expected, atol=1e-5)
    assert train.batch_bytes == 8 * 100 * 3 * 4


def test_it_goes_on_with_an_imported_encoder_of_its_contract(prepared: Path, halved: Path, tmp_path: Path) -> None:
    """Whose own project prepared signals in another way."""
    encoder = load_encoder(halved)
    encoder.preprocess = encoder.preprocess.model_copy(update={"sampling_rate": 500, "leads": ["I", "II", "V1", "V2"]})
    save_encoder(tmp_path / "base", encoder, {})
    on = with_input(HALVED, weights="import", path=str(tmp_path / "base"))
    assert pretrain(prepared, tmp_path / "on", slice_=on) == 0
    found = load_encoder(tmp_path / "on")
    assert (found.input, found.preprocess.sampling_rate) == (encoder.input, 100)
    assert weights(tmp_path / "on") != weights(halved)
    begun = Pretraining(on, prepared / "records.parquet", prepared / "preprocess", tmp_path / "again")._build()[1]
    assert all(torch.equal(value, begun.encoder.state_dict()[name]) for name, value in encoder.state_dict().items())
    copy = with_input(HALVED, weights="import", path=str(tmp_path / "base"), pretrain=None)
    assert pretrain(prepared, tmp_path / "copy", slice_=copy) == 0
    assert weights(tmp_path / "copy") == weights(halved)
    assert load_encoder(tmp_path / "copy").preprocess == copy.preprocess
    raw = parse(InputConfig, HALVED, "base").raw(1.0)  # as `leaderboard.protocol` asks for
    asked = with_input(raw.model_dump(), weights="import", path=str(tmp_path / "base"), pretrain=None)
    assert pretrain(prepared, tmp_path / "raw", slice_=asked) == 0
    found = load_encoder(tmp_path / "raw")
    assert (found.input, found.crop_seconds, found.preprocess.sampling_rate) == (raw, 1.0, 100)
    other = with_input(HALVED | {"unit": "other"}, weights="import", path=str(tmp_path / "base"), pretrain=None)
    with pytest.raises(
        UserError, match=r"base: its input.unit is standardised, this project's is other; leave `input`"
    ):
        pretrain(prepared, tmp_path / "other", slice_=other)


def test_augmentation_in_millivolts_needs_them(prepared: Path, tmp_path: Path) -> None:
    content = with_input(HALVED).model_dump()
    content["config"]["pretrain"]["augment"] = [{"kind": "noise"}]
    with pytest.raises(UserError, match=r"^tiny: pretrain\.augment\.0: noise: changes millivolts"):
        pretrain(prepared, tmp_path, slice_=EncoderSlice.model_validate(content))
