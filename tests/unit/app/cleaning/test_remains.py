"""What is still of people who were left out, in a folder made by hand: person 2 is no longer in the index."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pandas as pd
import pytest

from ecglfm.app.cleaning import remains
from ecglfm.app.cleaning.parts import find_parts, remove_parts
from ecglfm.app.cleaning.remains import find_remains, show_remains
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
    write_json(Path("results/index/a.excluded.json"), {"people": 1, "digest": "abc", "since": float(SINCE)})
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


def _checkpoints(name: str, seen: list[str] | None, at: int = BEFORE, part: str = "finetuning") -> None:
    """What a training left that was broken off."""
    _file(f"{name}/run.json", at)
    if seen is not None:
        write_seen(Path("results", name), {part: ("h", fingerprints(SHA256[id_] for id_ in seen))})
        _file(f"{name}/seen.safetensors", at)


def _found(results: Path) -> list[str]:
    return [str(path.relative_to(results)) for path in find_remains(results, ["a"])[0]]


def test_what_is_as_it_should_be_is_no_remains(results: Path) -> None:
    assert _found(results) == []
    _table("umap/tiny.parquet", ["a/2"], BEFORE)
    assert find_remains(results, []) == find_remains(results, ["b", "c"]) == ([], [])  # c has no index
    assert show_remains([]) == ""


def test_where_nobody_was_left_out_nothing_is_looked_at(results: Path) -> None:
    """Whatever made the index anew: a list of which no id matches anybody, another key, `touch`."""
    Path("results/index/a.excluded.json").unlink()
    _table("umap/tiny.parquet", ["a/2"], BEFORE)
    _file("evaluate/t/af/full-s0/metrics.json", BEFORE)
    _model("pretrain/old", {"pretraining": ["a/1", "a/2"]}, BEFORE)
    assert find_remains(results, ["a"]) == ([], [])


def test_an_index_that_is_made_anew_makes_nothing_of_since_a_remainder(results: Path) -> None:
    _file("evaluate/t/af/full-s0/metrics.json", SINCE + 1)
    _table("index/a.parquet", ["a/1"], AFTER)
    assert find_remains(results, ["a"]) == ([], [])


@pytest.mark.parametrize("column", ["record_id", "record", "record_a", "record_b"])
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
    found, _ = find_remains(results, ["a"])
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


def test_what_a_training_left_is_judged_by_what_it_saw(results: Path) -> None:
    """A pretraining that could go on stays, one of another source, too; and one that does not say what it saw."""
    _model("pretrain/tiny", {"pretraining": ["a/1"]}, AFTER)
    for name, seen in (
        ("tiny/checkpoints.set-aside-1", ["a/1", "a/2"]), ("tiny/checkpoints.set-aside-2", ["a/1"]),
        ("tiny/checkpoints.set-aside-3", None), ("tiny/checkpoints", None), ("broken/checkpoints", ["a/2"]),
        ("goes-on/checkpoints", ["b/1"]), ("unsaid/checkpoints", None),
    ):  # fmt: skip
        _checkpoints(f"pretrain/{name}", seen, part="pretraining")
    _checkpoints("pretrain/begun/checkpoints", None, AFTER)
    _checkpoints("pretrain/of-other-samples/checkpoints", ["other/1"], AFTER)
    _file("pretrain/unsaid/checkpoints.lock", BEFORE)
    _checkpoints("finetune/tiny/af/full-s0/checkpoints", ["a/2"])
    _checkpoints("finetune/tiny/af/full-s1/checkpoints", ["a/1"])
    found, unknown = find_remains(results, ["a"])
    assert [str(path.relative_to(results)) for path in found] == [
        "finetune/tiny/af/full-s0", "pretrain/broken", "pretrain/tiny/checkpoints.set-aside-1",
    ]  # fmt: skip
    says = "it does not say which recordings it was trained on"
    places = ["results/pretrain/tiny/checkpoints.set-aside-3", "results/pretrain/unsaid/checkpoints"]
    assert unknown == [f"{place}: {says}" for place in places]
    assert show_remains([], unknown) == (
        f"Not known whether people who were left out are in it: {places[0]}: {says}; {places[1]}: {says}"
    )


@pytest.mark.parametrize(("weights", "counts"), [("pretrain", True), ("import", False)])
def test_what_an_imported_encoder_saw_elsewhere_does_not_count(results: Path, weights: str, counts: bool) -> None:
    _model("pretrain/tiny", {"pretraining": ["a/1"]}, AFTER, weights)
    _checkpoints("finetune/tiny/af/full-s0/checkpoints", ["other/1"], part="pretraining")
    assert _found(results) == (["finetune"] if counts else [])


def test_what_weights_saw_before_they_came_does_not_count(results: Path) -> None:
    _model("pretrain/on", {"pretraining": ["a/1"], "before": ["other/1"]}, BEFORE)
    _model("finetune/on/af/full-s0", {"pretraining": ["a/1"], "before": ["other/1"], "finetuning": ["b/1"]}, BEFORE)
    assert not [path for path in find_remains(results, ["a", "b"])[0] if "on" in path.parts]


def test_a_card_beside_a_model_shows_people_of_the_test(results: Path) -> None:
    for name, at in (("af", BEFORE), ("new", AFTER)):
        _model(f"finetune/tiny/{name}/full-s0", {"finetuning": ["a/1"]}, BEFORE)
        _file(f"finetune/tiny/{name}/full-s0/card.html", at)
    assert _found(results) == ["finetune/tiny/af/full-s0/card.html"]


@pytest.mark.parametrize("manifest", ["absent", "older", "broken"])
def test_without_a_manifest_of_this_index_no_model_is_judged(results: Path, manifest: str) -> None:
    path = results / "manifest/records.parquet"
    if manifest == "absent":
        path.unlink()
    elif manifest == "older":
        _table("manifest/records.parquet", ["a/1", "a/2"], BEFORE)
    else:
        path.write_bytes(b"PAR1")
    _table("embed/old/has.parquet", ["a/2"], BEFORE)
    _model("pretrain/old", {"pretraining": ["a/2"]}, BEFORE)
    found, unknown = find_remains(results, ["a"])
    assert found == [results / "embed"]
    assert unknown == [f"{path} is missing or older than the index, or broken: models are judged when it is made anew"]


def test_a_table_that_cannot_be_read_is_named_and_kept(results: Path) -> None:
    _table("embed/old/has.parquet", ["a/2"], BEFORE)
    for name in ("embed/old/broken.parquet", "mlartifacts/broken.parquet", "evaluate/t/broken.parquet"):
        _file(name, BEFORE)
    pd.DataFrame({"record_id": [1.5]}).to_parquet("results/umap.parquet")
    _file("umap/foreign.parquet", BEFORE)
    Path("results/umap.parquet").replace("results/umap/foreign.parquet")
    os.utime("results/umap/foreign.parquet", (BEFORE, BEFORE))
    found, unknown = find_remains(results, ["a"])
    assert found == [results / "embed/old/has.parquet"]
    names = ["embed/old/broken", "mlartifacts/broken", "evaluate/t/broken", "umap/foreign"]
    assert unknown == [f"results/{name}.parquet: no table that can be read" for name in names]


def test_nothing_is_read_twice(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The manifest once for all models, nor again by `ecglfm status --watch` before it is written anew."""
    _table("labels/old.parquet", ["a/2"], BEFORE)
    for number in range(3):
        _model(f"pretrain/{number}", {"pretraining": ["a/2"]}, BEFORE)
    read: list[str] = []
    of = remains.table_pieces, remains.pq.read_table
    monkeypatch.setattr(remains, "table_pieces", lambda path, names: read.append(path.name) or of[0](path, names))
    monkeypatch.setattr(remains.pq, "read_table", lambda path, **more: read.append(path.name) or of[1](path, **more))
    assert _found(results) == _found(results) == ["labels", "pretrain"]
    assert sorted(read) == ["000.parquet", "a.parquet", "old.parquet", "records.parquet"]
    _table("manifest/records.parquet", ["a/1", "a/2", "b/1"], AFTER + 1)
    assert _found(results) == ["labels"]


