"""The label sets of config/tasks: known labels, and codes that the databases' own tables have."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

from ecglfm.config import TaskConfig, load

N_LABELS = {
    "af": 1, "age": 1, "challenge-2021": 26, "chapman": 28, "code15": 6, "code15-mortality": 1, "code-test": 6, "echonext": 12, "coin-toss": 1, "cpsc2018": 9,
    "diagnosis": 4, "eight-diseases": 8, "ptbxl-all": 71, "ptbxl-diagnostic": 44, "ptbxl-form": 19, "ptbxl-rhythm": 12,
    "ptbxl-subdiagnostic": 23, "ptbxl-superdiagnostic": 5, "sex": 1,
}  # fmt: skip
KINDS = {"af": "binary", "age": "regression", "code15-mortality": "survival", "coin-toss": "binary", "sex": "binary"}


def shipped(repository: Path, name: str) -> TaskConfig:
    return load(TaskConfig, repository / "config/tasks" / f"{name}.yaml")


def test_every_shipped_task_has_its_kind_and_number_of_labels(repository: Path) -> None:
    names = sorted(path.stem for path in (repository / "config/tasks").glob("*.yaml"))
    assert "identification" in names
    tasks = {name: shipped(repository, name) for name in names if name != "identification"}
    assert {name: len(task.labels) for name, task in tasks.items()} == N_LABELS
    assert {name: task.kind for name, task in tasks.items()} == {name: KINDS.get(name, "multilabel") for name in tasks}
    page = (repository / "docs/labels.md").read_text()
    assert [name for name in names if f"`{name}`" not in page] == []


@pytest.mark.parametrize(
    ("level", "column"),
    [
        ("all", None), ("diagnostic", "diagnostic"), ("form", "form"), ("rhythm", "rhythm"),
        ("subdiagnostic", "diagnostic_subclass"), ("superdiagnostic", "diagnostic_class"),
    ],
)  # fmt: skip
def test_ptbxl_levels_are_those_of_the_genuine_statements(
    repository: Path, real_data: Path, level: str, column: str | None
) -> None:
    with (real_data / "ptb-xl/scp_statements.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    if column in {"diagnostic_subclass", "diagnostic_class"}:
        expected = {row[column] for row in rows if row["diagnostic"] == "1.0"}
    else:
        expected = {row[""] for row in rows if column is None or row[column] == "1.0"}
    task = shipped(repository, f"ptbxl-{level}")
    selectors = [selectors["ptbxl"] for selectors in task.labels.values()]
    found = [code for selector in selectors for code in selector.scp + selector.scp_class + selector.scp_subclass]
    assert sorted(found) == sorted(expected)
    assert all(len(selector.clauses) == 1 and selector.min_likelihood == 0 for selector in selectors)
    assert (task.missing, task.rare, task.sources) == ("drop", "leave_out", ["ptbxl"])
    written = {code: re.sub(r"[/(]", "-", code).rstrip(")") for code in found}
    assert [written[code] for code in found] == list(task.labels)


@pytest.fixture(scope="module")
def genuine(real_data: Path) -> dict[str, dict[str, str]]:
    """Rows of the Challenge's two tables of codes, by code."""
    folder = real_data / "challenge-2021/evaluation-2021"
    rows = {}
    for name in ("dx_mapping_scored.csv", "dx_mapping_unscored.csv"):
        with (folder / name).open(newline="") as file:
            rows |= {row["SNOMEDCTCode"]: row for row in csv.DictReader(file)}
    return rows


def snomed(task: TaskConfig) -> dict[str, list[str]]:
    return {
        label: of["challenge2021"].snomed for label, of in task.labels.items() if "challenge2021" in of
    }  # fmt: skip


def test_challenge_classes_are_the_scored_codes(repository: Path, real_data: Path) -> None:
    with (real_data / "challenge-2021/evaluation-2021/weights.csv").open(newline="") as file:
        header = next(csv.reader(file))[1:]
    found = snomed(shipped(repository, "challenge-2021"))
    assert sorted(map(sorted, found.values())) == sorted(sorted(column.split("|")) for column in header)


def test_cpsc_classes_are_those_that_its_records_have(repository: Path, genuine: dict) -> None:
    found = snomed(shipped(repository, "cpsc2018"))
    counts = {label: int(genuine[code]["CPSC"]) for label, (code,) in found.items()}
    assert counts == {
        "NORM": 918, "AF": 1221, "IAVB": 722, "LBBB": 236, "RBBB": 1857, "PAC": 616, "PVC": 700, "STD": 869, "STE": 220
    }  # fmt: skip
    assert {code for code, row in genuine.items() if int(row["CPSC"])} == {code for (code,) in found.values()}


def test_statements_of_chapman_are_those_that_fifty_records_have(repository: Path, genuine: dict) -> None:
    found = [code for (code,) in snomed(shipped(repository, "chapman")).values()]
    assert set(found) == {code for code, row in genuine.items() if int(row["Chapman_Shaoxing"]) >= 50}
    assert shipped(repository, "chapman").labels["LVHV"]["challenge2021"].snomed == ["55827005"]


def test_codes_of_the_eight_diseases_are_in_the_databases_that_the_table_says(repository: Path, genuine: dict) -> None:
    task = shipped(repository, "eight-diseases")
    assert list(task.labels) == ["MI", "HYP", "CD", "STTC", "AFIB", "GSVT", "SB", "VE"]
    columns = {"chapman_shaoxing": "Chapman_Shaoxing", "cpsc_2018": "CPSC"}
    page = (repository / "docs/labels.md").read_text()
    for label, codes in snomed(task).items():
        cells = re.search(rf"^\| {label} \| (.*) \| (.*) \| (.*) \|$", page, re.MULTILINE)
        assert cells is not None
        for cell, (database, column) in zip(cells.groups()[1:], columns.items(), strict=True):
            there = [code for code in codes if int(genuine[code][column])]
            assert cell == (", ".join(there) or "absent"), (label, database)
            assert (database in (task.labels[label]["challenge2021"].among or "")) == bool(there)
        statements = task.labels[label]["ptbxl"]
        assert cells[1] == (
            f"class `{label}`" if statements.scp_class == [label] else ", ".join(f"`{c}`" for c in statements.scp)
        )
        assert all(int(genuine[code]["CPSC"]) + int(genuine[code]["Chapman_Shaoxing"]) for code in codes)


def test_mortality_and_diagnoses_of_code15_name_its_columns(repository: Path, real_data: Path) -> None:
    with (real_data / "code-15/exams.csv").open(newline="") as file:
        columns = next(csv.reader(file))
    named = [name for of in shipped(repository, "code15").labels.values() for name in of["code15"].column]
    assert named == ["1dAVb", "RBBB", "LBBB", "SB", "ST", "AF"]
    death = shipped(repository, "code15-mortality").labels["death"]["code15"]
    assert set(named) | {death.time, death.event} <= set(columns)
