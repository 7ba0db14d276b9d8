"""The cross-validated comparison keeps folds apart, and finds what is planted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from sklearn.metrics import roc_auc_score

from ecglfm.benchmark.pretraining.genuine import (
    TASK,
    Arm,
    Comparison,
    FoldPredictions,
    arm_slice,
    make_encoder,
    make_project,
    split,
)
from ecglfm.cli import main
from ecglfm.config import EncoderSlice, FinetuneConfig, Project, SourceConfig, SourceSlice
from ecglfm.config.fits import Fit
from ecglfm.models.bundle import load_encoder, load_model
from ecglfm.provenance import read_json, sha256_json
from ecglfm.records import data_hash
from ecglfm.sources.synthesis.database import run_synthesize
from ecglfm.training.finetuning.criterion import make_criterion
from ecglfm.training.finetuning.labelled import load_labelled
from ecglfm.training.finetuning.probed_head import best_probe
from ecglfm.training.inference import aggregate_by_record
from ecglfm.training.vectors import embed_windows


def test_the_tested_fold_is_never_pretrained_on_and_the_next_one_chooses() -> None:
    frame = pd.DataFrame(
        {"record_id": list("abcdef"), "split": "train", "fold": pd.array([0, 0, 1, 1, 2, 2], dtype="Int8")}
    )
    records = pa.Table.from_pandas(frame)
    labels = pa.Table.from_pandas(frame).replace_schema_metadata({"left_out": '{"HYP": "rare"}'})
    found = dict(split(records, labels, 2, 3))
    assert found["pretrain"].to_pandas()["record_id"].tolist() == list("abcd")
    assert set(found["pretrain"].to_pandas()["split"]) == {"train"}
    assert found["records"].to_pandas()["split"].tolist() == ["valid", "valid", "train", "train", "test", "test"]
    assert found["labels"].schema.metadata[b"left_out"] == b'{"HYP": "rare"}'
    assert not any("fold" in table.column_names for table in found.values())


def test_areas_are_of_each_fold_and_not_of_scores_of_several_models() -> None:
    rng = np.random.default_rng(0)
    folds, target = np.repeat([0, 1, 2], 20), rng.integers(0, 2, (60, 1)).astype(float)
    target[folds == 2] = 0.0  # a fold without positives says nothing
    score = rng.normal(size=(60, 1)) + target
    said = FoldPredictions(["a"], target, score, score, np.arange(60).astype(str), folds=folds)
    area, terms = said.influence(0)["auroc"]
    own = [roc_auc_score(target[folds == fold], score[folds == fold]) for fold in (0, 1)]
    assert area == pytest.approx(np.mean(own))
    moved = replace(said, probabilities=score + 100.0 * folds[:, None])  # pooled, this would decide
    assert moved.influence(0)["auroc"][0] == area
    weight = np.ones(60)
    weight[3] += 1e-5  # a term is what the mean gains by a record's weight
    heavier = [
        roc_auc_score(target[own], score[own], sample_weight=weight[own]) for own in (folds == fold for fold in (0, 1))
    ]
    assert terms[3] == pytest.approx((np.mean(heavier) - area) / 1e-5, rel=1e-3)
    assert not terms[folds == 2].any()


VIT = {"kind": "vit", "dim": 16, "layers": 1, "ffn_dim": 24, "heads": 2, "patch": 500}
TRAINING = {"steps": 9, "crop_seconds": 10.0, "objective": {"kind": "jepa"}}


def own_slice(**config: object) -> EncoderSlice:
    return EncoderSlice.model_validate({"encoder": "own", "config": {"model": VIT} | config, "preprocess": {}})


def made(own: EncoderSlice, told: EncoderSlice, output: Path) -> Path:
    make_encoder(own, told, output, manifest=output / "none", signals=output / "none")
    return output


def test_arms_differ_in_their_weights_alone(tmp_path: Path) -> None:
    """An imported encoder is what it is, not a random one; and segments are as long, which decide the windows of fits."""
    own = own_slice(pretrain=TRAINING)
    random = made(own, arm_slice(own, 3, None, random=True), tmp_path / "random")
    brought = own_slice(weights="import", path=str(random))
    same = made(brought, arm_slice(brought, 4, None, random=False), tmp_path / "same")
    other = made(brought, arm_slice(brought, 4, None, random=True), tmp_path / "other")
    weights = [(path / "encoder.safetensors").read_bytes() for path in (random, same, other)]
    assert weights[0] == weights[1] != weights[2]
    assert [load_encoder(path).crop_seconds for path in (random, same, other)] == [10.0] * 3
    assert read_json(other / "encoder.json")["weights"] == "random"
    going_on = own_slice(weights="import", path=str(random), pretrain=TRAINING)
    told = arm_slice(going_on, 4, 2, random=False).config
    assert (told.import_path, told.pretrain and (told.pretrain.steps, told.pretrain.seed)) == (str(random), (2, 4))


def test_an_encoder_that_keeps_checkpoints_or_weighs_sources_is_told_to_do_neither(repository: Path) -> None:
    pretrain = TRAINING | {"keep_every": {"steps": 7000}, "mixture": {"ptbxl": 2.0}}
    define = {"encoders": {"own": {"model": VIT, "pretrain": pretrain}}}
    content = {"sources": ["ptbxl"], "roots": {"ptbxl": "/"}, "encoders": ["own"], "tasks": [], "define": define}
    told = Arm("pretrained", "own").slice(Project(content, repository / "config"), 5, 3).config.pretrain
    assert told is not None
    assert (told.keep_every, told.mixture, told.sources, told.steps) == (None, None, ["ptbxl"], 3)


def test_shares_of_a_work_folder_from_before_are_fitted_again(
    tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Theirs had fewer updates; those of all patients are as they were."""
    settings, arm = FinetuneConfig(), Arm("pretrained", "tiny")
    monkeypatch.setattr(Comparison, "pretrained", lambda *_: tmp_path)
    project = make_project(repository / "config", tmp_path, ["tiny"], {})
    comparison = Comparison(project, tmp_path, folds=3, steps=None, fits={("tiny", "full"): settings})
    short = sha256_json(settings.model_dump(mode="json"))[:8]
    for name in ("full-s0", "full-s0-10pct"):
        for end in ("", "-as-all"):
            (tmp_path / f"{name}-{short}{end}").mkdir()
            (tmp_path / f"{name}-{short}{end}/test.parquet").touch()
    found = [comparison.fit(arm, Fit("full", 0, share), 1).name for share in (1.0, 0.1)]
    assert found == [f"full-s0-{short}", f"full-s0-10pct-{short}-as-all"]


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A PTB-XL of 36 patients, of whom every second has myocardial infarctions, and recordings a quarter as large."""
    root = tmp_path_factory.mktemp("planted")
    config = SourceConfig(kind="synthetic", layout="ptbxl", patients=36, records_per_patient=2, seed=5, shards=1)
    run_synthesize(SourceSlice(source="planted", config=config), root)
    table = pd.read_csv(root / "ptbxl_database.csv")
    ill = table["patient_id"].rank(method="dense") % 2 == 0
    table["scp_codes"] = np.where(ill, "{'IMI': 100.0, 'SR': 0.0}", "{'NORM': 100.0, 'SR': 0.0}")
    table.to_csv(root / "ptbxl_database.csv", index=False)
    for name in table.loc[ill, "filename_hr"]:
        header = root / f"{name}.hea"
        header.write_text(header.read_text().replace(" 1000.0(0)/mV ", " 4000.0(0)/mV "))
    return root


def is_the_solved_probe(fitted: Path, data: Path) -> bool:
    """Whether a model's head is the probe of the mean vectors of fold 1's records, its penalty by fold 2's."""
    model, at = load_model(fitted), data / "fold1"
    read = load_labelled(
        at / "labels.parquet", at / "records.parquet", data / "preprocess", "multilabel", Fit("full", 0)
    )
    table = read.signals.windows(model.encoder.crop_samples)
    vectors = aggregate_by_record(table["row"].to_numpy(), embed_windows(model.encoder, read.signals, table))
    x, y = (torch.from_numpy(array.astype(np.float64)) for array in (vectors, read.target))
    criterion = make_criterion(FinetuneConfig(), model.link, read.target[read.train])
    weight, bias = best_probe(x[read.train], y[read.train], x[read.valid], y[read.valid], criterion)
    found = torch.hstack([model.head.weight, model.head.bias[:, None]])
    return torch.allclose(found, torch.hstack([weight, bias[:, None]]).float(), rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_planted_labels_are_found_and_equal_arms_do_not_differ(
    planted: Path, repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository)
    command = ["benchmark", "pretraining", "--data", str(planted), "--quick", "--work", str(tmp_path)]
    assert main([*command, "--modes", "linear"]) == 0
    out = capsys.readouterr()
    *head, header, _, row = out.out.splitlines()
    assert "3 of 3" in out.err
    cells = dict(zip(header.split(" | "), row.split(" | "), strict=True))
    assert cells["statistics"] == "1.000"
    value = float(cells["pretrained"]) - float(cells["random"])
    assert float(cells["pretrained - random"].split()[0]) == pytest.approx(value, abs=0.0011)
    (data,) = tmp_path.iterdir()
    labels = pd.read_parquet(data / "labels.parquet")  # some recordings are left out for their quality
    assert head[1].startswith(f"{len(labels)} records of {labels['patient_id'].nunique()} patients")
    pretrained = [folder for folder in (data / "encoders").iterdir() if folder.name.startswith("tiny-")]
    for fold in range(3):  # what each encoder says of itself, against the manifest
        records = pd.read_parquet(data / f"fold{fold}/records.parquet")
        tested = records["split"] == "test"
        assert not set(records["patient_id"][tested]) & set(records["patient_id"][~tested])
        assert tested.any()
        free = pd.read_parquet(data / f"fold{fold}/pretrain.parquet")
        assert set(free["record_id"]) == set(records["record_id"][~tested])
        hashes = [
            read_json(path / "encoder.json")["data_hash"] for path in pretrained if path.name.endswith(f"f{fold}")
        ]
        assert sorted(hashes, key=str) == sorted([data_hash(free), None], key=str)  # None: random weights

    fitted = sorted((data / "encoders").glob("*-f1/linear-s0-*"))
    assert [path.parent.name.split("-")[0] for path in fitted] == ["statistics", "tiny", "tiny"]
    assert all(is_the_solved_probe(path, data) for path in fitted)

    project = make_project(repository / "config", planted, ["tiny"], {})
    comparison = Comparison(project, tmp_path, folds=3, steps=None, fits={})
    assert set(comparison.lacking(Fit("full", 0, 0.05), 1)) == {"MI", "NORM"}  # one patient, of one kind
    assert not any(comparison.lacking(Fit("full", seed, 0.17), 1) for seed in range(9))  # two, of both

    twice = ["--encoder", "random-tiny", "--scratch", "s4-small", "random-tiny"]
    assert main([*command, "--modes", "full", *twice]) == 0  # goes on from what is there
    *_, header, _, row = capsys.readouterr().out.splitlines()
    cells = dict(zip(header.split(" | "), row.split(" | "), strict=True))
    assert cells["pretrained"] == cells["random"] == cells["random-tiny from scratch"]
    assert cells["pretrained - random"].startswith("+0.000"), f"{TASK}: {row}"
