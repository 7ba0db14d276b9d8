"""The map of embeddings: what is known of each record, who is shown, and how UMAP is asked; umap itself compiles for too long."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from ecglfm.config import UserError
from ecglfm.evaluation import embedding_map
from ecglfm.evaluation.embedding_map import describe, embed, map_figure, run_embedding_map
from ecglfm.provenance import read_json, write_parquet

RECORDS = [f"a/{number}" for number in range(18)] + ["b/0", "b/1"]


@pytest.fixture
def results(tmp_path: Path) -> Path:
    sources = [name[0] for name in RECORDS]
    about = pd.DataFrame({"record_id": RECORDS, "source": sources, "age": 50.0})
    write_parquet(tmp_path / "manifest/records.parquet", about)
    labels = pd.DataFrame(
        {"record_id": RECORDS[:4], "label.AF": [1.0, 1.0, 0.0, 1.0], "label.MI": [1.0, 0.0, 0.0, np.nan]}
    )
    write_parquet(tmp_path / "labels/rhythm.parquet", labels)
    write_parquet(tmp_path / "labels/age.parquet", pd.DataFrame({"record_id": RECORDS, "label.years": 50.0}))
    write_parquet(
        tmp_path / "index/a.parquet",
        pd.DataFrame({"record_id": RECORDS[:18], "native.device": ["old"] * 9 + ["new "] * 9}),
    )
    for source in "ab":
        own = [name for name in RECORDS if name[0] == source] + ["gone"]
        table = pd.DataFrame({"record": own, "patient_id": own, "vector.0": np.arange(len(own)), "vector.1": 1.0})
        write_parquet(tmp_path / f"embed/tiny/{source}.parquet", table)
        write_parquet(tmp_path / f"embed/tiny/{source}.windows.parquet", table)
    write_parquet(tmp_path / "embed/tiny/.a.123.tmp.parquet", table)  # a job that was killed before it could rename
    return tmp_path


def test_of_several_labels_the_rarest_counts(results: Path):
    about = describe(results, ["age", "rhythm"]).set_index("record_id")
    assert list(about) == ["rhythm", "source", "device", "age"]  # a task of numbers has no colours
    assert about["rhythm"].iloc[:5].tolist() == ["MI", "AF", "none", "AF", "not in this label set"]
    assert about.loc[["a/0", "a/17", "b/0"], "device"].tolist() == ["old", "new", "unknown"]


def test_a_map_is_of_records_of_the_manifest_drawn_blindly(results: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "umap", SimpleNamespace(__spec__=object()))
    monkeypatch.setattr(embedding_map, "embed", lambda vectors, seed: vectors[:, :2] + seed)
    run_embedding_map(results, ["tiny"], ["rhythm"], results / "umap", seed=7)
    table = pd.read_parquet(results / "umap/tiny.parquet").set_index("record_id")
    assert sorted(table.index) == sorted(RECORDS)  # each once
    assert table.loc["a/3", ["x", "y"]].tolist() == [10.0, 8.0]
    assert read_json(results / "umap/umap.json") == {"encoders": ["tiny"], "seed": 7, "records": 3000}
    assert (results / "umap/tiny.png").stat().st_size > 1000
    run_embedding_map(results, ["tiny"], [], results / "few", records=17)
    few = set(pd.read_parquet(results / "few/tiny.parquet")["record_id"])
    assert len(few) == 17
    assert "b/0" in few or "b/1" in few  # hashes, not the first ones
    with pytest.raises(UserError, match="a map needs more than 15"):
        run_embedding_map(results, ["tiny"], [], results / "few", records=15)
    with pytest.raises(UserError, match=r"embed/other: no vectors; `snakemake embed_all` makes them"):
        run_embedding_map(results, ["other"], [], results / "few")


def test_umap_is_asked_so_that_it_repeats(monkeypatch: pytest.MonkeyPatch):
    asked = {}

    class UMAP:
        def __init__(self, **options: object) -> None:
            asked.update(options)

        def fit_transform(self, vectors: np.ndarray) -> np.ndarray:
            return vectors[:, :2]

    monkeypatch.setitem(sys.modules, "umap", SimpleNamespace(UMAP=UMAP))
    assert embed(np.eye(3, dtype=np.float32), seed=5).tolist() == np.eye(3)[:, :2].tolist()
    assert (asked["random_state"], asked["n_jobs"]) == (5, 1)


def test_frequent_values_have_colours_and_the_others_are_grey():
    values = [name for name, count in zip("abcdefgh", range(9, 1, -1), strict=True) for _ in range(count)]
    table = pd.DataFrame({"record_id": range(len(values)), "x": 0.0, "y": 0.0, "site": values, "age": np.nan})
    (axes,) = map_figure(table).axes  # nobody's age is known
    assert axes.get_title(loc="left") == "site"
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [
        "others (5)", "a (9)", "b (8)", "c (7)", "d (6)", "e (5)", "f (4)"
    ]  # fmt: skip
