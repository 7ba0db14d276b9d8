"""A kind of task that the project does not know goes from a database's column to the report; nothing else knows of it."""

from __future__ import annotations

import html
import json
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
import torch
from sklearn.metrics import cohen_kappa_score

from ecglfm import load_model
from ecglfm.config import EvaluateConfig, EvaluateSlice, FinetuneConfig, FinetuneSlice, TaskConfig, TaskSlice, UserError
from ecglfm.config.documentation import pages, schema
from ecglfm.config.finetuning import check_kind
from ecglfm.config.kinds import KINDS
from ecglfm.data.labels import describe, run_labels
from ecglfm.evaluation.comparison import run_compare
from ecglfm.evaluation.evaluate import run_evaluate
from ecglfm.evaluation.label_efficiency import run_label_efficiency
from ecglfm.evaluation.report.report import run_report
from ecglfm.provenance import read_json
from ecglfm.training.finetuning.finetune import run_finetune
from tests.unit.evaluation.toy_kind import GRADE, Cumulative
from tests.unit.training.finetuning.test_finetune import make_data, make_encoder

TASK = {"task": "severity", "kinds": {"s": "ptbxl"}}
LABELS = {"severity": {"ptbxl": {"value": "severity"}}}
FITS = ("linear-s0", "linear-s0-50pct")


@pytest.fixture(autouse=True, scope="module")
def _known() -> Iterator[None]:
    """As its name in `KINDS` would do."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(KINDS, "grade", GRADE)
        yield


def task_slice() -> TaskSlice:
    return TaskSlice.model_validate(TASK | {"config": {"kind": "grade", "sources": ["s"], "labels": LABELS}})


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two encoders with the same weights, each fitted to all and to half of the patients, evaluated and compared."""
    torch.set_num_threads(1)
    folder = make_data(tmp_path_factory.mktemp("grades"))
    manifest, labels = folder / "manifest/records.parquet", folder / "labels/severity.parquet"
    manifest.parent.mkdir()
    records = pd.read_parquet(folder / "records.parquet").assign(age=50.0, sex="male")
    records.to_parquet(manifest)
    planted = pd.read_parquet(folder / "labels.parquet").set_index("record_id")
    grade = (planted["label.fast"] + planted["label.big"]).astype(int).astype(str)
    grade[["s/000", "s/150"]] = ""
    index = records[["record_id", "patient_id", "source"]].assign(
        path="",
        age=50.0,
        sex="male",
        fold=pd.array([1] * len(records), dtype="Int64"),
        codes=[[]] * len(records),
        report=None,
    )
    index["native.severity"] = grade.to_numpy()
    (folder / "index").mkdir()
    index.to_parquet(folder / "index/s.parquet")
    run_labels(task_slice(), manifest, [folder / "index/s.parquet"], labels)
    config = FinetuneConfig(epochs=30, patience=30, head_lr=0.05, batch_size=32, select_by="kappa")
    for encoder in ("one", "other"):
        make_encoder(folder / "pretrain" / encoder)
        for fit in FITS:
            model = folder / "finetune" / encoder / "severity" / fit
            run_finetune(
                FinetuneSlice(finetune=config), fit=fit, encoder=folder / "pretrain" / encoder, task=task_slice(),
                labels=labels, manifest=manifest, signals=folder / "preprocess", output=model,
            )  # fmt: skip
            run_evaluate(
                EvaluateSlice(evaluate=EvaluateConfig(bootstrap=50)), model=model, labels=labels, manifest=manifest,
                signals=folder / "preprocess", output=folder / "evaluate" / encoder / "severity" / fit,
            )  # fmt: skip
    return folder


