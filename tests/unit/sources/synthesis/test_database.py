"""Synthetic databases on disk: layouts, tables, and the same bytes however they are written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import wfdb

from ecglfm.config import LEADS, SourceConfig, SourceSlice, UserError
from ecglfm.provenance import sha256_file
from ecglfm.sources import open_source
from ecglfm.sources.synthesis.database import run_synthesize
from tests.unit.sources.synthesis.small_databases import make


def hashes(root: Path) -> dict[str, str]:
    return {str(p.relative_to(root)): sha256_file(p) for p in sorted(root.rglob("*")) if p.is_file()}


@pytest.fixture(scope="module", params=["ptbxl", "mimic_iv_ecg"])
def database(request, tmp_path_factory) -> tuple[SourceSlice, Path]:
    root = tmp_path_factory.mktemp(request.param)
    return make(root, layout=request.param, difficulty=1.0), root


def test_goes_through_the_adapter_of_its_layout(database: tuple[SourceSlice, Path]):
    source = open_source(database[0])
    index = source.index()
    assert len(index) == 40
    assert index.patient_id.nunique() == 20
    for path in index.path:
        record = source.read(path)  # checksums and first samples are verified
        assert record.signal.shape == (5000, 12)
        standard = dict(zip(LEADS, np.rint(record.standard().signal.T * 1000), strict=True))
        np.testing.assert_array_equal(standard["I"] + standard["III"], standard["II"])
        step = 1 if database[0].config.layout == "ptbxl" else 5  # microvolts
        assert np.abs(2 * standard["aVF"] - 2 * standard["II"] + standard["I"]).max() <= step
        assert not np.isnan(record.signal).any()


def test_wfdb_reads_the_files(database: tuple[SourceSlice, Path]):
    source = open_source(database[0])
    path = source.index().path.iloc[-1]
    record = wfdb.rdrecord(str(database[1] / path), physical=False)
    assert record.checksum == (record.d_signal.sum(0) % 65536).tolist()
    assert record.init_value == record.d_signal[0].tolist()
    gain, names = {
        "ptbxl": (1000.0, [lead.upper() for lead in LEADS]),
        "mimic_iv_ecg": (200.0, ["I", "II", "III", "aVR", "aVF", "aVL", "V1", "V2", "V3", "V4", "V5", "V6"]),
    }[database[0].config.layout]
    assert record.adc_gain == [gain] * 12
    assert record.sig_name == names


def test_same_bytes_whatever_the_workers(database: tuple[SourceSlice, Path], tmp_path: Path):
    make(tmp_path, workers=2, layout=database[0].config.layout, difficulty=1.0)
    assert hashes(tmp_path) == hashes(database[1])


def test_more_patients_change_nothing_in_the_first_ones(tmp_path: Path):
    make(tmp_path / "few", patients=4, difficulty=1.0)
    make(tmp_path / "many", patients=20, difficulty=1.0)
    few, many = hashes(tmp_path / "few"), hashes(tmp_path / "many")
    records = [name for name in few if name.startswith("records500")]
    assert len(records) == 16
    assert all(few[name] == many[name] for name in records)
    lines = [(tmp_path / size / "ptbxl_database.csv").read_text().splitlines() for size in ("few", "many")]
    assert lines[0] == lines[1][: len(lines[0])]


def test_seeds_and_layouts_are_different_people(tmp_path: Path):
    firsts = []
    for layout, seed in (("ptbxl", 3), ("ptbxl", 4), ("mimic_iv_ecg", 3)):
        root = tmp_path / f"{layout}-{seed}"
        source = open_source(make(root, layout=layout, seed=seed, patients=1))
        firsts.append(source.read(source.index().path[0]).standard().signal[:, 1])
    correlation = np.corrcoef(firsts)
    assert np.abs(correlation - np.eye(3)).max() < 0.9


def test_rate_100_adds_the_low_resolution_files(tmp_path: Path):
    source = open_source(make(tmp_path, patients=1, rate=100))
    low = source.read(source.index().path[0])
    assert (low.sampling_rate, low.signal.shape) == (100.0, (1000, 12))
    high = source.read("records500/00000/00001_hr")
    middle = slice(50, 950)
    assert np.corrcoef(low.signal[middle, 1], high.signal[::5][middle, 1])[0, 1] > 0.97
    np.testing.assert_array_equal(*(np.rint(1000 * x) for x in (low.signal[:, 0] + low.signal[:, 2], low.signal[:, 1])))


def test_an_unfinished_database_has_no_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    make(tmp_path, patients=1)

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ecglfm.sources.synthesis.database.write_record", full)
    with pytest.raises(OSError, match="No space"):
        make(tmp_path, patients=2)
    assert not list(tmp_path.glob("*.csv"))
    assert not list(tmp_path.glob(".*"))


def test_only_synthetic_sources_are_written(tmp_path: Path):
    genuine = SourceSlice(source="p", config=SourceConfig(kind="ptbxl", root=str(tmp_path)))
    with pytest.raises(UserError, match="only `synthetic`"):
        run_synthesize(genuine, tmp_path)
