"""An objective that the project does not know trains, resumes, warns and is reported, though nothing else knows of it."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from ecglfm.config import UserError, parse
from ecglfm.config.documentation import _rows
from ecglfm.evaluation.report.histories import read_history
from ecglfm.models.bundle import load_encoder
from ecglfm.training.checkpoints import config_hash
from ecglfm.training.pretraining.encoders import build_encoder
from tests.unit.training.pretraining.small_pretraining import StopAfter, encoder_slice, history, pretrain, weights
from tests.unit.training.pretraining.toy_objective import KnowsToy, KnowsToySlice

TOY = {"steps": 3, "log_every": 1, "validate_every": 3, "checkpoint_every": {"steps": 1}}


def toy_slice(**objective):
    content = encoder_slice(**TOY).model_dump()
    pretrain = content["config"]["pretrain"] | {"objective": {"kind": "toy", **objective}}
    del pretrain["mask"], pretrain["quantizer"]
    content["config"]["pretrain"] = pretrain
    return KnowsToySlice.model_validate(content)


def train(prepared, output, stop=None, **objective):
    return pretrain(prepared, output, stop, toy_slice(**objective))


@pytest.fixture(scope="module")
def trained(prepared, tmp_path_factory):
    output = tmp_path_factory.mktemp("toy")
    assert train(prepared, output) == 0
    return output


def test_it_trains_with_columns_of_its_own(trained):
    assert pd.read_csv(trained / "history.csv").columns.tolist() == [
        "step", "epoch", "split", "lr", "loss", "error", "blanked", "teacher", "grad_norm", "skipped", "memory_mb",
        "segments_per_second",
    ]  # fmt: skip
    course = history(trained)
    assert course["split"].tolist() == ["train", "train", "train", "valid"]
    assert course["blanked"].between(0.35, 0.65).all()
    assert (course["error"] == course["loss"]).all()
    info = json.loads((trained / "encoder.json").read_text())
    assert list(info["training"]["final"]["valid"]) == ["blanked", "error", "loss", "teacher"]
    assert info["training"]["warnings"] == []
    before, after = build_encoder(toy_slice(), 3).state_dict(), load_encoder(trained).state_dict()
    moved = max(float((after[name] - before[name]).abs().max()) for name in before if name.endswith("weight"))
    assert 1e-3 < moved < 4e-3  # Adam moves a weight by about the rate of 1e-3 in each of the 3 updates


def test_it_resumes_bit_for_bit_with_what_moved_without_gradients(prepared, trained, tmp_path):
    assert train(prepared, tmp_path, stop=StopAfter(1)) == 75
    assert train(prepared, tmp_path) == 0
    assert weights(tmp_path) == weights(trained)
    pd.testing.assert_frame_equal(history(tmp_path), history(trained))
    assert history(trained)["teacher"].iloc[0] > 0


def test_its_warnings_are_told(prepared, tmp_path, caplog):
    assert train(prepared, tmp_path, share=0.95) == 0
    text = "nearly all is blank: lower `objective.share`"
    assert [message for message in caplog.messages if "blank" in message] == [f"step 1: {text}"]
    kept = json.loads((tmp_path / "encoder.json").read_text())["training"]["warnings"]
    assert kept == [{"warning": "all_blank", "step": 1, "times": 1, "text": text}]


def test_its_terms_are_plotted_in_their_order(trained):
    assert list(read_history(trained / "history.csv").terms) == ["loss", "error", "blanked", "teacher"]


def test_its_kind_is_a_part_of_the_training_and_the_usual_one_is_not_written():
    assert config_hash(toy_slice()) != config_hash(toy_slice(share=0.4))
    assert toy_slice().model_dump()["config"]["pretrain"]["objective"] == {"kind": "toy", "share": 0.5}
    usual = parse(KnowsToy, {"steps": 1}, "e.yaml").objective
    assert usual.kind == "masked_codes"
    assert list(usual.model_dump()) == ["contrastive", "mlm", "diversity", "feature_penalty", "cmsc"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"objective": {"kind": "tyo"}}, "e.yaml: objective: kind 'tyo' is none of 'masked_codes', 'toy'"),
        ({"objective": {"kind": "toy", "mlm": {}}}, "e.yaml: objective.mlm: kind 'toy' has no key 'mlm'; leave it out"),
        (
            {"objective": {"share": 0.5}},
            "e.yaml: objective.share: kind 'masked_codes' has no key 'share'; leave it out",
        ),
        (
            {"objective": {"kind": "toy"}, "quantizer": {"codes": 8}},
            "e.yaml: (whole file): `objective.kind: toy` does not read `quantizer`; leave it out",
        ),
    ],
)
def test_a_mistake_is_one_line_at_the_key_as_it_is_written(content, message):
    with pytest.raises(UserError) as error:
        parse(KnowsToy, {"steps": 1, **content}, "e.yaml")
    assert str(error.value) == message


def test_it_is_documented():
    rows = [row for row in _rows(KnowsToy, "") if row.startswith("| `objective.")]
    assert rows[0].startswith("| `objective.kind` | `masked_codes` or `toy` | `masked_codes` | what is learnt; ")
    assert "| `objective.share` | number | `0.5` | `toy` only: frames that are blanked |" in rows
