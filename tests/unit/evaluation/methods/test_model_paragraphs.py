"""Sentences about models of a planted run."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ecglfm.config import EncoderConfig, EncoderSlice, FinetuneConfig, FinetuneSlice, PreprocessConfig
from ecglfm.evaluation.methods import model_paragraphs as models
from ecglfm.evaluation.methods.run import Said, find_run
from ecglfm.evaluation.report import FittedModel
from ecglfm.provenance import read_json, write_json
from tests.unit.evaluation.methods.planted import finish, plant_slice

FIT = FittedModel("tiny", "super", "full-s0")
METRICS = "evaluate/tiny/super/full-s0/metrics.json"


def test_sentences_of_a_planted_run(results: Path) -> None:
    finish(results)
    run = find_run(results)
    texts = {
        what.__name__: " ".join(one.text for one in what(run, of))
        for of, whats in {
            "tiny": (models.encoder, models.pretraining),
            FIT: (models.finetuning, models.decisions, models.measurement, models.counts, models.results),
        }.items()
        for what in whats
    }
    assert texts["encoder"] == (
        "A conformer (layers 2, dim 64). It reads 12 leads x 5 s at 100 Hz. Its weights are of the pretraining below."
    )
    assert texts["pretraining"].startswith("Pretrained on alpha. Objective: ")
    assert "Learning rate 0.0005 (" in texts["pretraining"]
    assert ", 32 patients an update, " in texts["pretraining"]
    assert texts["pretraining"].endswith("It ran for 200 steps, 12.5 epochs.")
    assert texts["finetuning"] == (
        "Encoder and head were trained, seed 0. At most 8 epochs, stopped after 2 without a better loss;"
        " learning rate 0.003, batch size 128, weight decay 0. Epoch 6 of 8 was kept."
    )
    assert "the highest that reaches a sensitivity of 0.9." in texts["decisions"]
    assert texts["decisions"].endswith(" Thresholds: MI 0.250, NORM 0.500.")
    assert "Tested on 12 records of 2 patients." in texts["measurement"]
    assert "Intervals cover 95 % and are over patients: 100 bootstrap resamples, seed 0;" in texts["measurement"]
    assert texts["counts"] == "Test records with the label: MI 3 of 12, NORM 6 of 12."
    assert "MI: AUROC 0.667" in texts["results"]  # 18 of 27 pairs
    assert list(models.imbalance(run, FIT)) == [
        Said("Loss bce, class weights balanced.", ("finetune/tiny/super/full-s0/model.json",), FIT.path)
    ]
    assert list(models.fitted(run, FIT)) == [
        Said(
            "Fitted to 39 records of 7 patients, validated on 8 of 3.",
            ("finetune/tiny/super/full-s0/model.json",),
            FIT.path,
        )
    ]
    assert next(models.software(run)) == Said("Evaluated with ecglfm 0.1.0, commit abc.", (METRICS,), FIT.path)


def test_the_input_contract_of_an_encoder_is_told(results: Path) -> None:
    finish(results)
    path = results / "pretrain/tiny/encoder.json"
    steps = [{"step": "resample", "rate": 100, "method": "fourier"}, {"step": "butterworth", "low": 0.5, "high": None}]
    numbers = {"step": "constants", "lower": [-1.0] * 12}
    write_json(path, read_json(path) | {"input": {"unit": "-", "record": steps, "window": [numbers]}})
    told = [one.text for one in models.encoder(find_run(results), "tiny")]
    assert told[2] == (
        "What it reads (-) is made of the prepared signals: of a recording by resample (method fourier, rate 100),"
        " butterworth (low 0.5); of each window by constants."
    )


def test_an_epoch_of_a_share_is_as_long_as_of_all_patients(results: Path) -> None:
    finish(results)
    for stage in ("evaluate", "finetune"):
        folder = results / stage / "tiny" / "super"
        shutil.copytree(folder / "full-s0", folder / "full-s0-10pct")
    path = results / "finetune/tiny/super/full-s0-10pct/model.json"
    info = read_json(path)
    write_json(path, info | {"training": info["training"] | {"records_per_epoch": 39, "train_records": 4}})
    told = [one.text for one in models.finetuning(find_run(results), FIT._replace(fit="full-s0-10pct"))]
    assert told[0] == "Encoder and head were trained, with 10 % of the training patients, seed 0."
    assert (
        told[-1] == "An epoch was 39 records long, as of all training patients: several passes over those of the share."
    )


def test_nothing_was_learnt_for_a_zero_shot_model(results: Path) -> None:
    """No epochs, no loss; what the files of a trained one say of these is not said."""
    finish(results)
    for stage in ("evaluate", "finetune"):
        folder = results / stage / "tiny" / "super"
        shutil.copytree(folder / "full-s0", folder / "zero_shot-s0")
    run, fit = find_run(results), FIT._replace(fit="zero_shot-s0")
    (only,) = models.finetuning(run, fit)
    assert only.text == (
        "Nothing was trained on labels: the recording was compared with sentences for each label, seed 0."
    )
    assert list(models.imbalance(run, fit)) == []


def test_what_a_pretraining_began_with(results: Path) -> None:
    finish(results)
    path = results / "pretrain/tiny/encoder.json"
    foreign = {"name": "merl", "weights": "import", "imported": {"origin": "MERL (MIT)"}, "sha256": 64 * "a"}
    info = read_json(path)
    told = {"mixture": {"b": 3, "a": 1}, "augment": [{"kind": "gain"}, {"kind": "time_warp", "probability": 0.25}]}
    write_json(path, info | {"continues": foreign, "pretrain": info["pretrain"] | told})
    first, second, third, fourth, *_ = (one.text for one in models.pretraining(find_run(results), "tiny"))
    assert first == f"Its pretraining began with the weights of merl (MERL (MIT); SHA-256 {12 * 'a'})."
    assert (second, third) == ("Pretrained on alpha.", "Of the patients that it drew, 25 % of a, 75 % of b.")
    assert fourth == "Shares of its segments were changed: gain (50 %), time warp (25 %)."


def test_random_weights_were_not_pretrained_and_thresholds_of_folds_stand_side_by_side(results: Path) -> None:
    finish(results)
    path = results / "pretrain/tiny/encoder.json"
    write_json(path, read_json(path) | {"weights": "random"})
    path = results / METRICS
    calibration = {"fitted_on": "valid", "temperature": {"MI": [1.5, 0.5]}}
    group = {"macro": {"auroc": {"value": 0.7, "ci_low": 0.6, "ci_high": 0.8}}}
    none = {"macro": {"auroc": {"value": None}}}
    subgroups = {"sex": {"female": group, "male": {"reason": "fewer than 20 test patients"}, "unknown": none}}
    external = {"clinic": {"n": {"records": 7, "patients": 5}, "macro": {"auroc": {"value": 0.611}}}}
    more = {
        "calibration": calibration,
        "thresholds": {"MI": [0.25, 0.75]},
        "subgroups": subgroups,
        "external": external,
    }
    write_json(path, read_json(path) | more)
    run = find_run(results)
    assert list(models.pretraining(run, "tiny")) == []
    first, *_, last = (one.text for one in models.decisions(run, FIT))
    assert first.endswith("calibrated by temperatures fitted on valid: MI 1.500 / 0.500.")
    assert last == "Thresholds: MI 0.250 / 0.750."
    (said,) = models.subgroups(run, FIT)
    assert said.text == (
        "AUROC by sex: female 0.700 [0.600, 0.800]; male fewer than 20 test patients;"
        " unknown of no label, too few of each."
    )
    (said,) = models.elsewhere(run, FIT)
    assert "On clinic (7 records of 5 patients, none in training): AUROC 0.611," in said.text


def test_settings_are_those_of_the_model_whatever_the_config_says_by_now(results: Path) -> None:
    finish(results)
    plant_slice(results, "finetune/tiny", FinetuneSlice(finetune=FinetuneConfig(lr=0.5, loss="focal")))
    model = {"kind": "conformer", "layers": 2, "dim": 64, "heads": 2, "ffn_dim": 128}
    encoder = EncoderConfig(model=model, pretrain={"lr": 0.5, "steps": 7})
    plant_slice(results, "pretrain/tiny", EncoderSlice(encoder="tiny", config=encoder, preprocess=PreprocessConfig()))
    run = find_run(results)
    said = [*models.pretraining(run, "tiny"), *models.finetuning(run, FIT), *models.imbalance(run, FIT)]
    text = " ".join(one.text for one in said)
    assert "Learning rate 0.0005 (" in text
    assert "learning rate 0.003, " in text
    assert "Loss bce, " in text
    assert not any(file.startswith("config/") for one in said for file in one.files)
    for path in (results / "pretrain/tiny/encoder.json", results / "finetune/tiny/super/full-s0/model.json"):
        info = read_json(path)
        write_json(path, {key: value for key, value in info.items() if key not in ("pretrain", "finetune")})
    said = [*models.pretraining(run, "tiny"), *models.finetuning(run, FIT), *models.imbalance(run, FIT)]
    unsaid = "It was trained by an earlier ecglfm, which did not write its settings beside it."
    assert [one.text for one in said].count(unsaid) == 2
    assert not any("earning rate" in one.text for one in said)


def test_of_a_model_that_is_gone_it_is_not_said_that_an_earlier_ecglfm_trained_it(results: Path) -> None:
    """As after `ecglfm clean --keep reports`: its evaluation is left, its folder is not."""
    finish(results)
    shutil.rmtree(results / "finetune")
    run = find_run(results)
    _, said = models.finetuning(run, FIT)
    assert said == Said("Its model is no longer in the results, so its settings are not known.", (METRICS,), FIT.path)
    of = [*models.imbalance(run, FIT), *models.fitted(run, FIT), *models.decisions(run, FIT)]
    assert [one.text for one in of] == ["Thresholds: MI 0.250, NORM 0.500."]
    assert all((results / file).exists() for one in of for file in one.files)


def test_a_head_that_began_as_a_linear_probe_is_told(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "_told", lambda *_: FinetuneConfig(head_start="probe"))
    said = [one.text for one in models.finetuning(find_run(results), FIT)]
    assert said[1].endswith("learning rate 5e-05, batch size 128, weight decay 0.")
    assert said[2] == "The head began as a linear probe."


def test_batch_size_is_that_of_an_update_and_a_head_has_its_own_rate(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish(results)
    monkeypatch.setattr(models, "_told", lambda *_: FinetuneConfig(batch_size=16, accumulate=4, head_lr=1e-3))
    said = [one.text for one in models.finetuning(find_run(results), FIT)]
    assert said[1].endswith("learning rate 5e-05 (0.001 of the head), batch size 64, weight decay 0.")
    path = results / "finetune/tiny/super/full-s0/model.json"  # of two devices
    info = read_json(path)
    write_json(path, info | {"training": info["training"] | {"records_per_update": 128}})
    said = [one.text for one in models.finetuning(find_run(results), FIT)]
    assert "batch size 128," in said[1]


@pytest.mark.parametrize(
    ("kind", "whose"),
    [
        ("regression", "patients"),
        ("survival", "patients with the event"),
        ("multilabel", "positive or negative patients"),
    ],
)
def test_of_whom_a_label_needs_some_is_as_of_its_kind(results: Path, kind: str, whose: str) -> None:
    path = results / METRICS
    write_json(path, read_json(path) | {"kind": kind})
    texts = [one.text for one in models.measurement(find_run(results), FIT)]
    assert any(f"; labels of fewer than 1 {whose} have none." in text for text in texts), texts


def test_survival_says_at_which_times_and_of_how_many_events(results: Path) -> None:
    path = results / METRICS
    n = {"events": {"HF": 68}, "known": {"HF": 205}, "records": 205, "patients": 106}
    write_json(path, read_json(path) | {
        "kind": "survival", "n": n, "survival_times": {"HF": [0.30477, 2.0], "X": []},
        "calibration": {"fitted_on": "valid", "slope": {"HF": 0.8, "X": 1.0}},
    })  # fmt: skip
    run = find_run(results)
    said = [one.text for one in models.measurement(run, FIT)]
    assert "Survival of HF was judged at 0.3048, 2, as chosen on the validation split or in the config." in said
    assert sum("was judged at" in text for text in said) == 1
    assert [text for text in said if "Breslow" in text] == [
        "Log hazard ratios were read as probabilities by Breslow's baseline hazard of the validation split of log hazard"
        " ratios times HF 0.800, X 1.000."
    ]
    assert [one.text for one in models.counts(run, FIT)] == ["Test records with the event: HF 68 of 205."]


def test_a_head_that_was_solved_is_told_without_epochs_and_rates(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "_told", lambda *_: FinetuneConfig(linear_solver="lbfgs"))
    told = [one.text for one in models.finetuning(find_run(results), FittedModel("tiny", "super", "linear-s0"))]
    assert told == [
        "The encoder was frozen and a linear head trained on its vectors, seed 0.",
        "L-BFGS found the head of least loss with an L2 penalty, which the validation split chose by the loss.",
    ]
