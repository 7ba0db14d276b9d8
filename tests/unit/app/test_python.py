"""From Python: recordings of any kind go in, the tables of the commands come out, and modules stay the modules they are."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.text import Text

import ecglfm
from ecglfm.app.embedding import RecordEmbedder
from ecglfm.app.prediction import FromFiles, Predictor
from ecglfm.config import UserError
from ecglfm.models import bundle
from ecglfm.models.encoders import ECGEncoder
from ecglfm.models.heads import ECGModel
from tests.unit.app.prediction.test_predict import make_model, write_wfdb


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("python")
    module = bundle.load_model(make_model(folder / "model"))
    bundle.save_encoder(folder / "encoder", module.encoder, {"name": "tiny"})
    for seed, name in enumerate("abc"):
        write_wfdb(folder / "ecgs", name, seconds=5 - seed, seed=seed)
    return folder


def of_command(rows: pd.DataFrame) -> pd.DataFrame:
    """Without names: those of recordings in memory are numbers."""
    return rows.drop(columns="record").reset_index(drop=True)


def test_a_model_predicts_files_folders_and_records_in_memory(folder: Path) -> None:
    model, files = ecglfm.load_model(folder / "model"), FromFiles()
    whole = model.predict(folder / "ecgs")
    expected = Predictor.load([folder / "model"]).table(files.find([folder / "ecgs"]), files)
    pd.testing.assert_frame_equal(whole, expected, check_exact=True)
    records = [ecglfm.read_record(folder / "ecgs" / name) for name in "cab"]
    mixed = model.predict([records[0], str(folder / "ecgs/a"), records[2]])
    assert mixed["record"].tolist() == ["0", str(folder / "ecgs/a"), "2"]
    pd.testing.assert_frame_equal(of_command(mixed), of_command(whole.iloc[[2, 0, 1]]), atol=1e-6)
    pd.testing.assert_frame_equal(of_command(model.predict(records[1])), of_command(whole[:1]), atol=1e-6)
    assert model.predict([]).empty
    of_array = ecglfm.as_record(1000 * records[1].signal, records[1].leads, records[1].sampling_rate, unit="uV")
    pd.testing.assert_frame_equal(of_command(model.predict(of_array)), of_command(whole[:1]), atol=1e-6)


def test_a_model_explains_a_file_and_a_record(folder: Path) -> None:
    model, path = ecglfm.load_model(folder / "model"), folder / "ecgs/c"
    found = model.explain(path, "LBBB")
    windows = ecglfm.preprocess(ecglfm.read_record(path), model)
    assert found.attribution.score == pytest.approx(model(windows)[:, 1].mean().item(), abs=1e-4)
    again = model.explain(ecglfm.read_record(path), "LBBB")
    np.testing.assert_array_equal(found.attribution.values, again.attribution.values)
    assert found.lines()[0] in {text.get_text() for text in found.figure().findobj(Text)}
    with pytest.raises(UserError, match="record cannot be used: header_missing"):
        model.explain(folder / "none", "LBBB")
    with pytest.raises(UserError, match="takes the path of a file, not ndarray; ecglfm.as_record makes one"):
        model.explain(np.zeros((5000, 12)), "LBBB")  # type: ignore[arg-type]


@pytest.mark.parametrize("which", ["encoder", "model"])
def test_vectors_are_those_of_the_command(folder: Path, which: str) -> None:
    files = FromFiles()
    expected = RecordEmbedder.load(folder / which).table(files.find([folder / "ecgs"]), files)
    module = ecglfm.load_encoder(folder / which) if which == "encoder" else ecglfm.load_model(folder / which)
    pd.testing.assert_frame_equal(module.embed_records(folder / "ecgs"), expected, check_exact=True)
    record = ecglfm.read_record(folder / "ecgs/a")
    found = module.embed_records([record]).filter(like="vector.").to_numpy()
    np.testing.assert_allclose(found, expected.filter(like="vector.").to_numpy()[:1], atol=1e-6)
    assert module.embed_records([]).filter(like="vector.").shape == (0, 16)


def test_what_is_handed_out_is_the_module_itself(folder: Path) -> None:
    """It trains, is copied, saved and asked what it is, as the one of `bundle` is."""
    model, plain = ecglfm.load_model(folder / "model"), bundle.load_model(folder / "model")
    assert isinstance(model, ECGModel)
    assert isinstance(model.encoder, ECGEncoder)
    assert (model.label_names, model.thresholds) == (plain.label_names, plain.thresholds)
    assert list(model.state_dict()) == list(plain.state_dict())
    x = torch.randn(2, 12, 1000, generator=torch.Generator().manual_seed(0))
    assert torch.equal(model(x), plain(x))
    other = pickle.loads(pickle.dumps(model))  # as for another process
    assert torch.equal(other(x), plain(x))
    assert other.encoder.embed_records(folder / "ecgs/a").equals(model.encoder.embed_records(folder / "ecgs/a"))
    with torch.no_grad():
        other.head.weight.add_(1)  # a copy, not the same
    bundle.save_model(folder / "again", copy.deepcopy(model), {})
    assert (folder / "again/model.safetensors").read_bytes() == (folder / "model/model.safetensors").read_bytes()
    model.freeze("full")
    model.train()(x).sum().backward()
    assert model.head.weight.grad is not None
    assert model.encoder.embed_records(folder / "ecgs/a").shape == (1, 20)  # type: ignore[operator]
    assert type(ecglfm.load_encoder(folder / "encoder")) is type(model.encoder)


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ("{folder}/none", "none: no such file or folder"),
        ([np.zeros((12, 5000))], "records are what read_record or as_record gives, or paths; number 0 is ndarray"),
        (np.zeros((12, 5000)), "number 0 is ndarray; ecglfm.as_record makes a recording of an array"),
        (7, "records are what read_record or as_record gives, or paths, one or several, not int"),
    ],
)
def test_mistakes_are_one_sentence(folder: Path, records: object, message: str) -> None:
    model = ecglfm.load_model(folder / "model")
    given = records.format(folder=folder) if isinstance(records, str) else records
    for ask in (model.predict, model.embed_records):
        with pytest.raises(UserError, match=message):
            ask(given)  # type: ignore[arg-type]
