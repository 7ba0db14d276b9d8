"""What would go of a results folder made by hand, and what never does."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from ecglfm.app.cleaning.parts import BY_SOURCE, WITHOUT_KEEP, find_parts, remove_parts, show_parts, size_of, size_text
from ecglfm.config import Project, UserError
from ecglfm.lock import Lock

FILES = {
    "config/identity.json": 10, "index/a.parquet": 10, "ingest/a/000.npy": 3000, "preprocess/a/000.npy": 2000,
    "embed/tiny/a.parquet": 500, "labels/af.parquet": 10, "manifest/records.parquet": 10,
    "pretrain/tiny/encoder.safetensors": 400, "pretrain/tiny/checkpoints/step-1/w": 800,
    "finetune/tiny/af/full-s0/model.safetensors": 400, "evaluate/tiny/af/full-s0/metrics.json": 10,
    "report/index.html": 10, "mlflow.db": 10,
}  # fmt: skip


@pytest.fixture
def project(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.chdir(tmp_path)
    for name, size in FILES.items():
        _write(Path("results") / name, size)
    content = {
        "sources": ["a"], "encoders": ["tiny"], "tasks": ["af"],
        "define": {
            "sources": {"a": {"kind": "wfdb_folder", "root": "raw"}},
            "tasks": {"af": {"kind": "binary", "labels": {"AF": {"wfdb_folder": {"column": {"af": ["1"]}}}}}},
        },
    }  # fmt: skip
    return Project(content, repository / "config")


def _write(path: Path, size: int = 1) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(size))


def _left() -> list[str]:
    return sorted(str(path.relative_to("results")) for path in Path("results").rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("keep", "size", "gone"),
    [
        ("models", 6300, ["ingest", "preprocess", "embed", "pretrain/tiny/checkpoints"]),
        ("encoders", 6700, ["ingest", "preprocess", "embed", "pretrain/tiny/checkpoints", "finetune"]),
        ("reports", 7100, ["ingest", "preprocess", "embed", "pretrain", "finetune"]),
        (None, 7170, [""]),
    ],
)  # fmt: skip
def test_what_goes_is_what_is_not_kept(project: Project, keep: str | None, size: int, gone: list[str]) -> None:
    parts, left = find_parts(project, keep)
    assert (sum(part.size for part in parts), left) == (size, [])
    remove_parts(parts)
    assert _left() == sorted(name for name in FILES if not name.startswith(tuple(gone)))


def test_it_is_told_by_stage(project: Project) -> None:
    parts, left = find_parts(project, "models")
    assert show_parts(parts, left) == (
        "ingest            3 kB  results/ingest/a\n"
        "preprocess        2 kB  results/preprocess/a\n"
        "embed            500 B  results/embed/tiny\n"
        "checkpoints      800 B  results/pretrain/tiny/checkpoints"
    )
    assert size_of(parts) == "6 kB"
    assert [size_text(size) for size in (0, 999, 1500, 2e9, 3.4e13)] == ["0 B", "999 B", "2 kB", "2 GB", "34.0 TB"]


def test_a_training_that_has_not_ended_keeps_what_it_resumes_from(project: Project) -> None:
    Path("results/pretrain/tiny/encoder.safetensors").unlink()
    parts, _ = find_parts(project, "models")
    assert "checkpoints" not in {part.stage for part in parts}


def test_what_other_recipes_own_stays(project: Project) -> None:
    others = [
        "pretrain/large/encoder.safetensors",
        "finetune/tiny/age/full-s0/m",
        "finetune/tiny/af/lora-s3/m",
        "ingest/b/000.npy",
    ]
    for name in others:
        _write(Path("results") / name)
    mine = ["mine/config/identity.json", "mine/pretrain/large/encoder.safetensors"]
    for name in mine:
        _write(Path("results") / name)
    parts, left = find_parts(project, None)
    assert left == [
        "results/ingest/b: not of this config", "results/pretrain/large: not of this config",
        "results/finetune/tiny/age: not of this config", "results/finetune/tiny/af/lora-s3: not of this config",
    ]  # fmt: skip
    remove_parts(parts)
    shared = {"config/identity.json", "index/a.parquet", "labels/af.parquet", "manifest/records.parquet", "mlflow.db"}
    shared |= {"evaluate/tiny/af/full-s0/metrics.json", "report/index.html"}
    assert _left() == sorted([*others, *mine, *shared])


def test_a_project_within_a_folder_of_ours_stays(project: Project) -> None:
    _write(Path("results/report/mine/config/identity.json"))
    parts, left = find_parts(project, None)
    assert left == ["results/report: results/report/mine is another project's results"]
    remove_parts(parts)
    assert Path("results/report/mine/config/identity.json").exists()


def test_links_are_not_followed(project: Project, tmp_path: Path) -> None:
    for name in ("big", "raw"):
        _write(tmp_path / name / "precious", 5000)
    (tmp_path / "results/ingest/a/000.npy").unlink()
    (tmp_path / "results/ingest/a").rmdir()
    (tmp_path / "results/ingest").rmdir()
    (tmp_path / "big/a").mkdir()
    _write(tmp_path / "big/a/000.npy")
    (tmp_path / "results/ingest").symlink_to(tmp_path / "big")  # a stage on another disk
    (tmp_path / "results/preprocess/a/link").symlink_to(tmp_path / "raw")  # a link within what goes
    parts, left = find_parts(project, "models")
    assert left == [f"results/ingest: a link to {tmp_path / 'big'}"]
    assert sum(part.size for part in parts) == 3300
    remove_parts(parts)
    assert not Path("results/preprocess").exists()
    assert [(tmp_path / name).exists() for name in ("big/precious", "big/a/000.npy", "raw/precious")] == [True] * 3


def test_a_folder_that_no_run_has_filled_is_left_alone(project: Project) -> None:
    Path("results/config/identity.json").unlink()
    with pytest.raises(UserError, match="results: no folder of results"):
        find_parts(project, None)


def test_nothing_goes_while_something_runs(project: Project) -> None:
    _write(Path(".snakemake/locks/0.output.lock"))
    Path(".snakemake/locks/0.output.lock").write_text("other/report/index.html\n")
    assert find_parts(project, None)[0]
    Path(".snakemake/locks/0.output.lock").write_text("results/report/index.html\n")
    with pytest.raises(UserError, match="Snakemake holds its lock"):
        find_parts(project, None)
    Path(".snakemake/locks/0.output.lock").unlink()
    lock = Path("results/finetune/tiny/af/full-s0/checkpoints.lock")
    Lock(lock)
    with pytest.raises(UserError, match=r"process \d+ on .* trains there"):
        find_parts(project, "reports")
    lock.write_text(json.dumps(json.loads(lock.read_text()) | {"started": "1"}))
    assert find_parts(project, "reports")[0]


def test_every_folder_of_the_workflow_is_known(repository: Path) -> None:
    rules = "".join(path.read_text() for path in (repository / "workflow/rules").glob("*.smk"))
    made = set(re.findall(r"<results>/(\w+)", rules))
    assert made - {*BY_SOURCE, *WITHOUT_KEEP, "embed", "pretrain", "finetune"} == set()
