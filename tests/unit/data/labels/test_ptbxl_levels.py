"""PTB-XL's six levels over the whole database: record counts against the classes of its reference table."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

from ecglfm.config import SourceConfig, SourceSlice, TaskConfig, TaskSlice, load
from ecglfm.data.labels.labels import run_labels
from ecglfm.sources import open_source
from ecglfm.sources.base import write_index

COLUMNS = {"superdiagnostic": "super_class", "subdiagnostic": "sub_class", "rhythm": "rhythm", "form": "form"}
#: The reference writes these without their underscore.
SPELLING = {"ISC": "ISC_", "AVB": "_AVB", "NST": "NST_", "STD": "STD_", "NT": "NT_", "TAB": "TAB_", "STE": "STE_"}
#: Records whose classes and codes disagree in the reference, and the diagnostic classes by the codes.
DISPUTED = {
    3796: {"MI"}, 3797: {"STTC"}, 3799: {"MI", "STTC"}, 7783: {"CD", "MI"}, 9822: {"CD", "MI"}, 13803: {"STTC"}
}  # fmt: skip


def listed(cell: str) -> set[str]:
    return {SPELLING.get(name, name) for name in ast.literal_eval(cell)} if isinstance(cell, str) else set()


@pytest.fixture(scope="module")
def reference(real_data: Path) -> pd.DataFrame:
    table = pd.read_csv(real_data / "ptb-xl-metadata/ptbxl_ids_folds_labels.reconstructed.csv").set_index("ecg_id")
    for column in COLUMNS.values():
        table[column] = table[column].map(listed)
    return table


@pytest.fixture(scope="module")
def tables(reference: pd.DataFrame, real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Index and manifest of a PTB-XL whose codes are the genuine ones or, where the reference has none, like its classes."""
    root = tmp_path_factory.mktemp("ptb-xl")
    statements = real_data / "ptb-xl/scp_statements.csv"
    (root / "scp_statements.csv").write_bytes(statements.read_bytes())
    known = pd.read_csv(statements, index_col=0)
    plain = known[(known["diagnostic"] == 1) & known["form"].isna()]  # NST_ alone has a form in every code
    of_subclass = {name: codes[0] for name, codes in plain.groupby("diagnostic_subclass").groups.items()}

    def codes(row: pd.Series) -> str:
        if isinstance(row["scp_codes"], str):
            return row["scp_codes"]
        diagnostic = {of_subclass[name] for name in row["sub_class"] if name != "NST_"}
        return str(dict.fromkeys(sorted(diagnostic | row["rhythm"] | row["form"]), 0.0))

    database = reference.reset_index().assign(report="", scp_codes=reference.apply(codes, axis=1).to_numpy())
    database.to_csv(root / "ptbxl_database.csv", index=False)
    source = SourceSlice(source="ptbxl", config=SourceConfig(kind="ptbxl", root=str(root)))
    write_index(root / "ptbxl.parquet", open_source(source).pieces())
    split = {9: "valid", 10: "test"}
    records = pd.DataFrame(
        {
            "record_id": "ptbxl/" + database["ecg_id"].astype(str),
            "patient_id": "ptbxl/" + database["patient_id"].astype(str),
            "source": "ptbxl",
            "split": [split.get(fold, "train") for fold in database["strat_fold"]],
        }
    )
    records.sort_values("record_id").to_parquet(root / "records.parquet", index=False)
    return root


def _written(code: str) -> str:
    """A code as a label's name."""
    return code.replace("/", "-").replace("(S)", "-S")


