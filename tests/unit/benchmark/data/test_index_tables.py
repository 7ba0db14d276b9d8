"""The benchmark of an index: what it writes is HEEDB's layout, and what it prints is what was measured."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ecglfm.benchmark.data import index_tables
from ecglfm.cli import main
from ecglfm.config import SourceConfig, SourceSlice
from ecglfm.sources import open_source


def test_its_tables_are_those_of_heedb(tmp_path: Path) -> None:
    tables = index_tables.write_tables(tmp_path, 1200)
    adapter = open_source(SourceSlice(source="heedb", config=SourceConfig(kind="heedb", root=str(tmp_path))))
    assert tables == adapter.tables()
    frame = adapter.index()
    assert frame["native.institution"].value_counts().to_dict() == {"I0001": 1098, "I0006": 102}
    assert 200 < frame["patient_id"].nunique() < 212  # 5.8 recordings each
    assert frame["native.codes_v24"].isna().sum() == -(-1200 // 77)
    assert len([name for name in frame if name.startswith("native.")]) >= 28


def test_time_memory_and_the_yardstick_are_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = iter([(2.0, 3.0, 400e6), (1.0, 1.5, 50e6)])
    monkeypatch.setattr(index_tables, "_measured", lambda command: next(measured))
    assert main(["benchmark", "index_tables", "--records", "300"]) == 0
    said = re.sub(r"[\d.]+ GB", "G", capsys.readouterr().out.strip())
    assert said == (
        "index of 300 records, G of tables: 2.0 s (150 records/s), 3.0 s of processor time, peak memory 400 MB; "
        "pyarrow reading the tables alone: 1.0 s, 1.5 s of processor time; ratio 2.0"
    )
