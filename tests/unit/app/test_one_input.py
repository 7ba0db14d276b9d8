"""What an encoder with a contract reads is the same in fits, evaluation, `embed`, `predict` and from Python, to the bit."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.signal import resample

import ecglfm
from ecglfm.app.embedding import run_embed_prepared
from ecglfm.config import LEADS, InputConfig, PreprocessConfig, UserError
from ecglfm.data.samples import lead_metadata
from ecglfm.evaluation.prediction import predict_records
from ecglfm.evaluation.verification.verify import embed_records
from ecglfm.models.bundle import load_encoder, load_model, save_encoder
from ecglfm.models.encoders import make_encoder
from ecglfm.models.encoders.encoder import ECGEncoder
from ecglfm.provenance import read_json, write_parquet
from ecglfm.records import Record
from tests.unit.architectures import architecture
from tests.unit.hashes import hashes
from tests.unit.training.finetuning.test_finetune import fit

RATE, SECONDS = 500, 2.0
#: Samples: of training exactly a window, so that no crop is drawn; then whole windows with a remainder, and part of one.
LENGTHS = [1000] * 4 + [2300, 2300, 700, 1000, 2300, 700]
SPLITS = ["train"] * 4 + ["valid"] * 4 + ["test"] * 2
GEOMETRY = {"window_seconds": SECONDS, "leads": ["V1", "I", "II"], "sampling_rate": 250}
HALVED = InputConfig.model_validate(
    GEOMETRY
    | {
        "unit": "standardised",
        "record": [{"step": "resample", "rate": 250, "method": "fourier"}],
        "window": [{"step": "standardize", "over": "lead"}],
    }
)
SAME = InputConfig.model_validate({"window_seconds": SECONDS, "leads": list(LEADS), "sampling_rate": RATE})


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def signals() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [np.rint(rng.normal(100, 300, (length, 12))).astype(np.int16) for length in LENGTHS]


@pytest.fixture(scope="module")
def data(signals: list[np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As 500 Hz and twelve leads are prepared; `fast` and `big` are as good as coins."""
    folder = tmp_path_factory.mktemp("one-input")
    (folder / "preprocess/s").mkdir(parents=True)
    np.save(folder / "preprocess/s/000.npy", np.concatenate(signals))
    names = [f"s/{number}" for number in range(len(LENGTHS))]
    records = pd.DataFrame(
        {"record_id": names, "source": "s", "patient_id": names, "split": SPLITS, "sampling_rate": RATE,
         "n_samples": LENGTHS, "shard": 0, "offset": np.cumsum([0, *LENGTHS[:-1]]), "sha256": hashes(signals)}
    )  # fmt: skip
    coins = {f"label.{name}": (np.arange(len(names)) % 2).astype(np.float32) for name in ("fast", "big")}
    records.to_parquet(folder / "records.parquet")
    write_parquet(folder / "preprocess/s/000.parquet", records, lead_metadata(LEADS))
    records[["record_id", "patient_id", "source", "split"]].assign(**coins).to_parquet(folder / "labels.parquet")
    return folder


def encoder_of(folder: Path, input_: InputConfig | None) -> Path:
    """The same weights whatever the contract, where leads are as many."""
    torch.manual_seed(0)
    model = architecture(layers=1, dim=8, ffn_dim=8, heads=2, kernel=3, conv_channels=4, dropout=0.0)
    of = input_ or PreprocessConfig()
    encoder = make_encoder(model, of.leads, of.sampling_rate, PreprocessConfig(), SECONDS, input_)
    save_encoder(folder, encoder, {"name": "tiny"})
    return folder


@pytest.fixture(scope="module")
def halved(data: Path) -> Path:
    folder = encoder_of(data / "encoder", HALVED)
    fit(data, data / "model", encoder=folder, epochs=1)
    return folder


Windows = list[bytes]


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Callable[[], Windows]:
    """Real samples of each window that the encoder has read since the last call, sorted; none twice."""
    seen: set[bytes] = set()
    encode = ECGEncoder.encode

    def noted(self: ECGEncoder, x: torch.Tensor, mask: torch.Tensor | None = None):
        real = torch.ones_like(x[:, 0], dtype=torch.bool) if mask is None else mask
        for one, own in zip(x, real, strict=True):
            assert not one[:, ~own].any()  # padding is zero, behind the steps
            seen.add(one[:, own].numpy().tobytes())
        return encode(self, x, mask)

    def taken() -> Windows:
        found = sorted(seen)
        seen.clear()
        return found

    monkeypatch.setattr(ECGEncoder, "encode", noted)
    return taken


def by_preprocess(module: torch.nn.Module, signals: list[np.ndarray], *splits: str) -> Windows:
    """Windows of the records of some splits, as `ecglfm.preprocess` gives them."""
    chosen = [signal for signal, split in zip(signals, SPLITS, strict=True) if split in splits]
    parts = [ecglfm.preprocess(Record(signal / 1000.0, LEADS, RATE), module) for signal in chosen]
    return sorted({window.numpy().tobytes() for part in parts for window in part})