def labels_of(tables: Path, repository: Path, level: str) -> pd.DataFrame:
    task = f"ptbxl-{level}"
    config = load(TaskConfig, repository / f"config/tasks/{task}.yaml")
    output = tables / f"{task}.parquet"
    slice_ = TaskSlice(task=task, config=config, kinds={"ptbxl": "ptbxl"})
    run_labels(slice_, tables / "records.parquet", [tables / "ptbxl.parquet"], output)
    return pd.read_parquet(output)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("level", "n_labels", "n_records", "some"),
    [
        ("superdiagnostic", 5, 21388, {"NORM": 9514, "MI": 5469, "STTC": 5235, "CD": 4898, "HYP": 2649}),
        ("subdiagnostic", 23, 21388, {"IMI": 3271, "AMI": 3078, "LAFB-LPFB": 1797, "PMI": 17, "_AVB": 823}),
        ("rhythm", 12, 21030, {"SR": 16748, "AFIB": 1514, "TRIGU": 20}),
        ("form", 19, 8978, {"ABQRS": 3327, "NDT": 1825, "NST_": 767, "PRC-S": 10}),
    ],
)
def test_record_counts_are_those_of_the_class_columns(
    tables: Path, repository: Path, reference: pd.DataFrame, level: str, n_labels: int, n_records: int, some: dict
) -> None:
    labels = labels_of(tables, repository, level).set_index("record_id").filter(like="label.")
    names = labels.columns.str.removeprefix("label.").to_numpy()
    found = dict(zip(labels.index, (set(names[row == 1]) for row in labels.to_numpy()), strict=True))
    classes = reference[COLUMNS[level]].map(lambda names: {_written(name) for name in names})
    counts = Counter(name for names in classes for name in names)
    assert len(names) == n_labels
    assert set(names) == set(counts)
    assert some.items() <= counts.items()
    assert sum(len(names) > 0 for names in classes) == n_records
    expected = {f"ptbxl/{ecg_id}": names for ecg_id, names in classes.items() if names and ecg_id not in DISPUTED}
    disputed = {f"ptbxl/{ecg_id}": found.pop(f"ptbxl/{ecg_id}", set()) for ecg_id in DISPUTED}
    assert found == expected
    if level == "superdiagnostic":
        assert disputed == {f"ptbxl/{ecg_id}": names for ecg_id, names in DISPUTED.items()}


@pytest.mark.slow
@pytest.mark.parametrize(("level", "n_labels"), [("all", 71), ("diagnostic", 44)])
def test_levels_of_single_codes(tables: Path, repository: Path, real_data: Path, level: str, n_labels: int) -> None:
    labels = labels_of(tables, repository, level)
    index = pd.read_parquet(tables / "ptbxl.parquet", columns=["record_id", "codes"]).set_index("record_id")["codes"]
    statements = pd.read_csv(real_data / "ptb-xl/scp_statements.csv", index_col=0)
    wanted = set(statements.index if level == "all" else statements.index[statements["diagnostic"] == 1])
    codes = index.map(lambda row: {code["code"] for code in row} & wanted)
    expected = Counter(_written(code) for row in codes for code in row)
    found = labels.filter(like="label.").rename(columns=lambda name: name.removeprefix("label."))
    assert len(wanted) == n_labels
    assert found.sum().astype(int).to_dict() == dict(
        expected
    )  # codes that the made-up half of the rows lacks are left out
    assert len(labels) == sum(len(row) > 0 for row in codes)


@pytest.mark.parametrize("level", ["all", "diagnostic", "subdiagnostic", "superdiagnostic", "form", "rhythm"])
def test_genuine_records_1_to_300_leave_out_what_folds_1_to_8_lack(
    repository: Path, real_data: Path, tmp_path: Path, level: str
) -> None:
    root = real_data / "ptb-xl"
    source = SourceSlice(source="ptbxl", config=SourceConfig(kind="ptbxl", root=str(root)))
    write_index(tmp_path / "ptbxl.parquet", open_source(source).pieces())
    table = pd.read_csv(root / "ptbxl_database.csv", index_col="ecg_id")
    statements = pd.read_csv(root / "scp_statements.csv", index_col=0)
    column = {"subdiagnostic": "diagnostic_subclass", "superdiagnostic": "diagnostic_class"}.get(level)
    wanted = statements if level == "all" else statements[statements["diagnostic" if column else level] == 1]
    names = wanted[column] if column else wanted.index.to_series()
    listed = table["scp_codes"].map(lambda text: {_written(names[c]) for c in ast.literal_eval(text) if c in names})
    splits = table["strat_fold"].map(lambda fold: {9: "valid", 10: "test"}.get(fold, "train"))
    ids = "ptbxl/" + table.index.astype(str)
    records = pd.DataFrame({"record_id": ids, "patient_id": ids, "source": "ptbxl", "split": splits.to_numpy()})
    records.sort_values("record_id").to_parquet(tmp_path / "records.parquet", index=False)
    labels = labels_of(tmp_path, repository, level)
    in_training = set().union(*listed[splits == "train"])
    assert {name.removeprefix("label.") for name in labels.columns if "." in name} == in_training
    assert set(labels["record_id"]) == {f"ptbxl/{ecg_id}" for ecg_id, codes in listed.items() if codes}
