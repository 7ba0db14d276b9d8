"""What sources hold, by the config that their index was made with: named before any signal is compared."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from ecglfm.config import ManifestConfig, ManifestSlice, SourceConfig, SourceSlice
from ecglfm.config.databases import overlaps
from ecglfm.data.manifest import held_databases
from ecglfm.sources.base import write_index


def index(results: Path, source: str, databases: list[str] | None = None, **config: object) -> None:
    """An index of a record of each database of the Challenge, or of one record."""
    rows = pd.DataFrame({
        "record_id": [f"{source}/{number}" for number in range(len(databases or [""]))], "source": source,
        "patient_id": pd.Series([None] * len(databases or [""]), dtype="string"), "path": "x", "age": 1.0, "sex": "male",
        "fold": pd.Series(pd.NA, index=range(len(databases or [""])), dtype="Int64"), "codes": [[]] * len(databases or [""]),
        "report": "", **({"native.database": databases} if databases else {}),
    })  # fmt: skip
    slice_ = SourceSlice(source=source, config=SourceConfig(root=str(results), **config))
    write_index(results / "index" / f"{source}.parquet", [rows], slice_=slice_)


def slice_of(*sources: str, **more: object) -> ManifestSlice:
    return ManifestSlice(sources=list(sources), manifest=ManifestConfig(), **more)


def test_a_source_holds_what_its_kind_its_folders_and_its_config_say(tmp_path: Path) -> None:
    index(tmp_path, "ours", kind="ptbxl")
    index(tmp_path, "challenge", ["ptb-xl", "ningbo", "ningbo"], kind="challenge2021")
    index(tmp_path, "excerpts", kind="wfdb_folder")
    index(tmp_path, "mine", kind="wfdb_folder")
    made = slice_of("ours", "challenge", "excerpts", "mine", "not indexed", holds={"excerpts": ["qtdb"]})
    assert held_databases(made, tmp_path) == {
        "ours": ["ptbxl"], "challenge": ["ningbo", "ptbxl"], "excerpts": ["qtdb"],
    }  # fmt: skip
    assert overlaps(held_databases(made, tmp_path)) == [
        {"a": "challenge", "b": "ours", "why": "both have recordings of PTB-XL"}
    ]


def test_a_synthetic_database_is_none_of_those_that_it_imitates(tmp_path: Path) -> None:
    slice_ = SourceSlice(source="demo", config=SourceConfig(kind="synthetic", layout="ptbxl"))
    rows = pd.DataFrame({
        "record_id": ["demo/1"], "source": "demo", "patient_id": pd.Series([None], dtype="string"), "path": "x",
        "age": 1.0, "sex": "male", "fold": pd.Series([pd.NA], dtype="Int64"), "codes": [[]], "report": "",
    })  # fmt: skip
    write_index(tmp_path / "index/demo.parquet", [rows], slice_=slice_)
    assert held_databases(slice_of("demo"), tmp_path) == {}


def test_a_manifest_without_holds_is_that_of_before_there_was_such_a_key() -> None:
    assert "holds" not in slice_of("a").model_dump(mode="json")
    assert slice_of("a", holds={"a": ["qtdb"]}).model_dump(mode="json")["holds"] == {"a": ["qtdb"]}
