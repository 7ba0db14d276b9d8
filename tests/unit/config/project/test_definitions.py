"""`define`: sources, encoders and tasks in the config itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecglfm.config import Project, UserError

OWN = {
    "sources": {"mine": {"kind": "wfdb_folder", "root": "records", "table": "recordings.csv"}},
    "encoders": {"scratch": {"weights": "random", "model": {"layers": 1, "dim": 16, "ffn_dim": 16, "heads": 1}}},
    "tasks": {
        "diagnoses": {
            "kind": "binary",
            "labels": {"AF": {"wfdb_folder": {"file": {"path": "labels.csv"}, "codes": {"icd": ["I48*"]}}}},
        }
    },
}
BASE = {"sources": ["mine"], "encoders": ["scratch"], "tasks": ["diagnoses"]}


def project(repository: Path, **define: object) -> Project:
    content = BASE | {"define": OWN | define}
    return Project(content, repository / "config", over=[("mine.yaml", content)])


def test_one_file_is_a_whole_project(repository: Path) -> None:
    found = project(repository)
    assert (found.sources["mine"].root, found.sources["mine"].table) == ("records", "recordings.csv")
    assert found.encoders["scratch"].model.dim == 16
    assert found.task_sources("diagnoses") == ["mine"]
    assert found.tasks["diagnoses"].files == ["labels.csv"]  # from the working folder, not that of config.yaml
    assert {name for name in found.slices() if "/" in name and not name.startswith("discover/")} == {
        "source/mine", "labels/diagnoses", "pretrain/scratch", "finetune/scratch",
    }  # fmt: skip


def test_a_definition_goes_before_a_file_of_its_name(repository: Path) -> None:
    shipped = Project({"sources": ["mine"], "encoders": [], "tasks": []}, repository / "config")
    assert shipped.sources["mine"].root == "data/mine"
    assert project(repository).sources["mine"].root == "records"


def test_an_unused_definition_is_no_part_of_any_slice(repository: Path) -> None:
    more = {"sources": OWN["sources"] | {"other": {"kind": "ludb", "root": "x"}}}
    assert project(repository, **more).slices() == project(repository).slices()


def test_tasks_that_patients_are_split_by_may_be_defined(repository: Path) -> None:
    content = BASE | {"define": OWN, "manifest": {"stratify": ["diagnoses"]}}
    assert list(Project(content, repository / "config").stratifying) == ["diagnoses"]


@pytest.mark.parametrize(
    ("define", "message"),
    [
        ({"sources": {"mine": {"kind": "wfdb_folder", "roots": "x"}}}, "define.sources.mine: roots: unknown key; did you mean 'root'?"),
        ({"encoders": {"scratch": {"weights": "random"}}}, "define.encoders.scratch: model: this key is required"),
        ({"encoders": {"scratch": {"weights": "import", "path": "nowhere"}}},
         "define.encoders.scratch: path: nowhere holds no encoder.json; give a folder that `pretrain` or `import-checkpoint` wrote"),
        ({"encoders": {"scratch": {"weights": "import"}}}, "define.encoders.scratch: `weights: import` needs `path:`"),
        ({"tasks": {"diagnoses": {"kind": "binary", "labels": {}}}}, "define.tasks.diagnoses: (whole file): `labels` is empty"),
    ],
)  # fmt: skip
def test_mistakes_are_named_where_they_stand(repository: Path, define: dict, message: str) -> None:
    with pytest.raises(UserError) as error:
        project(repository, **define)
    assert str(error.value) == f"mine.yaml: {message}"


def test_a_name_that_is_nowhere_is_compared_with_those_of_both_places(repository: Path) -> None:
    content = BASE | {"define": OWN, "tasks": ["diagnose"]}
    with pytest.raises(
        UserError, match=r"tasks/diagnose\.yaml: no such file; .*; `define` has: diagnoses; did you mean 'diagnoses'\?$"
    ):
        Project(content, repository / "config")
