"""Planted differences are found, equal encoders are not called better, and recordings of a patient are no evidence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t as student
from sklearn.metrics import mean_absolute_error, r2_score, roc_auc_score

from ecglfm.config import UserError
from ecglfm.evaluation.comparison.comparison import run_compare
from ecglfm.evaluation.comparison.difference import holm
from ecglfm.provenance import read_json, write_json, write_parquet
from tests.unit.evaluation.comparison.planted import CONFIG, compare, planted, write, write_trainings


def test_planted_differences_and_no_others(tmp_path: Path) -> None:
    target, rng = planted(400, 20, seed=1)  # of a hundred such, five may have a false discovery
    noise = rng.normal(size=(2, 400, 20))
    strength = np.full((2, 20), 1.0)
    strength[0, :3], strength[1, 3:5] = 3.0, 4.0  # three labels for the first, two for the second
    target[:, 19] = 0  # one that nobody has
    for encoder, own, value in zip(("a", "b"), noise, strength, strict=True):
        write(tmp_path, f"{encoder}/full-s0", target, own + value * target)
    result = compare(tmp_path, "a/full-s0", "b/full-s0")
    (pair,) = result["pairs"]
    verdicts = [entry["verdict"] for entry in pair["labels"].values()]
    said = ["better as trained"] * 3 + ["worse as trained"] * 2 + ["no evidence"] * 14
    assert verdicts == [*said, None]
    assert pair["counts"] == {"better as trained": 3, "worse as trained": 2, "no evidence": 14}
    assert pair["labels"]["l19"] == {"value": None, "verdict": None, "reason": "no positive test record"}
    defined = [entry for entry in pair["labels"].values() if entry["value"] is not None]
    np.testing.assert_allclose([entry["p_holm"] for entry in defined], holm([entry["p"] for entry in defined]))
    areas = [[roc_auc_score(target[:, i], (own + value * target)[:, i]) for i in range(19)]
             for own, value in zip(noise, strength, strict=True)]  # fmt: skip
    assert pair["macro"]["first"] == pytest.approx(np.mean(areas[0]))
    assert pair["macro"]["value"] == pytest.approx(np.mean(areas[0]) - np.mean(areas[1]))
    assert (pair["macro"]["labels"], result["test"]["verdicts"]) == (19, {"labels": 19, "macro": 1})
    table = pd.read_csv(tmp_path / "evaluate/comparison/t.csv")
    assert table["label"].tolist() == ["macro", *pair["labels"]]
    assert table["difference"][1] == pytest.approx(pair["labels"]["l00"]["value"])


def test_what_an_encoder_saw_of_the_test_stands_beside_its_numbers(tmp_path: Path) -> None:
    target, rng = planted(60, 1)
    for encoder in ("leaky", "random", "silent"):
        write(tmp_path, f"{encoder}/full-s0", target, rng.random(target.shape))
    tested = pd.read_parquet(tmp_path / "evaluate/leaky/t/full-s0/predictions.parquet")
    records = tested[["record_id", "patient_id", "split"]].assign(
        source="s", sampling_rate=500, n_samples=5000, sha256=64 * "a"
    )
    write_parquet(tmp_path / "manifest/records.parquet", records)
    write_json(tmp_path / "manifest/audit.json", {"databases": {"s": ["ptbxl"]}})
    foreign = {"weights": "import", "imported": {"licence": "MIT", "pretrained_on": ["challenge2021"]}}
    write_json(tmp_path / "pretrain/leaky/encoder.json", foreign)
    write_json(tmp_path / "pretrain/random/encoder.json", {"weights": "random"})
    write_json(tmp_path / "pretrain/silent/encoder.json", {"weights": "import"})
    found = compare(tmp_path, "leaky/full-s0", "random/full-s0", "silent/full-s0")["encoders"]
    why = "pretrained on Challenge 2021: both have recordings of PTB-XL"
    assert found["leaky"] == {
        "licence": "MIT", "pretraining": "Challenge 2021", "seen": "yes", "why": why,
        "sources": {"s": {"seen": "yes", "why": why}},
    }  # fmt: skip
    table = pd.read_csv(tmp_path / "evaluate/comparison/t.csv").groupby(["first", "second"], sort=False).first()
    assert table[["first_seen", "second_seen"]].to_numpy().tolist() == [
        ["yes", "no"], ["yes", "unknown"], ["no", "unknown"],
    ]  # fmt: skip
    assert table["seen_why"].iloc[0] == f"leaky: {why}; random: random weights: no pretraining"


def test_equal_encoders(tmp_path: Path) -> None:
    target, rng = planted(300, 40, seed=1)
    for encoder in "ab":
        write(tmp_path, f"{encoder}/full-s0", target, rng.normal(size=target.shape) + target)
    (pair,) = compare(tmp_path, "a/full-s0", "b/full-s0")["pairs"]
    assert pair["counts"] == {"no evidence": 40}
    assert pair["macro"]["verdict"] == "no evidence"


def test_copies_of_recordings_are_no_evidence(tmp_path: Path) -> None:
    target, rng = planted(60, 1, seed=1)
    scores = {name: rng.normal(size=target.shape) + k * target for name, k in (("a", 1.5), ("b", 0.9))}
    said = {}
    for each in (1, 12):
        for name, score in scores.items():
            write(tmp_path / str(each), f"{name}/full-s0", target, score, each)
        (said[each],) = compare(tmp_path / str(each), "a/full-s0", "b/full-s0")["pairs"]
    once, often = (said[each]["labels"]["l00"] for each in (1, 12))
    assert once["p"] > 0.05
    assert [often[key] for key in ("p", "ci_low", "value")] == pytest.approx(
        [once[key] for key in ("p", "ci_low", "value")]
    )
    assert often["verdict"] == once["verdict"] == "no evidence"


def test_settings_are_compared_with_their_like_over_all_seeds(tmp_path: Path) -> None:
    target, rng = planted(80, 2)
    for model in ("a/full-s0", "a/full-s1", "b/full-s0", "a/linear-s0", "b/linear-s0", "c/linear-s0-10pct"):
        write(tmp_path, model, target, rng.normal(size=target.shape) + target)
    models = ["a/full-s0", "a/full-s1", "a/linear-s0", "b/full-s0", "b/linear-s0", "c/linear-s0-10pct"]
    result = compare(tmp_path, *models)
    assert [(pair["first"], pair["second"], pair["setting"]) for pair in result["pairs"]] == [
        ("a", "b", "full"), ("a", "b", "linear"),
    ]  # fmt: skip
    assert result["models"][0] == {"encoder": "a", "setting": "full", "fits": ["full-s0", "full-s1"]}
    seeds = [compare(tmp_path, f"a/full-s{seed}", "b/full-s0")["pairs"][0]["labels"]["l01"] for seed in (0, 1)]
    both = result["pairs"][0]["labels"]["l01"]
    assert both["first"] == pytest.approx(np.mean([entry["first"] for entry in seeds]))
    assert both["second"] == seeds[0]["second"]


def test_variants_are_compared_with_the_plain_fit_and_with_other_encoders(tmp_path: Path) -> None:
    target, rng = planted(80, 2)
    models = ["a/full-s0", "a/full-s0-lr3", "b/full-s0", "b/linear-s0-lr3"]
    for model in models:
        write(tmp_path, model, target, rng.normal(size=target.shape) + target)
    result = compare(tmp_path, *models)
    assert [(pair["first"], pair["second"], pair["setting"]) for pair in result["pairs"]] == [
        ("a", "a lr3", "full"), ("a", "b", "full"), ("a lr3", "b", "full"),
    ]  # fmt: skip
    assert result["models"][1] == {"encoder": "a", "setting": "full", "fits": ["full-s0-lr3"]}


def test_other_records_are_refused(tmp_path: Path) -> None:
    target, rng = planted(40, 1)
    write(tmp_path, "a/full-s0", target, rng.random(target.shape))
    write(tmp_path, "b/full-s0", target[1:], rng.random((39, 1)))
    with pytest.raises(
        UserError, match=r"b/t/full-s0/predictions.parquet: other test records or labels than .*a/t/full-s0"
    ):
        compare(tmp_path, "a/full-s0", "b/full-s0")
    write(tmp_path, "b/full-s0", target, rng.random(target.shape))
    path = tmp_path / "evaluate/b/t/full-s0/predictions.parquet"
    table = pd.read_parquet(path)
    table["record_id"] += "b"  # the same patients and truth
    write_parquet(path, table)
    with pytest.raises(UserError, match="other test records or labels"):
        compare(tmp_path, "a/full-s0", "b/full-s0")
    with pytest.raises(UserError, match=r"c/t/full-s0/metrics.json: no such file; run `evaluate`"):
        compare(tmp_path, "a/full-s0", "c/full-s0")


def write_ages(results: Path, encoder: str, age: np.ndarray, predicted: np.ndarray, names: list[str]) -> None:
    """A model of quantities; a patient has one recording."""
    table = pd.DataFrame({"record_id": [f"s/{i:05d}" for i in range(len(age))], "split": "test"})
    table["patient_id"] = table["record_id"]
    for i, name in enumerate(names):
        table[f"target.{name}"], table[f"prediction.{name}"] = age[:, i], predicted[:, i]
    write_parquet(results / f"evaluate/{encoder}/t/full-s0/predictions.parquet", table)
    write_json(results / f"evaluate/{encoder}/t/full-s0/metrics.json", {"label_names": names, "kind": "regression"})


def test_quantities_are_compared_by_error_and_correlation(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    names = ["planted", "equal", "constant"]
    age = 60 + 15 * rng.normal(size=(300, 3))
    age[:, 2] = 7
    good, poor = (age + error * rng.normal(size=age.shape) for error in (6, [12, 6, 6]))
    write_ages(tmp_path, "a", age, good, names)
    write_ages(tmp_path, "b", age, poor, names)
    pairs = {pair["metric"]: pair for pair in compare(tmp_path, "a/full-s0", "b/full-s0")["pairs"]}
    assert list(pairs) == ["mae", "r2", "pearson"]
    for metric, pair in pairs.items():
        said = {name: entry["verdict"] for name, entry in pair["labels"].items()}
        constant = "no evidence" if metric == "mae" else None  # it has an error, but nothing to follow
        assert said == {"planted": "better as trained", "equal": "no evidence", "constant": constant}, metric
    tested = [entry for pair in pairs.values() for entry in pair["labels"].values() if entry["value"] is not None]
    assert len(tested) == 7  # one family over the metrics
    np.testing.assert_allclose([entry["p_holm"] for entry in tested], holm([entry["p"] for entry in tested]))
    error = np.abs(good[:, 0] - age[:, 0]) - np.abs(poor[:, 0] - age[:, 0])  # of MAE it is the paired t-test
    half = student.ppf(0.975, 299) * error.std(ddof=1) / np.sqrt(300)
    assert pairs["mae"]["labels"]["planted"]["ci_high"] == pytest.approx(error.mean() + half)
    assert pairs["r2"]["labels"]["constant"]["reason"] == "all known values of the test records are equal"
    # smaller is better for the error alone
    errors = [mean_absolute_error(age[:, 0], table[:, 0]) for table in (good, poor)]
    mae, r2 = pairs["mae"]["labels"]["planted"], pairs["r2"]["labels"]["planted"]
    assert mae["value"] == pytest.approx(errors[0] - errors[1])
    assert mae["ci_high"] < 0 < r2["ci_low"]
    assert r2["first"] == pytest.approx(r2_score(age[:, 0], good[:, 0]))
    table = pd.read_csv(tmp_path / "evaluate/comparison/t.csv")
    assert table["metric"].tolist() == ["mae"] * 4 + ["r2"] * 4 + ["pearson"] * 4
    assert table["label"].tolist() == ["macro", *names] * 3


def test_survival_is_compared_by_concordance(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    names = ["death", "stroke", "never"]
    hidden = rng.normal(size=(300, 3))
    died, left = rng.exponential(10 / np.exp(hidden)), rng.uniform(2, 20, (300, 3))
    left[:, 2], died[:, 2] = 1, 2
    for encoder, noise in (("a", [0.2, 1, 1]), ("b", [3, 1, 1])):
        risk = hidden + noise * rng.normal(size=(300, 3))
        table = pd.DataFrame({"record_id": [f"s/{i:05d}" for i in range(300)], "split": "test"})
        table["patient_id"] = table["record_id"]
        for i, name in enumerate(names):
            table[f"time.{name}"] = np.minimum(died, left)[:, i]
            table[f"event.{name}"] = (died <= left)[:, i].astype(float)
            table[f"risk.{name}"] = risk[:, i]
        folder = tmp_path / f"evaluate/{encoder}/t/full-s0"
        write_parquet(folder / "predictions.parquet", table)
        write_json(folder / "metrics.json", {"label_names": names, "kind": "survival"})
    (pair,) = compare(tmp_path, "b/full-s0", "a/full-s0")["pairs"]
    assert pair["metric"] == "c_index"
    assert {name: entry["verdict"] for name, entry in pair["labels"].items()} == {
        "death": "worse as trained", "stroke": "no evidence", "never": None,
    }  # fmt: skip
    assert pair["labels"]["never"]["reason"] == "no event among the test records"
    assert pair["macro"]["verdict"] == "worse as trained"


def test_a_handful_of_patients_is_no_evidence(tmp_path: Path) -> None:
    """19 of them, and one encoder knows the truth; with the twentieth it is better."""
    rng = np.random.default_rng(0)
    for count, word, macro in ((19, "too few", None), (20, "better as trained", "better as trained")):
        target = (np.arange(count) % 2)[:, None].astype(float)
        for encoder, score in (("good", 0.9 * target + 0.05), ("bad", rng.random((count, 1)))):
            write(tmp_path, f"{encoder}/full-s0", target, score)
        output = tmp_path / "out.json"
        run_compare(
            CONFIG, evaluations=tmp_path / "evaluate", task="t", models=["good/full-s0", "bad/full-s0"], output=output
        )
        (pair,) = read_json(output)["pairs"]
        assert (pair["labels"]["l00"]["verdict"], pair["macro"]["verdict"]) == (word, macro)


def test_a_label_of_four_positive_patients_has_no_verdict_and_no_part_in_the_macro_value(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    target = np.zeros((200, 2))
    target[:60, 0], target[:4, 1] = 1, 1
    for encoder, strength in (("good", 5), ("bad", 0)):
        write(tmp_path, f"{encoder}/full-s0", target, rng.normal(size=target.shape) + strength * target, each=2)
    (pair,) = compare(tmp_path, "good/full-s0", "bad/full-s0")["pairs"]
    rare = pair["labels"]["l01"]
    assert (rare["verdict"], rare["reason"]) == ("too few", "too few: 4 positive patients, 5 are wanted")
    assert (rare["ci_low"], rare["ci_high"], "p" in rare) == (None, None, False)
    assert 0 < rare["value"] < rare["first"] <= 1
    assert pair["macro"]["value"] == pair["labels"]["l00"]["value"]
    assert (pair["macro"]["labels"], pair["macro"]["verdict"]) == (1, "better as trained")


def test_trainings_that_differ_by_chance_are_no_evidence(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Three seeds each of one recipe: the patients see a difference, the spread of the trainings explains it."""
    offsets = {"a": [0.15, 0.0, 0.12], "b": [0.0, -0.1, 0.05]}
    (pair,) = compare(tmp_path, *write_trainings(tmp_path, offsets))["pairs"]
    assert (pair["seeds"], pair["trainings_tested"], pair["macro"]["verdict"]) == ([3, 3], True, "no evidence")
    assert not caplog.messages
    (pair,) = compare(tmp_path, "a/full-s0", "b/full-s0")["pairs"]
    assert (pair["seeds"], pair["trainings_tested"]) == ([1, 1], False)
    assert pair["macro"]["verdict"] == "better as trained"
    assert caplog.messages == [
        "task t: the chance of a training is not tested: encoders have one seed; list several in finetune.seeds"
    ]


def test_several_seeds_that_agree_are_a_verdict_on_the_recipe(tmp_path: Path) -> None:
    offsets = {"a": [0.5, 0.52, 0.48], "b": [0.0, 0.03, -0.02]}
    (pair,) = compare(tmp_path, *write_trainings(tmp_path, offsets))["pairs"]
    assert pair["macro"]["verdict"] == "better"
    assert pair["counts"] == {"better": 3}


def test_all_pairs_are_one_family(tmp_path: Path) -> None:
    target, rng = planted(200, 4, seed=1)
    for encoder in "abcd":
        write(tmp_path, f"{encoder}/full-s0", target, rng.normal(size=target.shape) + target)
    result = compare(tmp_path, *(f"{encoder}/full-s0" for encoder in "abcd"))
    assert result["test"]["verdicts"] == {"labels": 24, "macro": 6}
    entries = [entry for pair in result["pairs"] for entry in pair["labels"].values()]
    np.testing.assert_allclose([entry["p_holm"] for entry in entries], holm([entry["p"] for entry in entries]))
    macros = [pair["macro"] for pair in result["pairs"]]
    np.testing.assert_allclose([entry["p_holm"] for entry in macros], holm([entry["p"] for entry in macros]))
