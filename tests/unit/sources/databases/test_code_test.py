"""The test set of CODE, written from what is published of it: above all, the order of its leads."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from ecglfm.config import LEADS, SourceConfig, SourceSlice, UserError
from ecglfm.records import Record
from ecglfm.sources import open_source
from ecglfm.sources.arrays import exams
from tests.unit.sources.ingested import ingested

ABNORMALITIES = "1dAVb,RBBB,LBBB,SB,AF,ST"


def config_of(root: Path) -> SourceSlice:
    return SourceSlice(source="t", config=SourceConfig(kind="code_test", root=str(root)))


def leads_of(record: int) -> dict[str, np.ndarray]:
    """2800 microvolts of each lead; the limb leads are those that two electrodes' differences give."""
    draw = np.random.default_rng(record)
    first, second = draw.integers(-500, 500, (2, 2800)) * 2 + 1000
    limb = {"I": first, "II": second, "III": second - first, "aVR": -(first + second) // 2,
            "aVL": first - second // 2, "aVF": second - first // 2}  # fmt: skip
    return limb | {f"V{k}": draw.integers(-900, 900, 2800) for k in range(1, 7)}


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Three tracings of 7 s, as the archive has them."""
    root = tmp_path / "data"
    (root / "annotations").mkdir(parents=True)
    (root / "attributes.csv").write_text("age,sex\n55,F\n,M\n71,M\n")
    (root / "annotations/gold_standard.csv").write_text(f"{ABNORMALITIES}\n0,1,0,0,0,0\n0,0,0,0,0,0\n1,0,0,0,1,0\n")
    tracings = np.zeros((3, 4096, 12))
    order = ["I", "II", "III", "aVL", "aVF", "aVR", "V1", "V2", "V3", "V4", "V5", "V6"]  # as the authors' page says
    for record in range(3):
        tracings[record, 648:3448] = np.stack([leads_of(record)[lead] for lead in order], axis=1) / 1000
    with h5py.File(root / "ecg_tracings.hdf5", "w") as file:
        file["tracings"] = tracings
    return root


def einthoven(record: Record) -> float:
    """How far the limb leads are from each other's sums, mV."""
    lead = dict(zip(LEADS, record.standard().signal.T, strict=True))
    first, second = lead["I"], lead["II"]
    sums = {"III": second - first, "aVR": -(first + second) / 2, "aVL": first - second / 2, "aVF": second - first / 2}
    return max(float(np.abs(lead[name] - sum_).max()) for name, sum_ in sums.items())


def test_leads_are_in_the_order_of_this_file_and_not_of_code15(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = "ecg_tracings.hdf5#0"
    assert einthoven(open_source(config_of(database)).record(path)) < 1e-6
    monkeypatch.setattr("ecglfm.sources.databases.code_test.FILE_LEADS", exams.FILE_LEADS)
    assert einthoven(open_source(config_of(database)).record(path)) > 0.5  # what the wrong order gives is no ECG


def test_samples_are_those_of_the_file_without_its_padding(database: Path, tmp_path: Path) -> None:
    found, dropped = ingested(config_of(database), tmp_path)
    assert dropped.empty
    assert list(found) == ["t/0", "t/1", "t/2"]
    for record in range(3):
        expected = np.stack([leads_of(record)[lead] for lead in LEADS], axis=1)
        np.testing.assert_array_equal(found[f"t/{record}"], expected)


def test_index(database: Path) -> None:
    index = open_source(config_of(database)).index()
    assert index.patient_id.tolist() == ["t/0", "t/1", "t/2"]  # 827 exams of different people
    assert index.age.fillna(-1).tolist() == [55, -1, 71]
    assert index.sex.tolist() == ["female", "male", "male"]
    assert [[one["code"] for one in row] for row in index.codes] == [["RBBB"], [], ["1dAVb", "AF"]]
    assert index["native.AF"].tolist() == ["0", "0", "1"]


def test_tables_of_other_lengths_are_refused(database: Path) -> None:
    (database / "attributes.csv").write_text("age,sex\n55,F\n,M\n")
    with pytest.raises(UserError, match=r"gold_standard\.csv: 3 tracings, but .*attributes\.csv has 2: rows cannot be"):
        open_source(config_of(database)).index()
    (database / "annotations/gold_standard.csv").write_text(f"{ABNORMALITIES}\n0,1,0,0,0,0\n0,0,0,0,0,0\n")
    with pytest.raises(UserError, match=r"ecg_tracings\.hdf5: 3 tracings, but"):
        open_source(config_of(database)).index()


def test_an_annotation_that_is_neither_0_nor_1_is_one_line(database: Path) -> None:
    table = database / "annotations/gold_standard.csv"
    table.write_text(table.read_text().replace("1,0,0,0,1,0", "1,0,0,0,2,0"))
    with pytest.raises(UserError, match=r"gold_standard\.csv: row 4: AF must be 0 or 1, found '2'"):
        open_source(config_of(database)).index()


@pytest.mark.parametrize("content", [None, b"", np.zeros((3, 4096, 8), np.float32)])
def test_without_its_tracings_each_row_is_in_the_ledger(
    database: Path, tmp_path: Path, content: bytes | np.ndarray | None
) -> None:
    path = database / "ecg_tracings.hdf5"
    path.unlink()
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        with h5py.File(path, "w") as file:
            file["tracings"] = content
    found, dropped = ingested(config_of(database), tmp_path)
    assert found == {}
    assert set(dropped.reason) == {"signal_missing" if content is None else "signal_unreadable"}
