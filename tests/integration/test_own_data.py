"""Recordings of the user's own, by the README's command: no label set, no encoder, and what is wrong is seen."""

from __future__ import annotations

import html
import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from tests.integration.conftest import planned_in
from tests.pages import blocks, commands

pytestmark = pytest.mark.slow

README = "snakemake --configfile config/recipes/own-data.yaml --config 'roots={mine: path/to/records}'"
RESULTS = "results/own-data"


def _add(clone, real_data: Path, names: list[str]) -> Path:
    """Genuine recordings in the folder that the README's command names."""
    root = clone.root / "path/to/records"
    root.mkdir(parents=True, exist_ok=True)
    for name in names:
        for ending in (".hea", ".dat"):
            shutil.copy(real_data / f"ptb-xl/records500/00000/{name}{ending}", root)
    return root


def _holding(folder: Path, text: str) -> list[str]:
    """Files that hold a text, in a cell or anywhere."""
    found = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        content = pd.read_parquet(path).to_csv().encode() if path.suffix == ".parquet" else path.read_bytes()
        found += [str(path.relative_to(folder))] if text.encode() in content else []
    return found


def _words(clone) -> str:
    page = (clone.root / RESULTS / "manifest/summary.html").read_text()
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())


def test_readme_command_ends_with_the_summary(clone, real_data: Path) -> None:
    for page in ("README.md", "docs/own-ecgs.md"):
        assert README in commands(clone.root / page)
    root = _add(clone, real_data, ["00001_hr", "00002_hr", "00003_hr"])
    (root / "00009_hr.dat").write_bytes(b"")
    (clone.root / "withdrawn.csv").write_text("77\n")
    clone.edit("config/sources/mine.yaml", exclude_patients="withdrawn.csv")
    shown = clone.run(*shlex.split(README)).stdout
    passed_over = f"{root}: 1 signal file has no header of its name, the first: 00009_hr"
    assert f"{RESULTS}/index/mine.parquet: warning: {passed_over}" in shown
    records = pd.read_parquet(clone.root / RESULTS / "manifest/records.parquet")
    assert records["record_id"].tolist() == ["mine/00001_hr", "mine/00002_hr", "mine/00003_hr"]
    words = _words(clone)
    assert "3 raw records 3 records used 3 patients 0 records dropped" in words
    assert f"mine : {passed_over}" in words
    empty = sorted({"train", "valid", "test"} - set(records["split"]))
    assert sorted(re.findall(r"warning: no record is in the split (\w+);", shown)) == empty
    assert sorted(re.findall(r"No record is in the split (\w+)\.", words)) == empty
    assert not (clone.root / RESULTS / "report").exists()
    assert "Nothing to be done" in clone.run(*shlex.split(README)).stdout
    clone.run(*shlex.split(README.replace("snakemake", "snakemake report")))  # also without a model
    assert "1 of its 1 id matches nobody" in words

    (clone.root / "withdrawn.csv").write_text("77\n00002_hr\n")  # a patient of no known id goes by the record's
    assert _holding(clone.root / RESULTS, "00002_hr")
    clone.run(*shlex.split(README.replace("snakemake", "snakemake report")))
    assert _holding(clone.root / RESULTS, "00002_hr") == []
    assert pd.read_parquet(clone.root / RESULTS / "manifest/records.parquet")["record_id"].tolist() == [
        "mine/00001_hr", "mine/00003_hr",
    ]  # fmt: skip
    assert len(np.load(clone.root / RESULTS / "preprocess/mine/000.npy")) == 2 * 5000
    assert "1 recording of 1 patient is left out" in _words(clone)


@pytest.mark.parametrize("target", ["labels", "pretrain", "finetune_all", "evaluate_all"])
def test_targets_that_need_more_say_so(clone, real_data: Path, target: str) -> None:
    _add(clone, real_data, ["00001_hr"])
    done = clone.run(*shlex.split(README.replace("snakemake", f"snakemake -n {target}")), check=False)
    assert done.returncode != 0
    empty = "tasks" if target == "labels" else "encoders"
    assert (
        f"\nconfig/recipes/own-data.yaml's `{empty}` is empty: name some of config/{empty}/*.yaml there\n"
        in done.stdout
    )
    assert "Exception" not in done.stdout + (done.stderr or "")


def test_a_label_set_and_an_encoder_in_the_recipe_are_all_that_it_takes(clone, real_data: Path) -> None:
    """As docs/own-labels.md has it: with `root` in the source's YAML the command needs nothing else."""
    root = _add(clone, real_data, ["00001_hr"])
    clone.edit("config/sources/mine.yaml", root=str(root))
    task = "kind: binary\nlabels: {AFIB: {wfdb_folder: {column: {afib: ['1']}}}}\n"
    (clone.root / "config/tasks/mine.yaml").write_text(task)
    command = "snakemake --configfile config/recipes/own-data.yaml"
    page = clone.root / "docs/own-labels.md"
    assert command in commands(page)
    (recipe,) = (block.text for block in blocks(page, "yaml") if "encoders:" in block.text)
    clone.edit("config/recipes/own-data.yaml", **yaml.safe_load(recipe))
    planned = planned_in(clone.run(*shlex.split(f"{command} -n --quiet rules")).stdout)
    assert planned["pretrain_encoder"] == planned["label_task"] == planned["finetune_model"] == planned["report"] == 1


def test_a_table_that_is_not_there_never_leaves_the_old_index(clone, real_data: Path) -> None:
    root = _add(clone, real_data, ["00001_hr", "00002_hr"])
    (root / "recordings.csv").write_text("path,patient_id\n00001_hr,a\n00002_hr,b\n")
    clone.edit("config/sources/mine.yaml", table="recordings.csv")
    command = shlex.split(README.replace("snakemake", "snakemake manifest"))
    clone.run(*command)
    clone.edit("config/sources/mine.yaml", table="recordngs.csv")
    done = clone.run(*command, check=False)
    assert done.returncode != 0
    assert "error: path/to/records/recordngs.csv: no such file" in done.stdout
    clone.edit("config/sources/mine.yaml", table="recordings.csv")
    clone.run(*command)
    root.rename(root.with_name("put-away"))  # results outlive the database
    assert "Nothing to be done" in clone.run(*command).stdout
