"""The methods section of a planted run: each number where it belongs, each beside the file that it is from."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from ecglfm.evaluation.methods import write_methods
from ecglfm.evaluation.methods.checklist import ITEMS
from ecglfm.evaluation.methods.document import HEADINGS, TOPICS
from ecglfm.provenance import read_json, write_json
from tests.unit.evaluation.methods.planted import finish


def parts_of(text: str) -> dict[str, str]:
    """What stands below each heading."""
    return {part.partition("\n")[0]: part.partition("\n")[2].strip() for part in text.split("\n## ")[1:]}


def rows_of(text: str) -> dict[str, str]:
    """What answers each item of the checklist."""
    cells = [re.split(r" ?(?<!\\)\|", line) for line in text.splitlines() if re.match(r"\| \d", line)]
    return {cell[1].strip(): cell[3].strip() for cell in cells}


def test_every_number_is_that_of_a_file(results: Path, tmp_path: Path) -> None:
    finish(results)
    write_methods(results, tmp_path / "methods.md")
    text = (tmp_path / "methods.md").read_text()
    said = parts_of(text)
    assert list(said) == [*HEADINGS, "TRIPOD+AI checklist"]
    assert said["Data"] == (
        "### Data sources\n\nalpha: 60 records of 12 patients.\n\n<small>From `manifest/audit.json`.</small>\n\n"
        "### Licences\n\nalpha: CC BY 4.0.\n\n<small>From `config/card.yaml`.</small>"
    )
    assert "- `tiny/super/full-s0`: Loss bce, class weights balanced." in said["Fine-tuning"]
    assert said["Results"].endswith("<small>From `evaluate/{model}/metrics.json`.</small>")
    rows = rows_of(text)
    assert rows["18e"] == "Licences"
    assert rows["12a"] == "Splits; Leakage"
    assert rows["23a"] == "Results"  # of no subgroup
    assert rows["17"] == "to be written by the authors"


def test_what_is_said_of_several_models_stands_once(results: Path, tmp_path: Path) -> None:
    finish(results)
    for folder in ("evaluate", "finetune"):
        shutil.copytree(results / folder / "tiny/super/full-s0", results / folder / "tiny/super/full-s1")
    path = results / "finetune/tiny/super/full-s1/model.json"
    info = read_json(path)
    write_json(path, info | {"training": info["training"] | {"best_epoch": 7}})
    write_methods(results, tmp_path / "methods.md")
    said = parts_of((tmp_path / "methods.md").read_text())["Fine-tuning"]
    assert said.startswith(
        "- `tiny/super/full-s0`: Encoder and head were trained, seed 0. Epoch 6 of 8 was kept.\n"
        "- All: At most 8 epochs, stopped after 2 without a better loss;"
    )
    assert "\n- `tiny/super/full-s1`: Encoder and head were trained, seed 1. Epoch 7 of 8 was kept.\n" in said
    assert "\n- All: Loss bce, class weights balanced.\n" in said
    assert "<small>From `evaluate/{model}/metrics.json`, `finetune/{model}/model.json`.</small>" in said


def test_the_same_run_gives_the_same_text_and_another_number_another(results: Path, tmp_path: Path) -> None:
    finish(results)
    for name in ("one.md", "two.md"):
        write_methods(results, tmp_path / name)
    before = (tmp_path / "one.md").read_text()
    assert (tmp_path / "two.md").read_text() == before
    path = results / "evaluate/tiny/super/full-s0/metrics.json"
    metrics = read_json(path)
    metrics["labels"]["MI"]["auroc"]["value"] = 0.123
    write_json(path, metrics)
    write_methods(results, tmp_path / "two.md")
    assert (tmp_path / "two.md").read_text() == before.replace("MI: AUROC 0.667", "MI: AUROC 0.123")


def test_what_a_run_does_not_know_is_left_to_the_authors(results: Path, tmp_path: Path) -> None:
    """Of a run of which little is left: nothing is made up, and nothing fails."""
    for path in ("manifest/audit.json", "manifest/ledger.parquet", "pretrain/tiny/encoder.json"):
        (results / path).unlink()
    left = write_methods(results, tmp_path / "methods.md")
    text = (tmp_path / "methods.md").read_text()
    said = parts_of(text)
    unknown = "To be written by the authors: the run says nothing of it."
    assert {heading for heading, part in said.items() if part == unknown} == {
        "Intended use", "Data", "Splits", "Preparation", "Outcome", "Encoder and pretraining",
    }  # fmt: skip
    assert left == sum(answer == "to be written by the authors" for answer in rows_of(text).values())


def test_the_checklist_is_whole() -> None:
    """27 items in 52 parts, and no topic that is not written about or stands under no heading."""
    numbers = [item.number for item in ITEMS]
    assert len(numbers) == len(set(numbers)) == 52
    assert {int(re.match(r"\d+", number)[0]) for number in numbers} == set(range(1, 28))
    assert {topic for item in ITEMS for topic in item.topics} <= set(TOPICS)
    assert [topic for topics in HEADINGS.values() for topic in topics if topic not in TOPICS] == []
    assert sorted(topic for topics in HEADINGS.values() for topic in topics) == sorted(TOPICS)
