"""What is still of people who were left out, in a folder made by hand: person 2 is no longer in the index."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pandas as pd
import pytest

from ecglfm.app.follow.clean import find_parts, remove
from ecglfm.app.follow.remains import find_remains, show_remains
from ecglfm.config import Project
from ecglfm.models.seen import fingerprints, write_seen
from ecglfm.provenance import write_json

BEFORE, SINCE, AFTER = 1000, 2000, 3000
SHA256 = {name: hashlib.sha256(name.encode()).hexdigest() for name in ("a/1", "a/2", "b/1", "b/9", "other/1")}


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Index and manifest as they are now: `a` has `exclude_patients`, `b` has not."""
    monkeypatch.chdir(tmp_path)
    _table("index/a.parquet", ["a/1"], SINCE)
    _table("index/b.parquet", ["b/1"], BEFORE)
    _table("manifest/records.parquet", ["a/1", "b/1"], AFTER)
    _table("ingest/a/000.parquet", ["a/1"], AFTER)
    _table("ingest/b/000.parquet", ["b/1", "b/9"], BEFORE)
    for name in ("ingest/b/000.npy", "config/source/b.yaml", "logs/index/b.log", "tracking/index/k.jsonl"):
        _file(name, BEFORE)
    return Path("results")


def _file(name: str, at: int) -> None:
    path = Path("results", name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    os.utime(path, (at, at))


def _table(name: str, ids: list[str], at: int, column: str = "record_id") -> None:
    _file(name, at)
    frame = pd.DataFrame({"n_samples": 5000, column: ids, "sha256": [SHA256[id_] for id_ in ids]})
    frame.to_parquet(Path("results", name))
    _file(name, at)


def _model(name: str, seen: dict[str, list[str]], at: int, weights: str = "pretrain") -> None:
    folder = Path("results", name)
    folder.mkdir(parents=True)
    if name.startswith("pretrain"):
        write_json(folder / "encoder.json", {"weights": weights})
    else:
        write_json(folder / "model.json", {"encoder": {"weights": weights}})
    if seen:
        write_seen(folder, {part: ("h", fingerprints(SHA256[id_] for id_ in ids)) for part, ids in seen.items()})
    for path in folder.iterdir():
        os.utime(path, (at, at))


def _found(results: Path) -> list[str]:
    return [str(path.relative_to(results)) for path in find_remains(results, ["a"])]


def test_what_is_as_it_should_be_is_no_remains(results: Path) -> None:
    assert _found(results) == []
    _table("umap/tiny.parquet", ["a/2"], BEFORE)
    assert find_remains(results, []) == []
    assert find_remains(results, ["c"]) == []  # it has no index
    assert show_remains([]) == ""


@pytest.mark.parametrize("column", ["record_id", "record_a", "record_b"])
def test_a_table_is_judged_by_its_ids(results: Path, column: str) -> None:
    for folder in ("embed/old", "labels", "mlartifacts/3/run/artifacts", "verify/old/id"):
        _table(f"{folder}/has.parquet", ["a/1", "a/2"], BEFORE, column)
        _table(f"{folder}/has_not.parquet", ["a/1", "b/9"], BEFORE, column)
        _table(f"{folder}/later.parquet", ["a/2"], AFTER, column)  # by the workflow it is not
    assert _found(results) == [
        "embed/old/has.parquet", "labels/has.parquet", "mlartifacts/3/run/artifacts/has.parquet",
        "verify/old/id/has.parquet",
    ]  # fmt: skip


def test_what_lies_beside_a_table_is_judged_by_itself_but_in_a_shard(results: Path) -> None:
    _table("embed/old/a.parquet", ["a/1"], BEFORE)
    _table("embed/old/a.windows.parquet", ["a/2"], BEFORE)
    for ending, of in ((".parquet", "a/1"), (".ledger.parquet", "a/2"), (".npy", "a/1")):
        _table(f"ingest/a/001{ending}", [of], BEFORE)
    found = find_remains(results, ["a"])
    assert [str(path.relative_to(results)) for path in found] == [
        "embed/old/a.windows.parquet", "ingest/a/001.ledger.parquet", "ingest/a/001.npy", "ingest/a/001.parquet",
    ]  # fmt: skip
    assert "results/ingest/a/001.ledger.parquet, results/ingest/a/001.npy and 1 more; ecglfm" in show_remains(found)
    assert "results/ingest/a/001.ledger.parquet, results/ingest/a/001.npy; ecglfm" in show_remains(found[:3])


def test_a_shard_beyond_the_number_goes_whole(results: Path) -> None:
    for stage in ("ingest", "preprocess"):
        _table(f"{stage}/a/001.parquet", ["a/2"], BEFORE)
        for ending in (".npy", ".ledger.parquet"):
            _table(f"{stage}/a/001{ending}", ["a/1"], BEFORE)
    shard = ("001.ledger.parquet", "001.npy", "001.parquet")
    assert _found(results) == [*(f"ingest/a/{name}" for name in shard), "preprocess"]


def test_a_model_is_judged_by_what_it_saw(results: Path) -> None:
    _model("pretrain/old", {"pretraining": ["a/1", "a/2"]}, BEFORE)
    _model("pretrain/new", {"pretraining": ["a/1", "a/2"]}, AFTER)
    _model("pretrain/same", {"pretraining": ["a/1", "b/1"]}, BEFORE)
    _model("pretrain/random", {}, BEFORE, "random")
    _model("pretrain/unsaid", {}, BEFORE)
    _model("finetune/same/af/full-s0", {"pretraining": ["b/1"], "finetuning": ["a/2"]}, BEFORE)
    _model("finetune/same/af/full-s1", {"pretraining": ["b/1"], "finetuning": ["a/1"]}, BEFORE)
    _model("finetune/from-elsewhere/af/full-s0", {"pretraining": ["other/1"], "finetuning": ["a/1"]}, BEFORE, "import")
    _model("finetune/of-old/af/full-s0", {"pretraining": ["a/2"], "finetuning": ["a/1"]}, BEFORE)
    assert _found(results) == [
        "finetune/of-old", "finetune/same/af/full-s0", "pretrain/old", "pretrain/unsaid",
    ]  # fmt: skip


def test_what_a_training_left_goes_by_its_age(results: Path) -> None:
    _model("pretrain/tiny", {"pretraining": ["a/1"]}, AFTER)
    for name in ("tiny/checkpoints.set-aside-1/run.json", "tiny/checkpoints/run.json", "broken/checkpoints/run.json"):
        _file(f"pretrain/{name}", BEFORE)
    _file("pretrain/goes-on/checkpoints/run.json", AFTER)
    assert _found(results) == ["pretrain/broken", "pretrain/tiny/checkpoints.set-aside-1"]


def test_figures_and_numbers_go_by_their_age(results: Path) -> None:
    old = ["umap/umap.json", "serial/serial.csv", "confounders/t/embedding.json", "lead_sets/index.html",
           "evaluate/label_efficiency.csv", "evaluate/t/af/full-s0/examples/1.png", "transport/m/af/index.html"]  # fmt: skip
    for name in old:
        _file(name, BEFORE)
    for name in ("report/index.html", "evaluate/t/af/full-s1/metrics.json"):
        _file(name, AFTER)
    expected = ["confounders", "evaluate/label_efficiency.csv", "evaluate/t/af/full-s0", "lead_sets", "serial",
                "transport", "umap"]  # fmt: skip
    assert _found(results) == expected
    assert show_remains(find_remains(results, ["a"])) == (
        "Made before people were left out (exclude_patients), and not asked for again: results/confounders,"
        " results/evaluate/label_efficiency.csv, results/evaluate/t/af/full-s0 and 4 more;"
        " ecglfm clean --excluded removes it"
    )


def test_clean_removes_them_and_nothing_else(results: Path, repository: Path) -> None:
    project = Project(
        {
            "sources": ["a", "b"], "encoders": [], "tasks": [],
            "define": {
                "sources": {
                    "a": {"kind": "wfdb_folder", "root": "raw", "exclude_patients": "w.csv"},
                    "b": {"kind": "wfdb_folder", "root": "raw"},
                }
            },
        },
        repository / "config",
    )  # fmt: skip
    _file("config/identity.json", BEFORE)
    Path("elsewhere").mkdir()
    Path("results/umap").symlink_to(Path("elsewhere").resolve())
    _file("umap/umap.json", BEFORE)
    _table("report/mine/umap/t.parquet", ["a/2"], BEFORE)
    _file("report/mine/config/identity.json", BEFORE)
    before = {path for path in results.rglob("*") if path.is_file()}
    for name in ("labels/old.parquet", "embed/old/a.parquet"):
        _table(name, ["a/2"], BEFORE)
    _model("pretrain/old", {"pretraining": ["a/2"]}, BEFORE)
    assert [part.stage for part in find_parts(project, "reports", excluded=True)[0]] == ["embed", "labels", "pretrain"]
    before |= set(Path("results/pretrain/old").iterdir())
    parts, left = find_parts(project, "models", excluded=True)
    assert [(part.stage, str(part.path)) for part in parts] == [
        ("embed", "results/embed"),
        ("labels", "results/labels"),
    ]
    assert left == [f"results/umap: a link to {Path('elsewhere').resolve()}"]
    remove(parts)
    assert {path for path in results.rglob("*") if path.is_file()} == before
    assert find_parts(project, "encoders", excluded=True) == ([], left)
