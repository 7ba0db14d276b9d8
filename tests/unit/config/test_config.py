"""The typed config: strict YAML, errors that name file and key, slices that hold only what a stage needs."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
import yaml

from ecglfm.config import (
    DefineConfig,
    Project,
    SourceConfig,
    UserError,
    load,
)
from ecglfm.config.origin import Origin
from ecglfm.config.project.definitions import Definitions
from tests.unit.config.projects import BASE, project_of
from tests.unit.config.stub_encoders import stub_encoders


def test_a_mistake_is_named_where_it_stands(repository: Path) -> None:
    recipe, given = {"finetune": {"lrr": 1, "epochs": 2}}, {"finetune": {"epochs": "many"}, "encoders": ["tinny"]}
    content = BASE | {"finetune": recipe["finetune"] | given["finetune"], "evaluate": {"bootstrap": 0}}
    with pytest.raises(UserError) as error:
        Project(content, repository / "config", over=[("my.yaml", recipe), ("--config", given)])
    assert sorted(line.partition(": ")[0].rpartition("/")[2] for line in str(error.value).splitlines()) == [
        "--config", "config.yaml", "my.yaml",
    ]  # fmt: skip
    assert "--config: finetune.epochs: Input should be a valid integer" in str(error.value)
    assert "my.yaml: finetune.lrr: unknown key" in str(error.value)
    other = {"sources": ["demo-mimic"]}
    with pytest.raises(
        UserError,
        match=r"is not in --config's sources: demo-mimic; add it there, choose others in config\.yaml's `tasks`",
    ):
        Project(BASE | other | {"tasks": ["diagnosis", "ptbxl-all"]}, repository / "config", over=[("--config", other)])


def test_every_shipped_yaml_is_sound(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    stub_encoders(repository / "config", tmp_path)  # recipes name such as are imported
    definitions = Definitions(repository / "config", DefineConfig(), Origin(repository / "config/config.yaml", []))
    folders = {
        "sources": partial(load, SourceConfig),
        "encoders": lambda path: definitions.encoder(path.stem),
        "tasks": lambda path: definitions.task(path.stem),
    }
    counts = {}
    for folder, read in folders.items():
        files = sorted((repository / "config" / folder).glob("*.yaml"))
        counts[folder] = len([read(path) for path in files])
    assert counts["sources"] >= 4
    assert counts["encoders"] >= 2
    assert counts["tasks"] >= 4
    base = yaml.safe_load((repository / "config/config.yaml").read_text())
    for recipe in [None, *sorted((repository / "config/recipes").glob("*.yaml"))]:
        content = dict(base) | (yaml.safe_load(recipe.read_text()) if recipe else {})
        Project(content, repository / "config")


def test_sources_of_another_project_are_refused_with_the_way_out(repository: Path) -> None:
    change = {"sources": ["mine"], "encoders": ["tiny"], "tasks": ["diagnosis"]}
    with pytest.raises(UserError, match=r"diagnosis.yaml: sources: 'demo-mimic' is not in .*`tasks` \(\[\] for none\)"):
        Project(change, repository / "config")


def test_a_loss_that_does_not_fit_a_task_is_refused_before_anything_runs(repository: Path) -> None:
    with pytest.raises(UserError, match="finetune.loss: cox does not fit task coin-toss of kind binary"):
        project_of(repository, finetune={"loss": "cox"})