def test_its_column_is_labelled(results: Path) -> None:
    table = pd.read_parquet(results / "labels/severity.parquet")
    assert table.columns.tolist() == ["record_id", "patient_id", "source", "split", "grade.severity"]
    assert set(table["grade.severity"]) == {0, 1, 2}
    ledger = pd.read_parquet(results / "labels/severity.ledger.parquet")
    assert dict(zip(ledger["record_id"], ledger["reason"], strict=True)) == {
        "s/000": "label_unknown",
        "s/150": "label_unknown",
    }
    text = describe(task_slice(), results / "manifest/records.parquet", [results / "index/s.parquet"])
    assert "graded" in text
    assert f"{table['grade.severity'].mean():.4g}" in text.splitlines()[-1]


def test_it_is_learnt_and_saved_with_its_own_link(results: Path) -> None:
    folder = results / "finetune/one/severity/linear-s0"
    assert list(pd.read_csv(folder / "history.csv")) == ["epoch", "split", "loss", "kappa", "lr", "head_lr"]
    content = json.loads((folder / "model.json").read_text())
    assert content["kind"] == "grade"
    assert "thresholds" not in content
    link = load_model(folder).link
    assert type(link) is Cumulative
    expected = torch.tensor([[0.1], [1.0], [1.9]], dtype=torch.float64)
    torch.testing.assert_close(link.outputs(link.logits(expected)), expected)


def test_its_metric_is_scikit_learns(results: Path) -> None:
    folder = results / "evaluate/one/severity/linear-s0"
    table = pd.read_parquet(folder / "predictions.parquet")
    assert table.columns.tolist() == ["record_id", "patient_id", "split", "graded.severity", "expected.severity"]
    test = table[table["split"] == "test"]
    kappa = cohen_kappa_score(test["graded.severity"], test["expected.severity"].round(), weights="quadratic")
    metrics = read_json(folder / "metrics.json")
    entry = metrics["labels"]["severity"]["kappa"]
    assert entry["value"] == pytest.approx(kappa, abs=1e-9)
    assert kappa > 0.5
    assert entry["ci_low"] < kappa < entry["ci_high"]
    assert (metrics["kind"], metrics["n"]["known"]) == ("grade", {"severity": 31})


def test_encoders_are_compared_by_it(results: Path) -> None:
    output = results / "evaluate/comparison/severity.json"
    models = [f"{encoder}/linear-s0" for encoder in ("one", "other")]
    run_compare(EvaluateConfig(), evaluations=results / "evaluate", task="severity", models=models, output=output)
    (pair,) = read_json(output)["pairs"]
    assert (pair["metric"], pair["labels"]["severity"]["value"]) == ("kappa", 0.0)  # the same weights
    assert pair["labels"]["severity"]["first"] > 0.5
    include = [f"one/severity/{fit}" for fit in FITS]
    table = run_label_efficiency(results, include, results / "efficiency")
    assert (table["metric"] == "kappa").all()


def test_it_is_reported(results: Path) -> None:
    run_report(results, results / "report.html")
    page = html.unescape((results / "report.html").read_text())
    value = read_json(results / "evaluate/one/severity/linear-s0/metrics.json")["macro"]["kappa"]["value"]
    for text in (
        "Macro Kappa, quadratic</th>",
        f">{value:.3f}<",
        "Expected grade by grade</figcaption>",
        ">Known</th>",
    ):
        assert text in page


def test_it_is_documented() -> None:
    assert "or `survival` or `grade` | required | what the labels are: " in pages()["labels.md"]
    assert "or `cox` or `cumulative` | `auto` |" in pages()["finetune.md"]
    assert '"grade"' in schema()


def test_what_does_not_fit_it_is_one_line() -> None:
    with pytest.raises(
        UserError, match="finetune.loss: cox does not fit task t of kind grade; write one of auto, cumu"
    ):
        check_kind(FinetuneConfig(loss="cox"), "grade", "t")
    with pytest.raises(ValueError, match=r"labels\.x\.ptbxl: `kind: grade` needs `value`"):
        TaskConfig.model_validate({"kind": "grade", "labels": {"x": {"ptbxl": {"scp": ["A"]}}}})
