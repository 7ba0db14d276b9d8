"""Every kind of task through the real workflow, two encoders side by side, and with fewer patients."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.signal import butter, sosfiltfilt
from sklearn.metrics import roc_auc_score

from ecglfm import load_model
from ecglfm.config import LEADS
from ecglfm.models.seen import fingerprints, read_seen
from ecglfm.provenance import read_json
from tests.integration.conftest import Clone, make_small

pytestmark = pytest.mark.slow

PATIENTS = 120
TASKS = {
    "ectopy": {"kind": "binary", "labels": {"PVC": {"ptbxl": {"scp": ["PVC"]}}}},
    "rhythm": {
        "kind": "multiclass",
        "labels": {name: {"ptbxl": {"scp": [name]}} for name in ("SR", "SBRAD", "SVTAC")},
    },
    "years": {"kind": "regression", "labels": {"age": {"ptbxl": {"value": "age"}}}},
    "outcome": {
        "kind": "survival",
        "labels": {
            "death": {"ptbxl": {"file": {"path": "followup.csv", "by": "patient_id"}, "time": "years", "event": "died"}}
        },
    },
}
CONVNET = {
    "model": {"kind": "convnet", "dim": 16, "blocks": [1, 1], "stem": [8, 8, 16], "downsample": 5},
    "weights": "random",
    "input": {
        "leads": ["V5", "I", "II"], "sampling_rate": 250, "window_seconds": 2.5, "unit": "standardised",
        "record": [{"step": "resample", "rate": 250, "method": "every"}],
        "window": [{"step": "standardize", "over": "all"}],
    },
}  # fmt: skip
#: Of the other encoder, beside it in the same project, which prepares twelve leads at 500 Hz.
IN_MV = {
    "leads": list(LEADS), "sampling_rate": 500, "window_seconds": 5,
    "record": [{"step": "butterworth", "low": 0.5, "order": 2}],
}  # fmt: skip


@pytest.fixture(scope="module")
def evaluated(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """An encoder with random weights on a task of each kind; the outcomes are in a CSV of the user's own."""
    clone = make_small(repository, tmp_path_factory.mktemp("kinds") / "clone")
    clone.edit("config/sources/demo-ptbxl.yaml", patients=PATIENTS, exclude_patients="withdrawn.csv")
    (clone.root / "withdrawn.csv").write_text("nobody\n")
    for task, content in TASKS.items():
        clone.edit(f"config/tasks/{task}.yaml", sources=["demo-ptbxl"], **content)
    followup = [f"demo-ptbxl/{number},{1 + number / 10},{number % 3 % 2}" for number in range(1, PATIENTS + 1)]
    (clone.root / "config/followup.csv").write_text("\n".join(["patient_id,years,died", *followup]))
    clone.edit("config/encoders/convnet.yaml", **CONVNET)
    clone.edit("config/encoders/random-tiny.yaml", input=IN_MV)
    efficiency = {"fractions": [0.5, 1.0], "seeds": [0]}
    few = {"min_patients": 2}  # of so few patients every label would be `too few`
    clone.edit("config/config.yaml", finetune={"label_efficiency": efficiency}, evaluate=few)
    clone.edit("config/config.yaml", encoders=["random-tiny"], tasks=[*TASKS, "identification"])
    clone.snakemake()
    return clone


def measured(clone: Clone, task: str) -> tuple[dict, pd.DataFrame]:
    """Metrics of a task, and its predictions of the test split."""
    folder = clone.results / "evaluate/random-tiny" / task / "full-s0"
    table = pd.read_parquet(folder / "predictions.parquet")
    return read_json(folder / "metrics.json"), table[table["split"] == "test"]


def test_classes(evaluated: Clone) -> None:
    metrics, test = measured(evaluated, "rhythm")
    target = test[["target.SR", "target.SBRAD", "target.SVTAC"]].to_numpy()
    probability = test[["probability.SR", "probability.SBRAD", "probability.SVTAC"]].to_numpy()
    np.testing.assert_allclose(probability.sum(axis=1), 1, atol=1e-6)
    assert (target.sum(axis=1) == 1).all()
    for column, name in enumerate(("SR", "SBRAD", "SVTAC")):
        expected = roc_auc_score(target[:, column], probability[:, column])
        assert metrics["labels"][name]["auroc"]["value"] == pytest.approx(expected, abs=1e-9)
    index = pd.read_parquet(evaluated.results / "index/demo-ptbxl.parquet")
    rhythms = index["codes"].map(lambda codes: len({code["code"] for code in codes} & {"SR", "SBRAD", "SVTAC"}))
    ledger = pd.read_parquet(evaluated.results / "labels/rhythm.ledger.parquet")
    assert set(ledger["record_id"]) == set(index["record_id"][rhythms == 0])
    assert set(ledger["reason"]) == {"no_label"}


