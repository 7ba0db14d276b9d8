"""EchoNext, written from what is published of it: scaling, the rows of each split, flags."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ecglfm.config import LEADS, SourceConfig, SourceSlice, UserError
from ecglfm.sources import open_source
from ecglfm.sources.databases.echonext import DEVIATION, MEAN
from tests.unit.sources.ingested import ingested

#: Rows of the table: split, person, age, sex, and a flag; the splits stand mixed.
ROWS = [
    ("k9", "p1", "test", 61, "female", "1"),
    ("k2", "p2", "train", 40, "male", "0"),
    ("k3", "p1", "test", 62, "female", ""),
    ("k1", "p3", "no_split", 90, "male", "1"),
    ("k7", "p2", "train", 41, "male", "1"),
]


def config_of(root: Path) -> SourceSlice:
    return SourceSlice(source="e", config=SourceConfig(kind="echonext", root=str(root)))


def steps_of(key: str) -> np.ndarray:
    """Steps of 4.88 uV (2500, 12) that a recorder could have given."""
    return np.random.default_rng(int(key[1:])).integers(-140, 118, (2500, 12))


def standardised(steps: np.ndarray, real: dict[str, list[float]]) -> np.ndarray:
    """As the authors do it, with their own numbers."""
    cut = np.clip(steps, real["lowerbound"], real["upperbound"])
    return ((cut - real["mean"]) / real["std"])[None]


@pytest.fixture
def database(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    root.mkdir()
    table = pd.DataFrame(ROWS, columns=["ecg_key", "patient_key", "split", "age_at_ecg", "sex", "lvef_lte_45_flag"])
    table.to_csv(root / "echonext_metadata_100k.csv", index=False)
    for split in ("train", "test"):
        keys = [row[0] for row in ROWS if row[2] == split]
        array = np.stack([(steps_of(key) - MEAN) / DEVIATION for key in keys])[:, None]
        np.save(root / f"EchoNext_{split}_waveforms.npy", array)
    return root


def test_index_and_its_rows_in_the_arrays(database: Path) -> None:
    index = open_source(config_of(database)).index()
    assert index.record_id.tolist() == ["e/k2", "e/k7", "e/k9", "e/k3", "e/k1"]
    assert index.path.str.removeprefix("EchoNext_").tolist() == [
        "train_waveforms.npy#0", "train_waveforms.npy#1", "test_waveforms.npy#0", "test_waveforms.npy#1",
        "no_split_waveforms.npy#0",
    ]  # fmt: skip
    assert index.patient_id.tolist() == ["e/p2", "e/p2", "e/p1", "e/p1", "e/p3"]
    assert index.age.tolist() == [40, 41, 61, 62, 90]
    assert index.sex.tolist() == ["male", "male", "female", "female", "male"]
    assert index["native.split"].tolist() == ["train", "train", "test", "test", "no_split"]
    assert index["native.lvef_lte_45_flag"].fillna("-").tolist() == ["0", "1", "1", "-", "1"]


def test_leads_are_in_millivolts_again_and_an_absent_array_is_in_the_ledger(database: Path, tmp_path: Path) -> None:
    found, dropped = ingested(config_of(database), tmp_path)
    assert list(found) == ["e/k2", "e/k7", "e/k9", "e/k3"]
    for record, microvolts in found.items():
        np.testing.assert_array_equal(microvolts, np.rint(steps_of(record.removeprefix("e/")) * 4.88))
    assert dropped[["record_id", "reason"]].values.tolist() == [["e/k1", "signal_missing"]]
    record = open_source(config_of(database)).read("EchoNext_test_waveforms.npy#1")
    assert (record.leads, record.sampling_rate, record.signal.shape) == (LEADS, 250.0, (2500, 12))


def test_the_scaling_is_undone_with_the_authors_own_numbers(peers: Path, database: Path) -> None:
    """Limb leads are sums of each other again, which they are not in the standardised arrays."""
    real = json.loads((peers / "echonext/waveform_normalization_params.json").read_text())
    steps = steps_of("k9")
    first, second = steps[:, 0], steps[:, 1] // 4 * 2
    steps[:, :3] = np.stack([first // 4 * 2, second, second - first // 4 * 2], axis=1)
    np.save(database / "EchoNext_test_waveforms.npy", np.stack([standardised(steps, real)] * 2))
    signal = open_source(config_of(database)).read("EchoNext_test_waveforms.npy#0").signal
    np.testing.assert_allclose(signal, steps * 0.00488, atol=1e-12)
    np.testing.assert_allclose(signal[:, 2], signal[:, 1] - signal[:, 0], atol=1e-12)


@pytest.mark.parametrize(("rows", "number"), [(ROWS[:-1], 1), ([*ROWS, ("k8", "p4", "train", 1, "male", "0")], 3)])
def test_an_array_of_another_number_of_rows_is_not_guessed_at(database: Path, rows: list[tuple], number: int) -> None:
    table = pd.DataFrame(rows, columns=["ecg_key", "patient_key", "split", "age_at_ecg", "sex", "lvef_lte_45_flag"])
    table.to_csv(database / "echonext_metadata_100k.csv", index=False)
    message = rf"EchoNext_train_waveforms\.npy: 2 recordings, but .*_100k\.csv has {number} rows? of split train"
    with pytest.raises(UserError, match=message):
        open_source(config_of(database)).index()


@pytest.mark.parametrize("shape", [(2, 2500, 12), (2, 1, 12, 2500)])
def test_an_array_of_another_form_is_in_the_ledger(database: Path, tmp_path: Path, shape: tuple[int, ...]) -> None:
    np.save(database / "EchoNext_test_waveforms.npy", np.zeros(shape, np.float32))
    found, dropped = ingested(config_of(database), tmp_path)
    assert list(found) == ["e/k2", "e/k7"]
    assert dropped.set_index("record_id").reason[["e/k9", "e/k3"]].tolist() == ["shape_unknown"] * 2


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("ecg_key", "key", r"_100k\.csv: column 'ecg_key' is missing"),
        ("k3", "k9", r"e/k9 stands twice"),
        ("no_split", "none", r"row 5: split must be one of train, val, test, no_split, found 'none'"),
        ("40,male", "400,male", r"row 3: age_at_ecg must be an age in years, found '400'"),
    ],
)
def test_a_broken_table_is_one_line(database: Path, old: str, new: str, message: str) -> None:
    path = database / "echonext_metadata_100k.csv"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(UserError, match=message):
        open_source(config_of(database)).index()
