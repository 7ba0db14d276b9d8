"""One big array with a table: its rows by number and by id, its axes, and what is missing."""

from __future__ import annotations

import logging
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ecglfm.config import LEADS, SourceConfig, SourceSlice, UserError, parse
from ecglfm.sources import open_source
from tests.unit.sources.ingested import ingested

ARRAY = np.random.default_rng(0).integers(-3000, 3000, (5, 12, 100))  # microvolts of five recordings


def config_of(root: Path, **more: object) -> SourceSlice:
    content = {"array": "ecg.npy", "axes": ["record", "lead", "sample"], "table": "table.csv", "sampling_rate": 250}
    content |= {"file_leads": list(LEADS), "unit": "uV", "columns": {"path": "row"}} | more
    return SourceSlice(source="a", config=SourceConfig(kind="array_folder", root=str(root), **content))


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Rows 3, 0 and 4 of the array, and one that it does not have."""
    root = tmp_path / "root"
    root.mkdir()
    np.save(root / "ecg.npy", ARRAY.astype(np.int16))
    rows = ["x,3,p1,61,F,AF", "y,0,p1,60,F,SR", "z,4,p2,,,", "w,7,p3,50,M,SR"]
    (root / "table.csv").write_text("\n".join(["record_id,row,patient_id,age,sex,rhythm", *rows]) + "\n")
    return root


def test_index_is_in_the_order_of_the_array(database: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        index = open_source(config_of(database)).index()
    assert index.record_id.tolist() == ["a/y", "a/x", "a/z", "a/w"]
    assert index.path.tolist() == ["ecg.npy#0", "ecg.npy#3", "ecg.npy#4", "ecg.npy#7?"]
    assert index.patient_id.tolist() == ["a/p1", "a/p1", "a/p2", "a/p3"]
    assert index["native.rhythm"].fillna("-").tolist() == ["SR", "AF", "-", "SR"]
    assert "table.csv: 2 rows of ecg.npy are in no row of it and are not used, the first: 1" in caplog.text


def test_samples_by_row_and_a_missing_row_is_in_the_ledger(database: Path, tmp_path: Path) -> None:
    found, dropped = ingested(config_of(database), tmp_path)
    assert list(found) == ["a/y", "a/x", "a/z"]
    for record, row in (("a/y", 0), ("a/x", 3), ("a/z", 4)):
        np.testing.assert_array_equal(found[record], ARRAY[row].T)
    assert dropped[["record_id", "reason", "detail"]].values.tolist() == [
        ["a/w", "signal_missing", "ecg.npy holds 5 recordings, none of them '7'"]
    ]


@pytest.mark.parametrize("form", ["hdf5", "lists", "list", "npy"])
@pytest.mark.parametrize("leads_first", [True, False])
def test_every_form_and_both_orders_of_axes_give_the_same_samples(
    database: Path, tmp_path: Path, form: str, leads_first: bool
) -> None:
    array = ARRAY if leads_first else ARRAY.transpose(0, 2, 1)
    name = {"hdf5": "e.h5#ecg", "lists": "e.parquet", "list": "e.parquet#s", "npy": "e.npy"}[form]
    if form == "hdf5":
        with h5py.File(database / "e.h5", "w") as file:
            file.create_dataset("ecg", data=array.astype(np.float32), chunks=(2, *array.shape[1:]))
            file["key"] = [b"q9", b"q1", b"q2", b"q3", b"q4"]
    elif form == "npy":
        np.save(database / "e.npy", array.astype(np.float32))
    else:
        rows = [row.tolist() if form == "lists" else row.ravel() for row in array]
        pq.write_table(pa.table({"s": rows}), database / "e.parquet", row_group_size=2)
    axes = ["record", "lead", "sample"] if leads_first else ["record", "sample", "lead"]
    found, _ = ingested(config_of(database, array=name, axes=axes), tmp_path)
    for record, row in (("a/y", 0), ("a/x", 3), ("a/z", 4)):
        np.testing.assert_array_equal(found[record], ARRAY[row].T)


def test_ids_of_the_array_in_place_of_its_rows(database: Path, tmp_path: Path) -> None:
    with h5py.File(database / "e.h5", "w") as file:
        file["ecg"] = ARRAY
        file["key"] = np.array([100, 900, 300, 200, 700])
    pd.DataFrame({"path": [700, 300, 555], "age": [1, 2, 3]}).to_csv(database / "table.csv", index=False)
    config = config_of(database, array="e.h5#ecg", ids="key", columns={})
    found, dropped = ingested(config, tmp_path)
    assert list(found) == ["a/300", "a/700"]  # as they lie in the array
    np.testing.assert_array_equal(found["a/700"], ARRAY[4].T)
    np.testing.assert_array_equal(found["a/300"], ARRAY[2].T)
    assert dropped.detail.tolist() == ["e.h5#ecg holds 5 recordings, none of them '555'"]
    pd.DataFrame({"path": [700.0, 300.0], "record_id": ["x", "y"]}).to_csv(database / "table.csv", index=False)
    found, _ = ingested(config, tmp_path)  # 700.0 in the file
    np.testing.assert_array_equal(found["a/x"], ARRAY[4].T)


def test_an_id_that_stands_twice_in_the_array_is_refused(database: Path) -> None:
    np.save(database / "ids.npy", np.array([3, 0, 4, 4, 7]))
    with pytest.raises(UserError, match=r"source a: ecg.npy: ids.npy: '4' stands twice"):
        open_source(config_of(database, ids="ids.npy")).index()
    np.save(database / "ids.npy", np.array([3, 0]))
    with pytest.raises(UserError, match=r"ids.npy: 2 ids, but 5 recordings"):
        open_source(config_of(database, ids="ids.npy")).index()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"array": "no.npy"}, "source a: `array: no.npy`: signal_missing: no.npy does not exist"),
        ({"axes": ["record", "sample", "lead"]}, r"shape_unknown: .*\(5, 12, 100\) is \(record, sample, lead\) by `axes`, "
         "but `file_leads` are 12"),
        ({"file_leads": ["I", "II"]}, "but `file_leads` are 2"),
        ({"columns": {"path": "record_id"}}, r"table.csv: a/w: `path` is a row of the array, from 0 .* found 'w'"),
    ],
)  # fmt: skip
def test_what_the_config_says_wrongly_is_one_line_before_anything_is_read(
    database: Path, more: dict, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        open_source(config_of(database, **more)).index()


def test_a_single_number_is_no_array_of_recordings(database: Path) -> None:
    np.save(database / "one.npy", np.float32(1))
    with pytest.raises(UserError, match=r"shape_unknown: one.npy: \(\) is not \(record, lead, sample\)"):
        open_source(config_of(database, array="one.npy")).index()


def test_lists_of_other_lengths_than_the_leads_are_one_line(database: Path) -> None:
    pq.write_table(pa.table({"s": [[1.0] * 25]}), database / "e.parquet")
    with pytest.raises(UserError, match=r"shape_unknown: e.parquet: row 0 is \(25,\), not of 12 leads"):
        open_source(config_of(database, array="e.parquet")).index()


@pytest.mark.parametrize("axes", [["lead", "record", "sample"], ["record", "lead"], ["record", "lead", "lead"]])
def test_axes_are_said_whole(axes: list[str]) -> None:
    content = {"kind": "array_folder", "root": "r", "array": "a.npy", "axes": axes, "table": "t.csv"}
    with pytest.raises(UserError, match=r"`axes` is \[record, lead, sample\] or \[record, sample, lead\], found"):
        parse(SourceConfig, content | {"sampling_rate": 500, "file_leads": ["I"]}, "s.yaml")
