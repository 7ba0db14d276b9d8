"""A pretraining on reports: vectors made once, test reports unread, resuming bit for bit, two ranks as one process."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from ecglfm.config import EncoderSlice, ReportAlignmentConfig, UserError
from ecglfm.models.bundle import load_encoder
from ecglfm.models.text.alignment import read_alignment
from ecglfm.models.text.encoders import HashedText
from ecglfm.records import data_hash
from ecglfm.training.pretraining.reports import PretrainingReports
from tests.unit.training.pretraining.small_pretraining import (
    StopAfter,
    encoder_slice,
    history,
    pretrain,
    two_ranks,
    weights,
)


def slice_of(**pretrain) -> EncoderSlice:
    content = encoder_slice(steps=4, log_every=1, validate_every=4, checkpoint_every={"steps": 2}).model_dump()
    content["config"]["model"] |= {"dropout": pretrain.pop("dropout", 0.0), "norm": "group"}
    del content["config"]["pretrain"]["mask"], content["config"]["pretrain"]["quantizer"]
    content["config"]["pretrain"] |= {"objective": {"kind": "report_alignment", "dim": 8}} | pretrain
    return EncoderSlice.model_validate(content)


@pytest.fixture(scope="module")
def index(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Reports of the `prepared` recordings: five texts by the patient, none of every seventh."""
    folder = tmp_path_factory.mktemp("index")
    ids = pd.read_parquet(prepared / "records.parquet")["record_id"]
    said = [None if number % 7 == 6 else f"Rhythm {int(one[3:5]) // 8}" for number, one in enumerate(ids)]
    pd.DataFrame({"record_id": ids, "report": said}).to_parquet(folder / "db.parquet")
    return folder


def test_stopped_by_a_signal_it_resumes_bit_for_bit(prepared: Path, index: Path, tmp_path: Path) -> None:
    slice_ = slice_of(dropout=0.2)
    assert pretrain(prepared, tmp_path / "calm", slice_=slice_, index=index) == 0
    assert pretrain(prepared, tmp_path / "stopped", StopAfter(3), slice_, index) == 75
    (vectors,) = (tmp_path / "stopped" / "reports").iterdir()
    made = vectors.stat().st_mtime_ns
    assert pretrain(prepared, tmp_path / "stopped", slice_=slice_, index=index) == 0
    assert vectors.stat().st_mtime_ns == made  # no text was read by the encoder again
    assert weights(tmp_path / "stopped") == weights(tmp_path / "calm")
    for name in ("alignment.safetensors", f"reports/{vectors.name}"):
        assert (tmp_path / "stopped" / name).read_bytes() == (tmp_path / "calm" / name).read_bytes()
    pd.testing.assert_frame_equal(history(tmp_path / "stopped"), history(tmp_path / "calm"))
    course = history(tmp_path / "calm")
    assert list(course.columns[4:9]) == ["loss", "accuracy", "temperature", "reports", "spread"]
    assert course["split"].tolist() == ["train"] * 4 + ["valid"]
    assert course["reports"].between(0.7, 1).all()

    encoder = load_encoder(tmp_path / "calm")
    records = pd.read_parquet(prepared / "records.parquet")
    assert encoder.info["data_hash"] == data_hash(records)  # of the recordings alone, by which leaks are looked for
    assert encoder.info["reports"] == PretrainingReports(ReportAlignmentConfig(), records, index, tmp_path).hash
    alignment, mean, about = read_alignment(tmp_path / "calm", encoder.info)
    assert (about["text_encoder"], about["identity"]) == (None, "hashed-1")
    ids = pd.read_parquet(index / "db.parquet").merge(pd.read_parquet(prepared / "records.parquet"), on="record_id")
    said = ids.loc[(ids["split"] == "train") & ids["report"].notna(), "report"]
    texts = alignment(torch.zeros(1, 16), torch.from_numpy(HashedText().encode(list(said))))[1]
    torch.testing.assert_close(mean, texts.mean(0), atol=1e-6, rtol=1e-5)


