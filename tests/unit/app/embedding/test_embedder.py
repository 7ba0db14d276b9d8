"""`ecglfm embed` of files: vectors are the encoder's own, and what cannot be read is a row with its reason."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import ecglfm
from ecglfm.app.embedding import RecordEmbedder
from ecglfm.app.prediction import FromFiles
from ecglfm.models.bundle import load_model, save_encoder, save_model
from ecglfm.models.heads import ECGModel
from ecglfm.training.vectors import vector_columns
from tests.unit.app.prediction.test_predict import make_model, write_wfdb

NAMES = vector_columns(16)


def table(folder: Path, *named: Path, workers: int = 1) -> pd.DataFrame:
    reader = FromFiles()
    return RecordEmbedder.load(folder).table(reader.find(named), reader, workers=workers)


def own_vector(module: object, record: Path) -> np.ndarray:
    with torch.inference_mode():
        return (
            module.embed(  # type: ignore[attr-defined]
                ecglfm.preprocess(ecglfm.read_record(record), module)
            )
            .mean(0)
            .numpy()
        )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model, its encoder, one with attention pooling, and recordings: of 5, 10 and 1 s, one cut off and one more."""
    folder = tmp_path_factory.mktemp("embed")
    model = load_model(make_model(folder / "model"))
    save_encoder(folder / "encoder", model.encoder, {"name": "tiny"})
    torch.manual_seed(1)
    frozen = ECGModel(model.encoder, ["AF"], "frozen")
    for weight in frozen.pooling.parameters():  # type: ignore[union-attr]  # as they begin, it is the mean
        torch.nn.init.normal_(weight)
    save_model(folder / "frozen", frozen, {})
    lengths = {"a": (5, 500), "b": (10, 400), "c": (1, 500), "d": (5, 500), "e": (3, 250)}
    for seed, (name, (seconds, rate)) in enumerate(lengths.items()):
        write_wfdb(folder / "ecgs", name, seconds=seconds, rate=rate, seed=seed)
    cut = folder / "ecgs/d.dat"
    cut.write_bytes(cut.read_bytes()[:-1000])
    return folder


@pytest.mark.parametrize("which", ["encoder", "model", "frozen"])
def test_a_record_has_the_mean_vector_of_its_windows(folder: Path, which: str) -> None:
    found = table(folder / which, folder / "ecgs")
    assert list(found) == ["record", "patient_id", *NAMES, "flags", "reason"]
    assert found["record"].tolist() == [str(folder / "ecgs" / name) for name in "abcde"]
    module = (ecglfm.load_encoder if which == "encoder" else ecglfm.load_model)(folder / which)
    for row, name in ((0, "a"), (1, "b"), (2, "c"), (4, "e")):
        expected = own_vector(module, folder / "ecgs" / name)
        np.testing.assert_allclose(found.loc[row, NAMES].to_numpy(float), expected, atol=2e-6)
    assert found["reason"].str.partition(":")[0].tolist() == ["", "", "", "signal_truncated", ""]
    assert found.loc[3, NAMES].isna().all()
    assert found[NAMES].to_numpy().dtype == np.float32


def test_a_vector_in_half_precision_is_nearly_the_same(folder: Path) -> None:
    reader = FromFiles()
    recordings = reader.find([folder / "ecgs"])[:3]
    said = {
        precision: RecordEmbedder.load(folder / "encoder", precision=precision)
        .table(recordings, reader)[NAMES]
        .to_numpy()
        for precision in ("fp32", "tf32", "bf16")
    }
    assert (said["tf32"] == said["fp32"]).all()
    away = np.linalg.norm(said["bf16"] - said["fp32"], axis=1) / np.linalg.norm(said["fp32"], axis=1)
    assert (away > 0).all()
    assert (away < 0.01).all()


def test_a_frozen_models_vector_is_what_its_head_reads(folder: Path) -> None:
    """Attention pooling, not the mean; the head makes the model's logits of it."""
    model = load_model(folder / "frozen")
    x = torch.randn(3, 12, 1000, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        vectors = model.embed(x)
        assert torch.equal(model.head(vectors), model(x))
        assert (vectors - model.encoder.embed(x)).abs().max() > 1e-3


def test_the_table_does_not_depend_on_the_number_of_processes(folder: Path) -> None:
    one, two = (table(folder / "encoder", folder / "ecgs", workers=workers) for workers in (1, 2))
    pd.testing.assert_frame_equal(one, two, check_exact=True)
