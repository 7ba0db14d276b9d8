"""`ecglfm predict`: the answers are those of the model itself, whatever the files are, and no fault is silent."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import wfdb

import ecglfm
from ecglfm.app.embedding.embedder import RecordEmbedder
from ecglfm.app.prediction.predictor import Predictor
from ecglfm.cli import main
from ecglfm.config import LEADS, PreprocessConfig
from ecglfm.models.bundle import save_model
from ecglfm.models.encoders import make_encoder
from ecglfm.models.heads import ECGModel
from tests.unit.architectures import architecture
from tests.unit.sources.muse_file import LEADS as EIGHT
from tests.unit.sources.muse_file import muse, rhythm

LABELS = ["AF", "LBBB"]


def make_model(folder: Path, *, seed: int = 0, kind: str = "multilabel", labels: list[str] = LABELS) -> Path:
    torch.manual_seed(seed)
    shape = architecture(kind="conformer", dim=16, layers=1, heads=2, ffn_dim=32, conv_channels=8)
    encoder = make_encoder(shape, list(LEADS), 500, PreprocessConfig(), 2.0)
    model = ECGModel(encoder, labels, "full", kind)
    model.thresholds = [0.4, 0.6][: len(labels)] if kind != "regression" else []
    save_model(folder, model.eval(), {"task": "t", "fit": f"full-s{seed}"})
    return folder


def write_wfdb(folder: Path, name: str, *, seconds: float = 5.0, rate: int = 500, seed: int = 0) -> Path:
    t = np.arange(round(seconds * rate)) / rate
    rng = np.random.default_rng(seed)
    beats = np.exp(-0.5 * (((t % 0.8) - 0.4) / 0.02) ** 2)
    signal = beats[:, None] * rng.uniform(0.5, 1.5, 12) + rng.normal(0, 0.01, (len(t), 12))
    folder.mkdir(exist_ok=True)
    names = list(LEADS)[::-1]  # another order than the model's
    wfdb.wrsamp(name, fs=rate, units=["mV"] * 12, sig_name=names, p_signal=signal, fmt=["16"] * 12, adc_gain=[1000] * 12,
                baseline=[0] * 12, write_dir=str(folder))  # fmt: skip
    return folder / name


def own_answer(model: Path, record: Path) -> np.ndarray:
    """What the model says of a recording by the functions of the Python interface."""
    network = ecglfm.load_model(model)
    with torch.inference_mode():
        return network(ecglfm.preprocess(ecglfm.read_record(record), network)).sigmoid().mean(0).numpy()


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return make_model(tmp_path / "model")


def predict(*arguments: object) -> int:
    return main(["predict", *map(str, arguments)])


def test_answers_are_the_models_own(tmp_path: Path, model: Path):
    folder = tmp_path / "ecgs"
    made = {name: write_wfdb(folder, name, seconds=s, rate=rate, seed=k)
            for k, (name, s, rate) in enumerate([("a", 5, 500), ("b", 10, 400), ("c", 1, 500), ("d", 7.3, 250)])}  # fmt: skip
    assert predict("--model", model, folder, "--output", tmp_path / "p.csv") == 0
    table = pd.read_csv(tmp_path / "p.csv", keep_default_na=False)
    assert list(table) == [
        "record", "patient_id", "probability.AF", "threshold.AF", "decision.AF",
        "probability.LBBB", "threshold.LBBB", "decision.LBBB", "flags", "abstained", "reason",
    ]  # fmt: skip
    assert table["record"].tolist() == [str(folder / name) for name in made]
    for (_, row), path in zip(table.iterrows(), made.values(), strict=True):
        expected = own_answer(model, path)
        np.testing.assert_allclose([row["probability.AF"], row["probability.LBBB"]], expected, atol=2e-6)
        assert (row["decision.AF"], row["decision.LBBB"]) == (expected[0] >= 0.4, expected[1] >= 0.6)
    assert not table["abstained"].any()


def test_it_says_on_which_device(model: Path, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.INFO):
        Predictor.load([model])
        RecordEmbedder.load(model)
    device = "cuda:0 (" if torch.cuda.is_available() else "the processor ("
    said = [one.getMessage() for one in caplog.records]
    assert [text.startswith(f"{model}: asked on {device}") for text in said if "asked on" in text] == [True, True]


def test_one_recording_however_many_of_its_files_are_named(tmp_path: Path, model: Path):
    path = write_wfdb(tmp_path / "ecgs", "a")
    named = [path, f"{path}.hea", f"{path}.dat"]
    assert predict("--model", model, *named, "--output", tmp_path / "p.json") == 0
    (row,) = json.loads((tmp_path / "p.json").read_text())
    assert row["record"] == str(path)


def test_what_cannot_be_read_is_a_row_and_the_rest_goes_through(
    tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]
):
    folder = tmp_path / "ecgs"
    write_wfdb(folder, "a")
    cut = write_wfdb(folder, "b").with_suffix(".dat")
    cut.write_bytes(cut.read_bytes()[:-1000])
    flat = write_wfdb(folder, "c")
    wfdb.wrsamp(flat.name, fs=500, units=["mV"] * 12, sig_name=list(LEADS), p_signal=np.zeros((2500, 12)),
                fmt=["16"] * 12, adc_gain=[1000] * 12, baseline=[0] * 12, write_dir=str(folder))  # fmt: skip
    (tmp_path / "notes.txt").write_text("not an ECG")
    output = tmp_path / "p.parquet"
    assert predict("--model", model, folder, tmp_path / "notes.txt", "--output", output) == 1
    table = pd.read_parquet(output).set_index("record")
    assert table["abstained"].tolist() == [False, True, True, True]
    reasons = [reason.partition(":")[0] for reason in table["reason"]]
    assert reasons == ["", "signal_truncated", "amplitude", "format_unknown"]
    assert table.loc[str(folder / "b"), "probability.AF"] is None or np.isnan(
        table.loc[str(folder / "b"), "probability.AF"]
    )
    shown = capsys.readouterr().out
    assert "no answer for 3 of 4: signal_truncated 1, amplitude 1, format_unknown 1" in shown


def test_a_folder_of_muse_files_says_the_patient(tmp_path: Path, model: Path):
    folder = tmp_path / "muse"
    folder.mkdir()
    samples = (100 * np.sin(np.arange(5000) / 40)).astype(int)
    (folder / "x.xml").write_bytes(muse(rhythm({key: samples.tolist() for key in EIGHT})))
    assert predict("--model", model, folder, "--output", tmp_path / "p.csv") == 0
    table = pd.read_csv(tmp_path / "p.csv")
    assert table[["record", "patient_id"]].to_numpy().tolist() == [[str(folder / "x.xml"), "P1"]]
    assert table["flags"].str.contains("leads_derived").all()
    np.testing.assert_allclose(table["probability.AF"], own_answer(model, folder / "x.xml")[0], atol=2e-6)


def test_the_answers_do_not_depend_on_the_number_of_processes(tmp_path: Path, model: Path):
    folder = tmp_path / "ecgs"
    for k in range(20):  # three chunks
        write_wfdb(folder, f"r{k}", seconds=2, seed=k)
    for workers in (1, 2):
        output = tmp_path / f"{workers}.csv"
        assert predict("--model", model, folder, "--output", output, "--workers", workers) == 0
    assert (tmp_path / "1.csv").read_bytes() == (tmp_path / "2.csv").read_bytes()
    assert pd.read_csv(tmp_path / "1.csv")["record"].tolist() == [str(folder / f"r{k}") for k in range(20)]


def test_an_ensemble_has_mean_and_spread(tmp_path: Path):
    models = [make_model(tmp_path / f"m{seed}", seed=seed) for seed in range(3)]
    path = write_wfdb(tmp_path / "ecgs", "a")
    assert predict(path, "--ensemble", *models, "--output", tmp_path / "p.csv") == 0
    (row,) = pd.read_csv(tmp_path / "p.csv").to_dict("records")
    each = np.array([own_answer(one, path) for one in models])
    np.testing.assert_allclose(row["probability.LBBB"], each[:, 1].mean(), atol=2e-6)
    np.testing.assert_allclose(row["spread.LBBB"], each[:, 1].std(ddof=1), atol=2e-6)


def test_a_database_by_its_own_tables(tmp_path: Path, model: Path):
    config = f"kind: wfdb_folder\nroot: {tmp_path / 'db'}\ntable: t.csv\n"
    write_wfdb(tmp_path / "db", "a")
    write_wfdb(tmp_path / "db", "b", seed=1)
    (tmp_path / "db/t.csv").write_text("path,patient_id\na,7\nb,8\n")
    (tmp_path / "lab.yaml").write_text(config)
    assert predict("--model", model, "--source", tmp_path / "lab.yaml", "--output", tmp_path / "p.csv") == 0
    table = pd.read_csv(tmp_path / "p.csv")
    assert table[["record", "patient_id"]].to_numpy().tolist() == [["lab/a", "lab/7"], ["lab/b", "lab/8"]]
    np.testing.assert_allclose(table["probability.AF"][1], own_answer(model, tmp_path / "db/b")[0], atol=2e-6)
