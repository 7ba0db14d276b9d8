"""Which data and config a results folder belongs to."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecglfm.config import (
    Project,
    UserError,
)
from ecglfm.config.identity import check_identity, write_identity
from tests.unit.config.projects import BASE, project_of


def test_results_of_another_database_are_not_mixed(repository: Path, tmp_path: Path) -> None:
    first = project_of(repository, results=str(tmp_path))
    check_identity(first)  # nothing remembered yet
    write_identity(first)
    _make_index(tmp_path, "demo-ptbxl")
    check_identity(project_of(repository, results=str(tmp_path), sources=["demo-ptbxl", "demo-mimic"]))
    with pytest.raises(UserError, match="was filled from source 'demo-ptbxl' .* this config leaves it out"):
        check_identity(
            Project(
                {
                    "sources": ["demo-mimic"],
                    "encoders": ["tiny"],
                    "tasks": ["ptbxl-superdiagnostic"],
                    "results": str(tmp_path),
                }
                | {"tasks": ["af-mimic"]},
                _folder_with_task(repository, tmp_path),
            )
        )


@pytest.mark.parametrize(
    ("results", "said"),
    [
        ("{here}/file", "results: .*/file is a file; name a folder with the key `results`"),
        ("{here}/file/below/it", "results: .*/file is a file"),
        ("{here}/link", "results: .*/link is a link to .*/unmounted, which is not there: is its disk mounted"),
        ("{here}/link/below", "link is a link to"),
    ],
)
def test_results_that_can_be_no_folder(repository: Path, tmp_path: Path, results: str, said: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "unmounted")
    with pytest.raises(UserError, match=said):
        check_identity(project_of(repository, results=results.format(here=tmp_path)))
    (tmp_path / "unmounted").mkdir()
    check_identity(project_of(repository, results=str(tmp_path / "link/new")))


def _make_index(results: Path, source: str) -> None:
    (results / "index").mkdir(exist_ok=True)
    (results / "index" / f"{source}.parquet").touch()


def _ptbxl(repository: Path, results: Path, root: Path) -> Project:
    chosen = {"sources": ["ptbxl"], "encoders": [], "tasks": [], "roots": {"ptbxl": str(root)}}
    return Project(chosen | {"results": str(results)}, repository / "config")


def test_a_root_binds_once_there_is_an_index_and_a_moved_database_is_known(repository: Path, tmp_path: Path) -> None:
    results = tmp_path / "results"
    for name, content in {"right": "1", "moved": "1", "other": "2"}.items():
        (tmp_path / name).mkdir()
        for table in ("ptbxl_database.csv", "scp_statements.csv"):
            (tmp_path / name / table).write_text(content)
    write_identity(_ptbxl(repository, results, tmp_path / "mistyped"))
    right = _ptbxl(repository, results, tmp_path / "right")
    check_identity(right)
    write_identity(right)
    check_identity(_ptbxl(repository, results, tmp_path / "other"))
    _make_index(results, "ptbxl")
    check_identity(_ptbxl(repository, results, tmp_path / "moved"))
    check_identity(_ptbxl(repository, results, tmp_path / "other" / ".." / "right"))
    with pytest.raises(UserError, match="was filled from source 'ptbxl' .*right.*, this config reads 'ptbxl .*other'"):
        check_identity(_ptbxl(repository, results, tmp_path / "other"))
    for table in (tmp_path / "right").iterdir():  # put away: what is remembered of them stays
        table.unlink()
    write_identity(right)
    check_identity(_ptbxl(repository, results, tmp_path / "moved"))


def test_an_identity_of_an_earlier_version_is_read(repository: Path, tmp_path: Path) -> None:
    _make_index(tmp_path, "ptbxl")
    (tmp_path / "config").mkdir()
    (tmp_path / "config/identity.json").write_text('{"ptbxl": "ptbxl path/to/it"}')
    check_identity(_ptbxl(repository, tmp_path, Path("path/to/it")))
    with pytest.raises(UserError, match=r"\(ptbxl path/to/it\), this config reads 'ptbxl elsewhere'"):
        check_identity(_ptbxl(repository, tmp_path, Path("elsewhere")))


def test_spellings_of_one_results_folder_are_one(repository: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    config = repository / "config"
    projects = [Project(BASE | {"results": name}, config) for name in ("results", "results/", "./results")]
    assert [project.config.results for project in projects] == ["results"] * 3
    write_identity(projects[0])
    _make_index(tmp_path / "results", "demo-ptbxl")
    check_identity(Project(BASE | {"results": str(tmp_path / "results")}, config))


def _folder_with_task(repository: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "config-copy"
    for name in ("sources/demo-mimic", "encoders/tiny"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.yaml").write_text((repository / "config" / f"{name}.yaml").read_text())
    (folder / "tasks").mkdir()
    (folder / "tasks/af-mimic.yaml").write_text(
        "kind: binary\nlabels: {AF: {mimic_iv_ecg: {report: [atrial fibrillation]}}}\n"
    )
    return folder
