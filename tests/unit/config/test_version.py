"""Old names of keys are answered with the new ones; a config of a later version is refused as such."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecglfm.config import EncoderConfig, Project, UserError, parse
from ecglfm.config.version import renamed
from tests.unit.config.projects import BASE, project_of


def test_an_old_key_names_the_new_one_and_the_command(repository: Path) -> None:
    with pytest.raises(UserError) as error:
        project_of(repository, evaluate={"calibration": "none"})
    file = repository / "config/config.yaml"
    assert str(error.value) == (
        f"{file}: evaluate.calibration: is now `finetune.calibration`; `ecglfm config migrate {file}` moves it"
    )
    content = {"weights": "train", "pretrain": {"warmup_steps": 5, "lr": 1.0}}
    with pytest.raises(
        UserError, match=r"pretrain\.warmup_steps: is now `pretrain\.schedule\.warmup`; `ecglfm config "
    ):
        parse(EncoderConfig, content, "config/encoders/a.yaml")


def test_no_file_is_named_for_the_command_line_and_a_definition_names_its_file() -> None:
    assert renamed(("evaluate", "calibration"), "--config") == "is now `finetune.calibration`"
    said = renamed(("pretrain", "warmup_steps"), "a.yaml: define.encoders.b")
    assert said == "is now `pretrain.schedule.warmup`; `ecglfm config migrate a.yaml` moves it"
    assert renamed(("evaluate", "bootstrap"), "a.yaml") is None


def test_a_newer_config_is_refused_before_its_keys_are_looked_at(repository: Path) -> None:
    with pytest.raises(UserError, match="version: 99 is newer than this ecglfm .* install the ecglfm that") as error:
        Project(BASE | {"version": 99, "of_later": 1}, repository / "config")
    assert "of_later" not in str(error.value)