def test_numbers(evaluated: Clone) -> None:
    metrics, test = measured(evaluated, "years")
    ages = pd.read_parquet(evaluated.results / "index/demo-ptbxl.parquet").set_index("record_id")["age"]
    np.testing.assert_array_equal(test["target.age"], ages[test["record_id"]])
    error = np.abs(test["prediction.age"] - test["target.age"]).mean()
    assert metrics["labels"]["age"]["mae"]["value"] == pytest.approx(error, rel=1e-6)


def test_outcomes(evaluated: Clone) -> None:
    metrics, test = measured(evaluated, "outcome")
    number = test["patient_id"].str.removeprefix("demo-ptbxl/").astype(int)
    np.testing.assert_allclose(test["time.death"], 1 + number / 10, rtol=1e-6)
    np.testing.assert_array_equal(test["event.death"], number % 3 % 2)
    time, risk, event = (test[f"{name}.death"].to_numpy() for name in ("time", "risk", "event"))
    comparable = (event[:, None] == 1) & (time[:, None] < time)
    agreed = (risk[:, None] > risk) + 0.5 * (risk[:, None] == risk)
    expected = agreed[comparable].mean()
    assert metrics["labels"]["death"]["c_index"]["value"] == pytest.approx(expected, abs=1e-9)


def test_the_report_has_every_kind(evaluated: Clone) -> None:
    page = (evaluated.results / "report/index.html").read_text()
    for task, label, metric in (("ectopy", "PVC", "auroc"), ("years", "age", "mae"), ("outcome", "death", "c_index")):
        assert f"{measured(evaluated, task)[0]['labels'][label][metric]['value']:.3f}" in page


def test_people_are_told_apart(evaluated: Clone) -> None:
    """Every synthetic patient has a heart of his own in all recordings, which random weights let through, too."""
    folder = evaluated.results / "verify/random-tiny/identification"
    found, pairs = read_json(folder / "metrics.json"), pd.read_parquet(folder / "scores.parquet")
    records = pd.read_parquet(evaluated.results / "manifest/records.parquet").set_index("record_id")
    patients = [records["patient_id"][pairs[side]].to_numpy() for side in ("record_a", "record_b")]
    test = records[records["split"] == "test"]
    assert {*pairs["record_a"], *pairs["record_b"]} == set(test.index)
    np.testing.assert_array_equal(pairs["same"], patients[0] == patients[1])
    assert len(pairs) == len(test) * (len(test) - 1) / 2
    assert pairs["same"].sum() == test["patient_id"].nunique()  # two recordings each
    area = found["overall"]["auroc"]
    assert area["value"] == pytest.approx(roc_auc_score(pairs["same"], pairs["score"]), abs=1e-9)
    assert area["ci_low"] > 0.5
    assert f"{found['overall']['eer']['value']:.3f}" in (evaluated.results / "report/index.html").read_text()


def test_a_verification_trains_nothing(evaluated: Clone) -> None:
    assert not list(evaluated.results.glob("*/**/identification/full-s0"))
    assert not (evaluated.results / "labels/identification.parquet").exists()
    said = evaluated.snakemake("finetune_all", "--config", "tasks=[identification]", check=False)
    assert "--config's `tasks` names nothing but `kind: verification`: name some of config/tasks/*.yaml there" in said
    evaluated.edit("config/tasks/identification.yaml", max_pairs=1000)
    assert evaluated.planned() == {"verify_encoder": 1, "report": 1}


def test_two_encoders_are_compared(evaluated: Clone) -> None:
    few = "evaluate={min_patients: 4}"  # so many in test have PVC
    evaluated.snakemake("compare_all", "--config", "encoders=[random-tiny, convnet]", "tasks=[ectopy]", few)
    content = read_json(evaluated.results / "evaluate/comparison/ectopy.json")
    assert [model["encoder"] for model in content["models"]] == ["random-tiny", "convnet"]
    areas = []
    for encoder in ("random-tiny", "convnet"):
        table = pd.read_parquet(evaluated.results / "evaluate" / encoder / "ectopy/full-s0/predictions.parquet")
        test = table[table["split"] == "test"]
        areas.append(roc_auc_score(test["target.PVC"], test["probability.PVC"]))
    (pair,) = content["pairs"]
    assert pair["labels"]["PVC"]["value"] == pytest.approx(areas[0] - areas[1], abs=1e-9)
    page = (evaluated.results / "evaluate/comparison/index.html").read_text()
    assert f'<td class="n">{areas[0]:.3f}</td><td class="n">{areas[1]:.3f}</td>' in page
    assert 'random-tiny <span class="quiet">random weights</span>' in page
    assert page.count('/card.html">full-s0</a>') == 2  # made before the page that leads to them


