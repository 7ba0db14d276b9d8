"""The same workflow on genuine recordings: 300 records of PTB-XL, by the README's command."""

from __future__ import annotations

import itertools
import os
import shlex
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from ecglfm.config import EncoderSlice, Project, read_yaml
from ecglfm.evaluation.prediction import labelled_records, predict_records
from ecglfm.models.text.encoders import HashedText
from ecglfm.provenance import read_json
from ecglfm.training.finetuning import run_finetune
from ecglfm.training.pretraining import run_pretrain
from tests.integration.conftest import Clone, make_clone
from tests.pages import commands

pytestmark = pytest.mark.slow

RECIPE = "config/recipes/ptb-xl-small.yaml"
SUPERCLASSES = "ptbxl-superdiagnostic"


@pytest.fixture(scope="module")
def ptb_xl(repository: Path, real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of the recipe, whose trainings are cut short: what is looked at here is data, labels and what is measured."""
    clone = make_clone(repository, tmp_path_factory.mktemp("ptb-xl") / "clone")
    clone.edit("config/encoders/tiny.yaml", pretrain={"steps": 20, "schedule": {"warmup": 2}, "validate_every": 10})
    clone.edit(RECIPE, finetune={"epochs": 2}, evaluate={"bootstrap": 20})
    line = next(one for one in commands(clone.root / "README.md") if one.startswith(f"snakemake --configfile {RECIPE}"))
    clone.run(*shlex.split(line.replace("path/to/ptb-xl", os.path.relpath(real_data / "ptb-xl", clone.root))))
    return clone.root / "results/ptb-xl-small"


def test_every_record_goes_through_on_its_own_fold(ptb_xl: Path, real_data: Path) -> None:
    records = pd.read_parquet(ptb_xl / "manifest/records.parquet")
    table = pd.read_csv(real_data / "ptb-xl/ptbxl_database.csv")
    expected = table["strat_fold"].map(lambda fold: {9: "valid", 10: "test"}.get(fold, "train"))
    got = records.set_index("record_id")["split"].loc["ptbxl/" + table["ecg_id"].astype(str)]
    assert got.tolist() == expected.tolist()


def test_audit_finds_the_known_duplicates(ptb_xl: Path, real_data: Path) -> None:
    audit = read_json(ptb_xl / "manifest/audit.json")
    known = pd.read_csv(real_data / "ptb-xl/DUPLICATE_PAIRS.csv")
    found = {tuple(sorted((int(p["a"].split("/")[1]), int(p["b"].split("/")[1])))) for p in audit["duplicate_pairs"]}
    assert found == set(known.itertuples(index=False, name=None))
    assert [pair["crosses"] for pair in audit["duplicate_pairs"]] == [False, False]
    assert audit["passed"] is True


def test_labels_are_the_superclasses_of_the_reference_table(ptb_xl: Path, real_data: Path) -> None:
    labels = pd.read_parquet(ptb_xl / "labels/ptbxl-superdiagnostic.parquet").set_index("record_id")
    reference = pd.read_csv(real_data / "ptb-xl-metadata/ptbxl_ids_folds_labels.reconstructed.csv")
    reference = reference[reference["ecg_id"] <= 300].set_index("ecg_id")["super_class"].dropna()
    classes = {
        f"ptbxl/{ecg}": set(text.strip("[]").replace("'", "").split(", ")) - {""} for ecg, text in reference.items()
    }
    classes = {record: found for record, found in classes.items() if found}
    got = {
        record: {name.removeprefix("label.") for name in labels.columns if name.startswith("label.") and row[name] == 1}
        for record, row in labels.iterrows()
    }
    without_reference = {f"ptbxl/{ecg}" for ecg in (137, 139, 140, 141, 142, 145)}  # no row there
    assert set(got) - set(classes) == without_reference
    assert {record: found for record, found in got.items() if record in classes} == classes


def test_report_names_the_source_and_its_labels(ptb_xl: Path) -> None:
    page = (ptb_xl / "report/index.html").read_text()
    metrics = read_json(ptb_xl / "evaluate/tiny/ptbxl-superdiagnostic/full-s0/metrics.json")
    assert set(metrics["labels"]) == {"NORM", "MI", "STTC", "CD", "HYP"}
    for word in ("ptbxl", "NORM", "STTC", f"{metrics['macro']['auroc']['value']:.3f}"):
        assert word in page


LEVELS = ["all", "diagnostic", "subdiagnostic", "superdiagnostic", "form", "rhythm"]


@pytest.fixture(scope="module")
def levels(ptb_xl: Path, real_data: Path) -> Path:
    """Results of the same recipe for all six levels, as linear probes of an encoder with random weights."""
    clone = Clone(ptb_xl.parents[1])
    clone.snakemake("evaluate_all", "verify_all", *probes(clone, real_data))
    return ptb_xl


def probes(clone: Clone, real_data: Path, **changes: str) -> list[str]:
    """Options that name the recipe with linear probes in the place of its fits."""
    config = {
        "roots": f"{{ptbxl: {os.path.relpath(real_data / 'ptb-xl', clone.root)}}}",
        "encoders": "[random-tiny]",
        "tasks": f"[{', '.join(f'ptbxl-{level}' for level in LEVELS)}, identification]",
        "finetune": "{modes: [linear], epochs: 3, select_by: auroc}",
        "evaluate": "{bootstrap: 20}",
        "tracking": "{enabled: false}",
    }
    values = [f"{key}={value}" for key, value in (config | changes).items()]
    return ["--configfile", "config/recipes/ptb-xl-small.yaml", "--config", *values]


@pytest.mark.parametrize("level", LEVELS)
def test_a_level_is_measured_where_the_test_fold_has_its_labels(levels: Path, level: str) -> None:
    folder = levels / f"evaluate/random-tiny/ptbxl-{level}/linear-s0"
    metrics, table = read_json(folder / "metrics.json"), pd.read_parquet(folder / "predictions.parquet")
    labels = pd.read_parquet(levels / f"labels/ptbxl-{level}.parquet")
    labels = labels[labels["split"] == "test"].set_index("record_id").filter(like="label.")
    table = table.set_index("record_id").loc[labels.index]
    names = labels.columns.str.removeprefix("label.").tolist()
    assert list(metrics["labels"]) == names
    for name in names:
        target, area = labels[f"label.{name}"], metrics["labels"][name]["auroc"]
        assert metrics["n"]["positives"][name] == target.sum()
        if target.nunique() == 2:
            expected = roc_auc_score(target, table[f"probability.{name}"])
            assert area["value"] == pytest.approx(expected, abs=1e-6)
        else:
            word = "negative" if target.all() else "positive"
            nothing = {"value": None, "ci_low": None, "ci_high": None, "reason": f"no {word} test record"}
            assert area == nothing


@pytest.fixture(scope="module")
def board(levels: Path, real_data: Path, peers: Path) -> Path:
    """The leaderboard of two published networks, with the fixtures' small random weights, and two controls on level `all`.

    Of one of them it is planted that it was pretrained on PTB-XL.
    """
    clone = Clone(levels.parents[1])
    for name, file in (("ecgfounder", "ecgfounder/12_lead_ECGFounder.pth"), ("echonext", "echonext/weights.pt")):
        clone.ecglfm("import-checkpoint", peers / file, "--output", f"encoders/{name}")
    planted = "{weights: import, path: encoders/echonext, licence: a planted one, pretrained_on: [ptbxl]}"
    chosen = {"encoders": "[ecgfounder, planted, random-tiny, statistics]", "tasks": "[ptbxl-all]"}
    chosen |= {"define": f"{{encoders: {{planted: {planted}}}}}"}
    clone.snakemake("leaderboard", *probes(clone, real_data, **chosen))
    return levels / "leaderboard"


def test_the_leaderboard_has_what_evaluate_found(board: Path) -> None:
    table = pd.read_csv(board / "leaderboard.csv").set_index("encoder")
    page = (board / "index.html").read_text()
    assert table.loc["constant answer", "value"] == 0.5
    for encoder in ("ecgfounder", "planted", "random-tiny", "statistics"):
        row = table.loc[encoder]
        folder = board.parent / f"evaluate/{encoder}/ptbxl-all/linear-s0"
        entry = read_json(folder / "metrics.json")["macro"]["auroc"]
        assert [row[key] for key in ("value", "ci_low", "ci_high")] == pytest.approx(
            [entry[key] for key in ("value", "ci_low", "ci_high")], abs=1e-11
        )
        assert row["records_per_second"] > 0
        assert row["fit_hours"] > 0
        assert f"{entry['value']:.3f}" in page
    assert table.loc["statistics", "parameters"] == 0
    assert (table["protocol"] == "contract").all()


def test_the_leaderboard_knows_its_encoders(board: Path) -> None:
    table = pd.read_csv(board / "leaderboard.csv").set_index("encoder")
    founder, planted = table.loc["ecgfounder"], table.loc["planted"]
    assert (founder["licence"], planted["licence"]) == ("MIT", "a planted one")
    assert (founder["leak"], planted["leak"]) == ("no", "yes")
    assert planted["leak_why"] == "pretrained on PTB-XL, EchoNext: both have recordings of PTB-XL"
    assert pd.isna(planted["rank"])
    assert (planted["tasks"], planted["left_out"]) == (0, 1)
    assert sorted(table["rank"].dropna()) == [1, 2, 3]
    assert set(table["random"].dropna()) == {"random-tiny"}
    assert founder["published_value"] == 0.931344
    assert table["published_value"].notna().sum() == 1
    info = read_json(board.parent / "pretrain/ecgfounder/encoder.json")
    assert [step["step"] for step in info["input"]["record"]][1:] == [
        "notch", "butterworth", "median_baseline", "standardize"
    ]  # fmt: skip


def test_pairs_of_one_person_are_those_of_the_database(levels: Path, real_data: Path) -> None:
    """7 pairs in fold 10: one patient with four recordings, one with two; the others have one each."""
    scores = pd.read_parquet(levels / "verify/random-tiny/identification/scores.parquet")
    table = pd.read_csv(real_data / "ptb-xl/ptbxl_database.csv")
    table = table[table["strat_fold"] == 10]
    people = table.assign(record="ptbxl/" + table["ecg_id"].astype(str)).groupby("patient_id")["record"].agg(list)
    expected = {frozenset(pair) for records in people for pair in itertools.combinations(records, 2)}
    same = scores[scores["same"]]
    assert {frozenset(pair) for pair in zip(same["record_a"], same["record_b"], strict=True)} == expected
    assert len(scores) == len(table) * (len(table) - 1) / 2
    assert len(expected) == 7


@pytest.fixture(scope="module")
def aligned(ptb_xl: Path, repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encoder that was aligned with the reports of the recipe's training and validation records, for 20 updates."""
    folder = tmp_path_factory.mktemp("aligned")
    config = read_yaml(repository / "config/encoders/report-tiny.yaml")
    config["pretrain"] |= {
        "steps": 20,
        "batch_size": 8,
        "schedule": {"warmup": 2},
        "validate_every": 20,
        "log_every": 1,
    }
    slice_ = {"encoder": "report-tiny", "config": config, "preprocess": {"sampling_rate": 500}}
    run_pretrain(
        EncoderSlice.model_validate(slice_), manifest=ptb_xl / "manifest/records.parquet", index=ptb_xl / "index",
        signals=ptb_xl / "preprocess", output=folder, threads=1,
    )  # fmt: skip
    return folder


def test_it_is_aligned_with_the_reports_of_the_training_and_validation_folds(aligned: Path, real_data: Path) -> None:
    """German, English and Swedish ones, each once whatever its case; those of fold 10 are not read."""
    table = pd.read_csv(real_data / "ptb-xl/ptbxl_database.csv")
    said = {" ".join(text.casefold().split()) for text in table.loc[table["strat_fold"] != 10, "report"]}
    assert {"sinusrhythmus normales ekg", "sinus rhythm. normal ecg.", "sinusrytm normalt ekg"} <= said
    (vectors,) = (aligned / "reports").iterdir()
    np.testing.assert_array_equal(np.load(vectors), HashedText().encode(sorted(said)))
    course = pd.read_csv(aligned / "history.csv")
    assert course["reports"].tolist() == [1.0] * 21  # every recording has one, in validation, too
    assert read_json(aligned / "encoder.json")["training"]["warnings"] == []


def test_genuine_labels_are_asked_for_in_words(aligned: Path, ptb_xl: Path, repository: Path, tmp_path: Path) -> None:
    root = {"roots": {"ptbxl": "nowhere"}, "sources": ["ptbxl"], "encoders": ["tiny"], "tasks": [SUPERCLASSES]}
    project = Project(root, repository / "config")
    path, manifest = ptb_xl / f"labels/{SUPERCLASSES}.parquet", ptb_xl / "manifest/records.parquet"
    model = run_finetune(
        project.finetune_slice("tiny"), fit="zero_shot-s0", encoder=aligned, task=project.task_slice(SUPERCLASSES),
        labels=path, manifest=manifest, signals=ptb_xl / "preprocess", output=tmp_path,
    )  # fmt: skip
    info = read_json(tmp_path / "model.json")
    assert info["prompts"] == read_yaml(repository / f"config/tasks/{SUPERCLASSES}.yaml")["prompts"]
    assert info["training"]["train_records"] == 0
    labels = pd.read_parquet(path)
    records = labelled_records(labels, pd.read_parquet(manifest), model.label_names, path)
    table = predict_records(model, records, ptb_xl / "preprocess")
    assert table["record_id"].tolist() == sorted(labels.loc[labels["split"] != "train", "record_id"])
    said = table[[f"probability.{name}" for name in model.label_names]]
    assert sorted(model.label_names) == ["CD", "HYP", "MI", "NORM", "STTC"]
    assert ((said > 0) & (said < 1)).all(axis=None)
    assert (said.nunique() > 0.9 * len(said)).all()  # each recording has an answer of its own
    frequent = table.loc[table["split"] == "valid", [f"target.{name}" for name in model.label_names]].mean()
    valid = said[table["split"] == "valid"].mean()
    np.testing.assert_allclose(valid, frequent, atol=0.1)  # by the offsets: a cosine knows nothing of that
