"""The methods section of a planted run: each number where it belongs, each beside the file that it is from."""

from __future__ import annotations

import re
from pathlib import Path

from ecglfm.evaluation.methods import write_methods
from ecglfm.evaluation.methods.checklist import ITEMS
from ecglfm.evaluation.methods.document import HEADINGS, TOPICS
from ecglfm.provenance import read_json, write_json
from tests.unit.evaluation.methods.planted import finish

METRICS = "`evaluate/tiny/super/full-s0/metrics.json`"


def parts_of(text: str) -> dict[str, str]:
    """What stands below each heading."""
    return {part.partition("\n")[0]: part.partition("\n")[2].strip() for part in text.split("\n## ")[1:]}


def rows_of(text: str) -> dict[str, tuple[str, str]]:
    """Answer and files of each item of the checklist."""
    cells = [re.split(r" ?(?<!\\)\|", line) for line in text.splitlines() if re.match(r"\| \d", line)]
    return {cell[1].strip(): (cell[3].strip(), cell[4].strip()) for cell in cells}


def test_every_number_is_that_of_a_file(results: Path, tmp_path: Path) -> None:
    finish(results)
    write_methods(results, tmp_path / "methods.md")
    text = (tmp_path / "methods.md").read_text()
    said = parts_of(text)
    assert list(said) == [*HEADINGS, "TRIPOD+AI checklist"]
    assert said["Data"] == (
        "alpha: 60 records of 12 patients.\n\nalpha: CC BY 4.0.\n\n"
        "<small>From `manifest/audit.json`, `config/card.yaml`.</small>"
    )
    rows = rows_of(text)
    assert rows["18e"] == ("alpha: CC BY 4.0.", "`config/card.yaml`")
    assert rows["13"] == (
        "tiny/super/full-s0: loss auto, class weights balanced.",
        "`config/finetune/tiny.yaml`",
    )
    assert rows["3b"] == ("Not for: Children.", "`config/card.yaml`")
    assert rows["17"] == ("to be written by the authors", "")
    assert METRICS in rows["23a"][1]


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
    assert left == sum(answer == "to be written by the authors" for answer, _ in rows_of(text).values())


def test_the_checklist_is_whole() -> None:
    """27 items in 52 parts, and no topic that is not written about or stands under no heading."""
    numbers = [item.number for item in ITEMS]
    assert len(numbers) == len(set(numbers)) == 52
    assert {int(re.match(r"\d+", number)[0]) for number in numbers} == set(range(1, 28))
    assert {topic for item in ITEMS for topic in item.topics} <= set(TOPICS)
    assert [topic for topics in HEADINGS.values() for topic in topics if topic not in TOPICS] == []
    assert sorted(topic for topics in HEADINGS.values() for topic in topics) == sorted(TOPICS)