def test_each_of_them_reads_by_its_own_contract(evaluated: Clone) -> None:
    """After the test before this one. What `predictions.parquet` says is what a model says of windows made by hand."""
    records = pd.read_parquet(evaluated.results / "manifest/records.parquet").set_index("record_id")
    shard = np.load(evaluated.results / "preprocess/demo-ptbxl/000.npy", mmap_mode="r")
    for encoder, length in (("random-tiny", 2500), ("convnet", 625)):
        made = [evaluated.results / stage / encoder for stage in ("finetune", "evaluate")]
        table = pd.read_parquet(made[1] / "ectopy/full-s0/predictions.parquet").set_index("record_id")
        row = records.loc[table.index[0]]
        signal = shard[row["offset"] : row["offset"] + row["n_samples"]] / 1000.0
        if encoder == "random-tiny":
            read = sosfiltfilt(butter(2, 0.5, "highpass", fs=500, output="sos"), signal, axis=0)
        else:
            read = signal[::2, [LEADS.index(lead) for lead in CONVNET["input"]["leads"]]]
        windows = read[: len(read) // length * length].reshape(-1, length, read.shape[1])
        if encoder == "convnet":
            windows = np.stack([(one - one.mean()) / one.std() for one in windows])
        model = load_model(made[0] / "ectopy/full-s0")
        x = torch.from_numpy(np.ascontiguousarray(windows.transpose(0, 2, 1), np.float32))
        with torch.inference_mode():
            said = model.calibrated(model.outputs(model(x)).numpy().mean(axis=0, keepdims=True))
        assert table["probability.PVC"].iloc[0] == pytest.approx(said[0, 0], abs=2e-5)


def test_statistics_stand_beside_a_fit_in_a_mode_that_they_have_not(evaluated: Clone) -> None:
    folder = evaluated.results / "evaluate"
    chosen = ["encoders=[random-tiny, statistics]", "tasks=[ectopy]", "finetune={modes: [full, linear]}"]
    evaluated.snakemake("card_all", "--config", *chosen)
    made = sorted(str(path.parent.relative_to(folder)) for path in folder.glob("*/ectopy/*/metrics.json"))
    fits = ["random-tiny/ectopy/full-s0", "random-tiny/ectopy/linear-s0", "statistics/ectopy/linear-s0"]
    assert [name for name in made if not name.startswith("convnet")] == fits
    value = read_json(folder / fits[2] / "metrics.json")["macro"]["auroc"]["value"]
    for fit in fits[:2]:
        card = (folder / fit / "card.html").read_text()
        assert (
            f'statistics <span class="quiet">signal statistics, linear-s0</span></td><td class="n">{value:.3f}' in card
        )
    said = evaluated.snakemake("-n", "--config", *chosen[:2], check=False)
    assert "`kind: statistics` has no weights to train, only a head on it: add linear" in said


def test_fewer_patients(evaluated: Clone) -> None:
    evaluated.snakemake("report", "label_efficiency", "--config", "tasks=[ectopy]")
    assert "Nothing to be done" in evaluated.snakemake("report", "-n", "--config", "tasks=[ectopy]")  # it was made last
    assert 'alt="Label efficiency"' in (evaluated.results / "report/index.html").read_text()
    table = pd.read_csv(evaluated.results / "evaluate/label_efficiency.csv")
    assert sorted(table["percent"]) == [50, 100]
    whole = table[table["percent"] == 100]["value"].item()
    assert whole == pytest.approx(measured(evaluated, "ectopy")[0]["macro"]["auroc"]["value"], abs=1e-9)
    evaluated.snakemake("label_efficiency", "--config", "tasks=[ectopy]", "--report", "report.html")
    caption = (evaluated.root / "workflow/report/label_efficiency.rst").read_text()
    assert caption[:30] in (evaluated.root / "report.html").read_text()


def _having(results: Path, gone: pd.DataFrame, signals: bytes) -> set[str]:
    """Stages with any of these recordings: an id in a table, a record's in a text, samples, a fingerprint."""
    prints = fingerprints(gone["sha256"])
    words, found = re.compile("|".join(rf"\b{re.escape(name)}\b" for name in gone["record_id"])), set()
    for path in (path for path in results.rglob("*") if path.is_file() and path.suffix != ".png"):
        if path.suffix == ".parquet":
            table = pd.read_parquet(path)
            columns = [column for column in table if column.startswith(("record_", "patient_id"))]
            has = any(
                table[column].isin(gone[column.replace("_a", "_id").replace("_b", "_id")]).any() for column in columns
            )
        elif path.name == "seen.safetensors":
            has = any(np.isin(prints, seen).any() for _, seen in read_seen(path).values())
        elif path.suffix == ".npy":
            has = signals in path.read_bytes()
        else:
            has = words.search(path.read_bytes().decode("utf-8", "replace")) is not None
        found |= {path.relative_to(results).parts[0]} if has else set()
    return found - {"synthetic"}  # which is the database


def test_everything_hangs_on_the_index(evaluated: Clone) -> None:
    """So an id in `exclude_patients`, which makes the index anew, makes anew whatever is asked for."""
    targets = [
        "all",
        "compare_all",
        "embed_all",
        "umap",
        "serial",
        "confounders",
        "lead_sets",
        "leaderboard",
        "label_efficiency",
        "evaluate_on",
        "discover",
    ]
    few = ["tasks=[ectopy, identification]", "model=results/finetune/random-tiny/ectopy/full-s0"]
    fit = "finetune={modes: [linear], label_efficiency: {fractions: [0.5], seeds: [0]}}"
    shown = evaluated.snakemake("--rulegraph", "dot", "--config", *few, fit, "--", *targets)
    rules = dict(re.findall(r'(\d+)\[label ?= ?"(\w+)"', shown))
    before: dict[str, set[str]] = {}
    for first, then in re.findall(r"(\d+) -> (\d+)", shown):
        before.setdefault(rules[then], set()).add(rules[first])

    def hangs(rule: str) -> bool:
        return rule == "index_source" or any(map(hangs, before.get(rule, ())))

    loose = {rule for rule in rules.values() if not hangs(rule)}
    assert loose == {"config_slice", "synthesize_database", "discover_simulate"}  # which invent the people
    stages = {path.stem for path in (evaluated.root / "workflow/rules").glob("*.smk")}
    made = {"card", "compare", "confounders", "discover", "embed", "evaluate", "finetune", "index", "ingest", "label",
            "lead_sets", "leaderboard", "manifest", "preprocess", "pretrain", "report", "serial", "summary", "umap", "verify"}  # fmt: skip
    assert all(any(rule.startswith(stage) for rule in set(rules.values()) - loose) for stage in made)
    assert {"label_efficiency", "evaluate_cohort"} <= set(rules.values())
    helpers = {
        "common",
        "config",
        "console",
        "download",
        "given",
        "labels",
        "tracking",
        "label_efficiency",
        "transport",
        *(stage for stage in stages if stage.startswith("discover_")),
    }
    assert stages - helpers == made - {"label"}  # a new stage is asked for here, too


def test_who_withdraws_is_gone_from_everything(evaluated: Clone) -> None:
    """The last test here: two people leave, one of train, one of test; what is not asked for again is told and removed."""
    results = evaluated.results
    table = pd.read_parquet(results / "manifest/records.parquet")
    others = table["record_id"].isin(table["patient_id"]).groupby(table["patient_id"]).transform("any")
    ours = table[~others & table["split"].isin(["train", "test"])]  # a text could name the one or the other
    people = ours.groupby("split")["patient_id"].first()
    gone = table[table["patient_id"].isin(people)]
    first = gone.iloc[0]
    shard = np.load(results / "preprocess/demo-ptbxl/000.npy", mmap_mode="r")
    signals = np.ascontiguousarray(shard[first["offset"] : first["offset"] + 500]).tobytes()
    stages = {"index", "ingest", "preprocess", "manifest", "labels", "finetune", "evaluate", "verify"}
    assert _having(results, gone, signals) >= stages
    (evaluated.root / "withdrawn.csv").write_text("\n".join(people))
    asked = ["--config", "tasks=[ectopy, identification]"]
    evaluated.snakemake(*asked)
    status = evaluated.ecglfm("status", *asked).stdout
    (told,) = (line for line in status.splitlines() if line.startswith("Made before people were left out"))
    assert " results/evaluate/" in told
    evaluated.ecglfm("clean", "--excluded", "--yes", *asked)
    assert _having(results, gone, signals) == set()
    assert "nothing to remove" in evaluated.ecglfm("clean", "--excluded", *asked).stdout
    assert set(evaluated.planned(*asked)) <= {"report"}  # which had a section of the label efficiency
    left = {folder.name for folder in (results / "finetune/random-tiny").iterdir()}
    assert left == {"ectopy"}
    predictions = measured(evaluated, "ectopy")[1]
    remaining = table[~table["patient_id"].isin(people) & (table["split"] == "test")]
    assert set(predictions["record_id"]) == set(remaining["record_id"])
