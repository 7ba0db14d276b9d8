"""Verification as a task."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from ecglfm.config import UserError, read_yaml
from ecglfm.config.verification import parse_task
from tests.unit.config.projects import project_of


def test_a_verification_has_no_labels_and_no_fits(repository: Path) -> None:
    project = project_of(
        repository, tasks=["identification", "age"], evaluate={"bootstrap": 7, "survival_times": [1.0]}
    )
    assert (list(project.tasks), list(project.verifications)) == (["age"], ["identification"])
    slices = project.slices()
    assert "verify/identification" in slices
    assert "labels/identification" not in slices
    assert yaml.safe_load(slices["verify/identification"]) == {
        "task": "identification", "bootstrap": 7, "confidence": 0.95, "seed": 0, "min_patients": 5,
        "config": project.verifications["identification"].model_dump() | {"sources": list(project.sources)},
    }  # fmt: skip


def test_a_verification_with_a_mistake_is_told_as_such(repository: Path, tmp_path: Path) -> None:
    path = tmp_path / "tasks" / "who.yaml"
    path.parent.mkdir()
    path.write_text("kind: verification\nlabels: {}\nmax_pair: 0\n")
    with pytest.raises(UserError) as found:
        parse_task(read_yaml(path), path, tmp_path)
    assert str(found.value).splitlines() == [
        f"{path}: labels: unknown key; there are kind, description, sources, center, max_pairs", f"{path}: max_pair: unknown key; did you mean 'max_pairs'?"
    ]  # fmt: skip