def test_it_is_the_arithmetic_by_hand(halved: Path, signals: list[np.ndarray]) -> None:
    encoder = ecglfm.load_encoder(halved)
    for signal in (signals[4], signals[6]):
        windows = ecglfm.preprocess(Record(signal / 1000.0, LEADS, RATE), encoder).numpy()
        of_record = resample(signal[:, [6, 0, 1]] / 1000.0, len(signal) // 2)
        expected = [of_record[start : start + 500] for start in range(0, max(len(of_record) - 499, 1), 500)]
        expected = [(part - part.mean(axis=0)) / part.std(axis=0) for part in expected]
        assert windows.shape == (len(expected), 3, len(expected[0]))
        np.testing.assert_allclose(windows, np.stack(expected).transpose(0, 2, 1), atol=2e-6)


def test_every_way_reads_the_same(data: Path, halved: Path, signals: list[np.ndarray], read, tmp_path: Path) -> None:
    encoder, model = ecglfm.load_encoder(halved), ecglfm.load_model(data / "model")
    fitted = by_preprocess(model, signals, "train", "valid")
    everything = by_preprocess(encoder, signals, "train", "valid", "test")
    assert (len(fitted), len(everything)) == (4 + 2 + 2 + 1 + 1, 13)
    assert by_preprocess(model, signals, "train", "valid", "test") == everything
    read()
    for mode, workers in (("full", 0), ("frozen", 1), ("linear", 0)):
        fit(data, tmp_path / mode, f"{mode}-s0", halved, epochs=1, num_workers=workers)
        assert read() == fitted, mode
    records = pd.read_parquet(data / "records.parquet")
    labels = pd.read_parquet(data / "labels.parquet").drop(columns=["patient_id", "source", "split"])
    told = predict_records(load_model(data / "model"), records.merge(labels, on="record_id"), data / "preprocess")
    assert read() == everything
    embed_records(load_encoder(halved), records, data / "preprocess")
    assert read() == everything
    run_embed_prepared(halved, data / "preprocess/s", tmp_path / "s.parquet")
    assert read() == everything
    given = [Record(signal / 1000.0, LEADS, RATE) for signal in signals]
    vectors = encoder.embed_records(given)
    assert read() == everything
    answers = model.predict(given)
    assert read() == everything
    columns = [column for column in vectors if column.startswith("vector.")]
    np.testing.assert_allclose(vectors[columns], pd.read_parquet(tmp_path / "s.parquet")[columns], atol=1e-6)
    np.testing.assert_allclose(answers["probability.fast"], told["probability.fast"], atol=1e-6)


def test_a_contract_that_does_nothing_changes_no_bit(data: Path, tmp_path: Path) -> None:
    for name, input_ in (("with", SAME), ("without", None)):
        encoder_of(tmp_path / name, input_)
        for mode in ("full", "linear"):
            fit(data, tmp_path / f"{name}-{mode}", f"{mode}-s0", tmp_path / name, epochs=2, outlier_share=0.2)
        run_embed_prepared(tmp_path / name, data / "preprocess/s", tmp_path / f"{name}.parquet")
    for mode in ("full", "linear"):
        one, other = (tmp_path / f"{name}-{mode}/model.safetensors" for name in ("with", "without"))
        assert one.read_bytes() == other.read_bytes()
        one, other = (read_json(path.with_suffix(".json")) for path in (one, other))
        assert one["encoder"].pop("input") == SAME.model_dump(mode="json")
        assert one == other
    vectors = [pd.read_parquet(tmp_path / f"{name}.windows.parquet") for name in ("with", "without")]
    pd.testing.assert_frame_equal(*vectors)


def test_loader_processes_change_no_bit(data: Path, halved: Path, tmp_path: Path) -> None:
    """With crops that are drawn: recordings of training are longer than a window here."""
    labels = pd.read_parquet(data / "labels.parquet")
    longer = labels["split"].map({"train": "valid", "valid": "train", "test": "test"})
    shutil.copytree(data / "preprocess", tmp_path / "preprocess")
    labels.assign(split=longer).to_parquet(tmp_path / "labels.parquet")
    pd.read_parquet(data / "records.parquet").assign(split=longer).to_parquet(tmp_path / "records.parquet")
    for workers in (0, 2):
        fit(tmp_path, tmp_path / f"{workers}", encoder=halved, epochs=2, num_workers=workers)
    one, other = ((tmp_path / f"{workers}/model.safetensors").read_bytes() for workers in (0, 2))
    assert one == other


def test_signals_that_are_prepared_otherwise_are_refused(data: Path, halved: Path, tmp_path: Path) -> None:
    """By what the contract starts from, which is what the file beside the weights says."""
    encoder = load_encoder(halved)
    encoder.preprocess = PreprocessConfig(sampling_rate=1000)
    save_encoder(tmp_path / "other", encoder, {})
    with pytest.raises(UserError, match=r"at 500 Hz, but the encoder .*other reads .* at 1000 Hz"):
        fit(data, tmp_path / "fit", encoder=tmp_path / "other", epochs=1)
