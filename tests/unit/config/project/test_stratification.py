"""Stratified splits: the tasks whose labels may decide them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from ecglfm.config import (
    Project,
    UserError,
)
from tests.unit.config.projects import BASE


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"kind": "verification"}, "`kind: verification` has no labels"),
        ({"kind": "regression", "labels": {"age": {"ptbxl": {"value": "age"}}}}, "`kind: regression` has no labels"),
        (
            {"kind": "binary", "sources": ["ludb"], "labels": {"x": {"ludb": {"report": ["x"]}}}},
            "sources: 'ludb' is not in the project's",
        ),
    ],
)
def test_a_task_that_cannot_stratify_is_named(repository: Path, tmp_path: Path, content: dict, said: str) -> None:
    shutil.copytree(repository / "config", tmp_path / "config")
    path = tmp_path / "config/tasks/mine.yaml"
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(UserError, match=f"^{path}: .*{said}"):
        Project(BASE | {"manifest": {"stratify": ["mine"]}}, tmp_path / "config")
