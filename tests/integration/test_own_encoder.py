"""README's second chapter: a trained encoder, a folder of recordings and a CSV become a model, by one file."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pandas as pd
import pytest

from ecglfm import load_model
from tests.integration.conftest import Clone, make_clone

pytestmark = pytest.mark.slow


def _chapter(clone: Clone) -> str:
    return (
        (clone.root / "README.md")
        .read_text()
        .partition("## Your own encoder on your own data\n")[2]
        .partition("\n## ")[0]
    )


def _commands(clone: Clone) -> list[str]:
    return re.findall(r"^    (snakemake .*)$", _chapter(clone), re.M)


@pytest.fixture(scope="module")
def own(demo: Clone, repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """The demo's encoder beside recordings of the demo, with a CSV as the README shows it; and what its file makes."""
    clone = make_clone(repository, tmp_path_factory.mktemp("own") / "clone")
    shutil.copytree(demo.results / "pretrain/tiny", clone.results / "pretrain/tiny")
    (clone.root / "mine.yaml").write_text(re.search(r"```yaml\n(.*?)```", _chapter(clone), re.S)[1])
    _cohort(demo, clone.root / "path/to/records", slice(0, 120), clone)
    clone.edit("config/config.yaml", tracking={"enabled": False}, finetune={"epochs": 2}, evaluate={"bootstrap": 20})
    command = shlex.split(_commands(clone)[0])
    clone.run(command[0], "evaluate_all", *command[1:])
    return clone


def _cohort(demo: Clone, target: Path, patients: slice, clone: Clone) -> pd.DataFrame:
    """Recordings of some patients of the demo, by the README's table: one condition in 0 and 1, one as a code."""
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
    header = re.search(r"```\n(file,.*)\n", _chapter(clone))[1]
    assert header == ",".join(rows.columns)
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
    assert labels["patient_id"].nunique() == rows["person"].nunique() == 120


def test_the_model_stands_on_the_imported_encoder(own: Clone) -> None:
    model = load_model(own.results / "mine/finetune/trained/diagnoses/full-s0")
    assert model.label_names == ["AFIB", "LBBB"]
    assert model.encoder.info["name"] == "trained"
    assert (own.results / "mine/evaluate/trained/diagnoses/full-s0/metrics.json").exists()


def test_nothing_is_left_to_do_until_the_folder_changes(own: Clone) -> None:
    command = shlex.split(_commands(own)[0])[1:]
    assert own.planned("evaluate_all", *command) == {}
    path = own.results / "pretrain/tiny/encoder.json"
    before = path.read_text()
    try:
        path.write_text(before.replace('"name": "tiny"', '"name": "tinier"'))
        assert own.planned("finetune_all", *command) == {"pretrain_encoder": 1, "finetune_model": 1, "finetune_all": 1}
    finally:
        path.write_text(before)


def test_an_encoder_of_another_rate_is_told_before_anything_runs(own: Clone) -> None:
    done = own.run("bash", "-c", f"{_commands(own)[0]} -n --config 'preprocess={{sampling_rate: 250}}'", check=False)
    assert done.returncode != 0
    where = "mine.yaml: define.encoders.trained: path: results/pretrain/tiny"
    assert f"{where}: its sampling_rate is 500, this project's is 250; make them agree" in done.stdout
    assert "Traceback" not in done.stdout