def test_fp16_learns_as_fp32_does(prepared: Path, index: Path, tmp_path: Path, fp16_on_a_processor) -> None:
    """Weights are float16 and, with ZeRO 3, gathered where they are asked for; vectors and cosines are float32."""
    parted = {"zero_optimization": {"stage3_param_persistence_threshold": 0}}  # else small weights are never parted
    half = {"precision": "fp16", "deepspeed": parted | {"fp16": {"initial_scale_power": 8, "hysteresis": 1}}}
    for name, options in (("half", half), ("single", {})):
        assert pretrain(prepared, tmp_path / name, slice_=slice_of(zero_stage=3, **options), index=index) == 0
    found, expected = (history(tmp_path / name)["loss"].to_numpy() for name in ("half", "single"))
    np.testing.assert_allclose(found, expected, rtol=0.02, atol=1e-3)


def test_other_reports_are_other_data(prepared: Path, index: Path, tmp_path: Path) -> None:
    """A report that was corrected, or of another recording; and only those of train and valid count."""
    records = pd.read_parquet(prepared / "records.parquet")
    records.loc[records["record_id"] == "db/39-1", "split"] = "test"
    said = pd.read_parquet(index / "db.parquet")

    def hash_of(**changed: str | None) -> str:
        table = said.assign(
            report=[changed.get(one, text) for one, text in zip(said["record_id"], said["report"], strict=True)]
        )
        table.to_parquet(tmp_path / "db.parquet")
        return PretrainingReports(ReportAlignmentConfig(), records, tmp_path, tmp_path / "out").hash

    slice_ = slice_of(steps=2)
    assert pretrain(prepared, tmp_path / "trained", slice_=slice_, index=index) == 0
    first = hash_of()
    assert hash_of(**{"db/39-1": "of a test record"}) == first
    assert hash_of(**{"db/00-0": " RHYTHM   0"}) == first
    assert hash_of(**{"db/00-0": "Rhythm 1"}) != first
    assert hash_of(**{"db/00-0": "Rhythm 9"}) != first
    assert pretrain(prepared, tmp_path / "trained", slice_=slice_, index=tmp_path) == 0
    assert (tmp_path / "trained" / "checkpoints.set-aside-1").is_dir()  # what had been learnt from others is not used
    assert len(list((tmp_path / "out" / "reports").iterdir())) == 1  # of texts that are no more nothing is left


def test_vectors_are_those_of_the_texts(prepared: Path, index: Path, tmp_path: Path) -> None:
    records = pd.read_parquet(prepared / "records.parquet").iloc[::-1].reset_index(drop=True)
    found = PretrainingReports(ReportAlignmentConfig(), records, index, tmp_path).vectors
    place = int(np.flatnonzero(records["record_id"] == "db/18-0")[0])
    batch = found.of(np.array([place, 0]))
    assert np.array_equal(batch["report_vector"][0], HashedText().encode(["rhythm 2"])[0])
    missing = int(np.flatnonzero(records["record_id"] == "db/03-0")[0])
    assert found.rows[missing] == -1


def test_a_database_without_reports_is_named(prepared: Path, tmp_path: Path) -> None:
    ids = pd.read_parquet(prepared / "records.parquet")["record_id"]
    pd.DataFrame({"record_id": ids, "report": ""}).to_parquet(tmp_path / "db.parquet")
    with pytest.raises(UserError, match="no training record of db has a report; of the public databases mimic_iv_ecg"):
        pretrain(prepared, tmp_path / "out", slice_=slice_of(), index=tmp_path)


RANK = """
from tests.unit.training.pretraining.test_reports import slice_of
sys.exit(pretrain(Path({prepared!r}), Path({output!r}), slice_=slice_of(batch_size=2), index=Path({index!r})))
"""


@pytest.mark.slow
def test_two_ranks_do_what_one_process_does(prepared: Path, index: Path, tmp_path: Path) -> None:
    code = RANK.format(prepared=str(prepared), output=str(tmp_path / "two"), index=str(index))
    statuses, said = two_ranks(code, tmp_path / "store")
    assert statuses == [0, 0], said
    assert pretrain(prepared, tmp_path / "one", slice_=slice_of(), index=index) == 0
    one, two = (history(tmp_path / name).query("split == 'train'") for name in ("one", "two"))
    for column in ("loss", "temperature", "spread", "grad_norm"):
        assert two[column].tolist() == pytest.approx(one[column].tolist(), rel=5e-4), column
    assert two["reports"].tolist() == one["reports"].tolist()
