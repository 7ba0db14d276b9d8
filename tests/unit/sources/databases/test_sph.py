"""SPH, written from what is published of it: statements, the order of leads, files that are not what they should be."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest

from ecglfm.config import LEADS, Selector, SourceConfig, SourceSlice, UserError
from ecglfm.data.labels.selectors import select
from ecglfm.sources import open_source
from ecglfm.sources.databases import sph
from ecglfm.sources.databases.sph import _STATEMENTS, parse_statements
from ecglfm.sources.tables import read_pieces
from tests.unit.sources.ingested import ingested

CODES = "Category,Code,Description\nA,1,Normal ECG\nC,22,Sinus bradycardia\nE,60,Ventricular premature complex(es)\n,310,Frequent\n"
ROWS = [
    "A00010,22;60+310,S00002,45,F,5000,2020-03-04",
    "A00002,60,S00002,45,F,5000,2020-03-04",
    "A00003,1,S00003,70,M,7000,2020-03-05",
    "A00004,,,,,5000,",
]


def config_of(root: Path) -> SourceSlice:
    return SourceSlice(source="s", config=SourceConfig(kind="sph", root=str(root)))


def microvolts_of(record: int, n: int = 200) -> np.ndarray:
    """Leads of their own numbers, (12, n), so that no two could be exchanged unnoticed."""
    return np.arange(12)[:, None] * 100 + np.random.default_rng(record).integers(0, 90, (12, n))


@pytest.fixture
def database(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "records").mkdir(parents=True)
    (root / "metadata.csv").write_text("ECG_ID,AHA_Code,Patient_ID,Age,Sex,N,Date\n" + "\n".join(ROWS) + "\n")
    (root / "code.csv").write_text(CODES)
    for record in (10, 2, 3):
        with h5py.File(root / f"records/A{record:05}.h5", "w") as file:
            file["ecg"] = (microvolts_of(record, 100 + record) / 1000).astype(np.float16 if record == 3 else np.float32)
    return root


def test_index(database: Path) -> None:
    index = open_source(config_of(database)).index()
    assert index.record_id.tolist() == ["s/A00002", "s/A00003", "s/A00004", "s/A00010"]
    assert index.patient_id.tolist() == ["s/S00002", "s/S00003", "s/A00004", "s/S00002"]
    assert index.age.fillna(-1).tolist() == [45, 70, -1, 45]
    assert index.sex.fillna("-").tolist() == ["female", "male", "-", "female"]
    assert [[one["code"] for one in row] for row in index.codes] == [["60"], ["1"], [], ["22", "60+310"]]
    assert index.report.tolist() == [
        "Ventricular premature complex(es)", "Normal ECG", "",
        "Sinus bradycardia; Ventricular premature complex(es), Frequent",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ({"codes": {"AHA_Primary": ["60"]}}, ["s/A00002", "s/A00010"]),
        ({"codes": {"AHA_Code": ["60"]}}, ["s/A00002"]),
        ({"codes": {"AHA_Code": ["60+310"]}}, ["s/A00010"]),
        ({"codes": {"AHA_Primary": ["310"]}}, []),
        ({"report": ["frequent"]}, ["s/A00010"]),
    ],
)
def test_a_label_takes_a_primary_code_with_or_without_its_modifiers(
    database: Path, selector: dict, expected: list[str]
) -> None:
    index = open_source(config_of(database)).index()
    assert index.record_id[select(index, Selector(**selector), "label")].tolist() == expected


def test_statements() -> None:
    assert parse_statements(" 22 ;60+310+346;") == [["22"], ["60", "310", "346"]]
    assert parse_statements("") == []


def test_samples_are_those_of_the_files_and_a_missing_one_is_in_the_ledger(database: Path, tmp_path: Path) -> None:
    found, dropped = ingested(config_of(database), tmp_path)
    assert list(found) == ["s/A00002", "s/A00003", "s/A00010"]
    for record in (2, 10):
        np.testing.assert_array_equal(found[f"s/A{record:05}"], microvolts_of(record, 100 + record).T)
    np.testing.assert_allclose(found["s/A00003"], microvolts_of(3, 103).T, atol=1)  # a float16 of 1.2 mV: 1 uV
    assert dropped[["record_id", "reason"]].values.tolist() == [["s/A00004", "signal_missing"]]
    record = open_source(config_of(database)).read("records/A00002.h5")
    assert (record.leads, record.sampling_rate) == (LEADS, 500.0)


@pytest.mark.parametrize(("shape", "reason"), [((8, 100), "signal_unreadable"), ((12, 0), "signal_empty"), ((12,), "signal_unreadable")])  # fmt: skip
def test_a_file_of_another_form_is_in_the_ledger(
    database: Path, tmp_path: Path, shape: tuple[int, ...], reason: str
) -> None:
    with h5py.File(database / "records/A00003.h5", "w") as file:
        file["ecg"] = np.zeros(shape, np.float32)
    found, dropped = ingested(config_of(database), tmp_path)
    assert len(found) == 2
    assert dropped.set_index("record_id").reason["s/A00003"] == reason


def test_a_piece_of_the_table_without_a_statement(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a long table a piece is what Arrow reads at a time."""

    def rows_one_by_one(path: Path, required: list[str]) -> Iterator[pd.DataFrame]:
        for piece in read_pieces(path, required):
            yield from (piece.iloc[[row]] for row in range(len(piece))[::-1])

    monkeypatch.setattr(sph, "read_pieces", rows_one_by_one)
    index = open_source(config_of(database)).index()
    assert index["native.AHA_Primary"].fillna("-").tolist() == ["60", "1", "-", "22;60"]


def test_codes_without_a_name_are_told(database: Path, caplog: pytest.LogCaptureFixture) -> None:
    (database / "code.csv").write_text(CODES.replace(",310,Frequent\n", ""))
    with caplog.at_level(logging.WARNING):
        index = open_source(config_of(database)).index().set_index("record_id")
    assert "code.csv has no name for the codes 310" in caplog.text
    assert index.report["s/A00010"].endswith("complex(es), 310")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("AHA_Code", "Code", r"metadata\.csv: column 'AHA_Code' is missing"),
        ("22;60+310", "22;60+", r"row 2: AHA_Code must look like 22;60\+310, found '22;60\+'"),
        ("A00002", "A00010", r"s/A00010 stands twice"),
        ("70,M", "700,M", r"row 4: Age must be an age in years"),
        ("70,M", "70,1", r"row 4: Sex must be M or F, found '1'"),
    ],
)
def test_a_broken_table_is_one_line(database: Path, old: str, new: str, message: str) -> None:
    text = (database / "metadata.csv").read_text()
    assert old in text
    (database / "metadata.csv").write_text(text.replace(old, new))
    with pytest.raises(UserError, match=message):
        open_source(config_of(database)).index()


def test_blanks_behind_a_statement_are_gone_through_once() -> None:
    assert _STATEMENTS.fullmatch("22 ; 60 + 310 ; ")
    assert not _STATEMENTS.fullmatch("22" + " " * 10**6 + "x")
