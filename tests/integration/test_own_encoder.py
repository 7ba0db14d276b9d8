"""docs/trained-encoder.md: a trained encoder, a folder of recordings and a CSV become a model, by one file."""

from __future__ import annotations

import os
import shlex
import shutil
from pathlib import Path

import pandas as pd
import pytest

from ecglfm.provenance import read_json
from tests.integration.conftest import Clone, make_clone
from tests.pages import blocks, commands

pytestmark = pytest.mark.slow

MODEL = "finetune/trained/diagnoses/full-s0"


PAGE = "docs/trained-encoder.md"


def _commands(clone: Clone) -> list[str]:
    return [command for command in commands(clone.root / PAGE) if "mine.yaml" in command]


def _block(clone: Clone, language: str) -> str:
    (block,) = blocks(clone.root / PAGE, language)
    return block.text


@pytest.fixture(scope="module")
def own(demo: Clone, repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """The demo's encoder beside recordings of the demo, with a CSV as the page shows it; and what its file makes."""
    clone = make_clone(repository, tmp_path_factory.mktemp("own") / "clone")
    shutil.copytree(demo.results / "pretrain/tiny", clone.results / "pretrain/tiny")
    (clone.root / "mine.yaml").write_text(_block(clone, "yaml"))
    _cohort(demo, clone.root / "path/to/records", slice(0, 80), clone)
    clone.edit("config/config.yaml", tracking={"enabled": False}, finetune={"epochs": 1}, evaluate={"bootstrap": 20})
    command = shlex.split(_commands(clone)[0])
    clone.run(command[0], "finetune_all", *command[1:])  # what follows is the demo's
    return clone


def _cohort(demo: Clone, target: Path, patients: slice, clone: Clone) -> pd.DataFrame:
    """Recordings of some patients of the demo, by the page's table: one condition in 0 and 1, one as a code."""
    root = demo.results / "synthetic/demo-ptbxl"
    table = pd.read_csv(root / "ptbxl_database.csv").sort_values("patient_id")
    table = table[table["patient_id"].isin(table["patient_id"].unique()[patients])]
    rows = pd.DataFrame(
        {
            "file": table["filename_hr"],
            "person": table["patient_id"],
            "afib": table["scp_codes"].str.contains("AFIB").astype(int),
            "icd": table["scp_codes"].str.contains("CLBBB").map({True: "I10; I44.7", False: "I10"}),
        }
    )
    assert _block(clone, "text").splitlines()[0] == ",".join(rows.columns)
    for name in rows["file"]:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        for ending in (".hea", ".dat"):
            shutil.copy(root / f"{name}{ending}", target / f"{name}{ending}")
    rows.to_csv(target / "diagnoses.csv", index=False)
    return rows


def test_labels_are_those_of_the_csv_and_patients_stay_together(own: Clone) -> None:
    rows = pd.read_csv(own.root / "path/to/records/diagnoses.csv")
    labels = pd.read_parquet(own.results / "mine/labels/diagnoses.parquet")
    assert (labels["label.AFIB"].sum(), labels["label.LBBB"].sum()) == (
        rows["afib"].sum(), rows["icd"].str.contains("I44.7").sum(),
    )  # fmt: skip
    assert labels.groupby("patient_id")["split"].nunique().max() == 1
    assert labels["patient_id"].nunique() == rows["person"].nunique() == 80


def test_the_model_stands_on_the_imported_encoder(own: Clone) -> None:
    about = read_json(own.results / "mine" / MODEL / "model.json")
    assert about["label_names"] == ["AFIB", "LBBB"]
    assert (about["encoder"]["name"], about["encoder"]["training"]["steps"]) == ("trained", 400)


def test_another_encoder_in_the_folder_is_fitted_anew(own: Clone) -> None:
    path = own.results / "pretrain/tiny/encoder.json"
    before, times = path.read_text(), path.stat()
    try:
        path.write_text(before.replace('"name": "tiny"', '"name": "tinier"'))
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))  # as `rsync -a` would leave it
        planned = own.planned("finetune_all", *shlex.split(_commands(own)[0])[1:])
        assert planned == {"pretrain_encoder": 1, "finetune_model": 1, "finetune_all": 1}
    finally:
        path.write_text(before)


def test_the_model_is_measured_in_another_clinic(own: Clone, demo: Clone) -> None:
    """By the page's command, on patients of whom some were in its training: they are recognised, the others counted."""
    rows = _cohort(demo, own.root / "path/to/clinic", slice(40, 100), own)
    own.run("bash", "-c", _commands(own)[1])
    folder = own.results / "clinic/transport/trained-diagnoses-full-s0/diagnoses"
    thresholds = read_json(own.results / "mine" / MODEL / "model.json")["thresholds"]
    metrics, page = read_json(folder / "metrics.json"), (folder / "index.html").read_text()
    assert metrics["cohort"] == {"records": len(rows), "patients": 60}
    mine = pd.read_parquet(own.results / "mine/manifest/records.parquet")
    fitted = set(mine.loc[mine["split"].isin(["train", "valid"]), "record_id"])
    expected = sum(f"mine/{name}" in fitted for name in rows["file"])
    assert metrics["acquaintance"]["finetuning"]["records"] == expected > 20
    assert "Fine-tuning saw" in page
    assert [way["name"] for way in metrics["ways"]] == ["as_is", "prior_shift", "local_50"]
    assert metrics["ways"][0]["labels"]["AFIB"]["threshold"] == thresholds[0]
