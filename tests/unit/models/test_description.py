"""Descriptions of encoders and models that somebody edited by hand: one line says what is wrong."""

import json

import pytest

from ecglfm.config import UserError
from ecglfm.models.bundle import load_encoder, load_model, save_encoder, save_model
from ecglfm.models.heads import ECGModel
from tests.unit.models.saved_encoder import MODEL


def change(folder, key, value):
    content = json.loads((folder / "encoder.json").read_text())
    content[key] = value
    (folder / "encoder.json").write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("format", "other", "format is 'other', expected 'ecglfm-encoder'"),
        ("format_version", 2, "format_version 2"),
        ("model", {"layers": 1, "dim": 16, "ffn_dim": 24, "heads": 2, "colour": 1}, "colour: unknown key"),
        ("sampling_rate", None, "sampling_rate: Input should be a valid integer, found None"),
        ("sampling_rate", -5, "sampling_rate: Input should be greater than or equal to 1, found -5"),
        ("sampling_rate", 500, r"sampling_rate is 500, but preprocess.sampling_rate is 250: one of them was edited"),
        ("leads", ["X"] * 2, "leads: each lead once, out of I II III"),
        ("leads", ["V1", "II"], "leads is .*, but preprocess.leads is"),
        ("crop_seconds", float("nan"), "crop_seconds: Input should be"),
        ("model", MODEL.model_dump() | {"layers": 10**12}, r"describes 100000000000\d layers, but only"),
    ],
)
def test_wrong_descriptions(folder, key, value, message):
    change(folder, key, value)
    with pytest.raises(UserError, match=message):
        load_encoder(folder)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("thresholds", [float("nan"), 0.5], "thresholds.0: Input should be a finite number, found nan"),
        ("thresholds", [0.5, 7], "thresholds.1: Input should be less than or equal to 1, found 7"),
        ("thresholds", [0.5], "`label_names` and `thresholds` must be lists of the same length"),
        ("label_names", [5, "MI"], "label_names.0: Input should be a valid string, found 5"),
        ("label_names", ["MI", "MI"], "label_names has a name twice"),
        ("kind", "poetry", "kind: Input should be 'binary', 'multilabel'"),
        ("mode", "half", "mode: Input should be 'full', 'frozen', 'linear', 'lora' or 'zero_shot'"),
        ("aggregate", "sum", "aggregate: Input should be 'mean', 'max' or 'median'"),
        ("encoder", {"leads": []}, "model.json: encoder: model: this key is required"),
    ],
)
def test_wrong_descriptions_of_a_model(folder, tmp_path, key, value, message):
    save_model(tmp_path, ECGModel(load_encoder(folder), ["AF", "MI"], "full"), {"task": "af"})
    content = json.loads((tmp_path / "model.json").read_text()) | {key: value}
    (tmp_path / "model.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match=message):
        load_model(tmp_path)


def test_a_contract_is_what_leads_and_rate_are_of(folder):
    """`preprocess` then says what it is made of, which may be anything."""
    content = json.loads((folder / "encoder.json").read_text())
    contract = {"leads": content["leads"], "sampling_rate": content["sampling_rate"], "window_seconds": 2.0}
    change(folder, "crop_seconds", 2.0)
    change(folder, "preprocess", {"sampling_rate": 500})
    change(folder, "input", contract)
    encoder = load_encoder(folder)
    assert (encoder.sampling_rate, encoder.preprocess.sampling_rate, encoder.input.window_seconds) == (250, 500, 2.0)
    save_encoder(folder / "again", encoder, {})
    assert json.loads((folder / "again/encoder.json").read_text())["input"] == encoder.input.model_dump(mode="json")
    for key, value, message in (
        ("sampling_rate", 500, "sampling_rate is 500, but input.sampling_rate is 250: one of them was edited"),
        ("leads", ["V1", "II"], "leads is .*, but input.leads is"),
        ("crop_seconds", 5.0, "crop_seconds is 5, but input.window_seconds is 2"),
        ("input", contract | {"window": [{"step": "run"}]}, "input.window.0: .*'run'"),
    ):
        before = (folder / "encoder.json").read_text()
        change(folder, key, value)
        with pytest.raises(UserError, match=message):
            load_encoder(folder)
        (folder / "encoder.json").write_text(before)