def test_figures_and_numbers_go_by_their_age(results: Path) -> None:
    old = ["umap/umap.json", "serial/serial.csv", "confounders/t/embedding.json", "lead_sets/index.html", "leaderboard/leaderboard.csv",
           "evaluate/label_efficiency.csv", "evaluate/t/af/full-s0/examples/1.png", "transport/m/af/index.html"]  # fmt: skip
    for name in old:
        _file(name, BEFORE)
    for name in ("report/index.html", "evaluate/t/af/full-s1/metrics.json"):
        _file(name, AFTER)
    expected = ["confounders", "evaluate/label_efficiency.csv", "evaluate/t/af/full-s0", "lead_sets", "leaderboard", "serial",
                "transport", "umap"]  # fmt: skip
    assert _found(results) == expected
    assert show_remains(*find_remains(results, ["a"])) == (
        "Made before people were left out (exclude_patients), and not asked for again: results/confounders,"
        " results/evaluate/label_efficiency.csv, results/evaluate/t/af/full-s0 and 5 more;"
        " ecglfm clean --excluded removes it"
    )


def test_associations_go_by_their_age(results: Path) -> None:
    """Tables of loci, too, which name nobody: they are of all people that there were."""
    for name in (
        "discover/t/loci.parquet",
        "discover/t/association/1/1of1/edf_0001.tsv",
        "discover/genotypes/chr1.bed",
    ):
        _file(name, BEFORE)
    _file("discover/t/people.json", AFTER)
    assert _found(results) == ["discover/genotypes", "discover/t/association", "discover/t/loci.parquet"]


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
    _file("embed/broken.parquet", BEFORE)
    before.add(Path("results/embed/broken.parquet"))
    _model("finetune/old/af/full-s0", {"finetuning": ["a/2"]}, BEFORE)
    before |= set(Path("results/finetune/old/af/full-s0").iterdir())
    _file("finetune/old/af/full-s0/card.html", BEFORE)  # which goes although its model stays
    parts, left = find_parts(project, "models", excluded=True)
    assert [(part.stage, str(part.path)) for part in parts] == [
        ("embed", "results/embed/old"),
        ("finetune", "results/finetune/old/af/full-s0/card.html"),
        ("labels", "results/labels"),
    ]
    assert left == [
        "results/embed/broken.parquet: no table that can be read",
        f"results/umap: a link to {Path('elsewhere').resolve()}",
    ]
    remove_parts(parts)
    assert {path for path in results.rglob("*") if path.is_file()} == before
    assert find_parts(project, "models", excluded=True) == ([], left)
