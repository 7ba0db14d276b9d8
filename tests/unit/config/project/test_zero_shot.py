"""Which encoders are asked in words, what stands beside them, and what a project is told that has none."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecglfm.config import EncoderConfig, Project, UserError
from ecglfm.config.project.zero_shot import ALIGNMENT, is_aligned, modes_of
from tests.unit.config.projects import BASE, TINY_WORDS

MODES = ["full", "frozen", "linear", "lora"]


def test_an_encoder_knows_words_by_its_own_training_or_brings_them(tmp_path: Path) -> None:
    words = EncoderConfig.model_validate(TINY_WORDS)
    assert is_aligned(words)
    assert modes_of(words) == [*MODES, "zero_shot"]
    other = EncoderConfig.model_validate(TINY_WORDS | {"pretrain": {"steps": 1}})
    assert modes_of(other) == MODES
    brought = {"model": TINY_WORDS["model"], "weights": "import", "path": str(tmp_path)}
    assert not is_aligned(EncoderConfig.model_validate(brought))
    (tmp_path / ALIGNMENT).touch()
    assert is_aligned(EncoderConfig.model_validate(brought))
    assert not is_aligned(EncoderConfig.model_validate(brought | {"pretrain": {"steps": 1}}))  # it goes on without


def test_others_stand_beside_it_in_modes_of_their_own(repository: Path) -> None:
    content = BASE | {
        "define": {"encoders": {"words": TINY_WORDS}}, "encoders": ["words", "random-tiny"],
        "finetune": {"modes": ["zero_shot", "linear"]},
    }  # fmt: skip
    project = Project(content, repository / "config")
    assert [fit for fit in project.fits if project.has_fit("words", fit)] == ["zero_shot-s0", "linear-s0"]
    assert [fit for fit in project.fits if project.has_fit("random-tiny", fit)] == ["linear-s0"]
    assert project.fit_beside("random-tiny", "zero_shot-s0") == "linear-s0"


def test_a_copy_of_an_aligned_one_is_asked_in_words_before_that_is_made(repository: Path, tmp_path: Path) -> None:
    """Else the first run would leave its fits out."""
    copy = {"model": TINY_WORDS["model"], "weights": "import"}
    encoders = {
        "words": TINY_WORDS, "plain": TINY_WORDS | {"pretrain": {"steps": 1}},
        "copy": copy | {"path": f"{tmp_path}/pretrain/words/"}, "again": copy | {"path": f"{tmp_path}/pretrain/copy"},
        "other": copy | {"path": f"{tmp_path}/pretrain/plain"},
    }  # fmt: skip
    content = BASE | {
        "define": {"encoders": encoders}, "encoders": list(encoders), "results": str(tmp_path),
        "finetune": {"modes": ["zero_shot", "linear"]},
    }  # fmt: skip
    project = Project(content, repository / "config")
    asked = [name for name in encoders if project.has_fit(name, "zero_shot-s0")]
    assert asked == ["words", "copy", "again"]
    encoders["copy"] = copy | {"path": f"{tmp_path}/pretrain/again"}  # in a circle: no word comes from anywhere
    assert not Project(content, repository / "config").has_fit("copy", "zero_shot-s0")


def test_a_project_without_one_is_told_what_to_do(repository: Path) -> None:
    with pytest.raises(UserError) as error:
        Project(BASE | {"finetune": {"modes": ["zero_shot"]}}, repository / "config")
    assert str(error.value) == (
        f"{repository / 'config/encoders/tiny.yaml'}: not aligned with text, which zero_shot needs: write"
        " `pretrain.objective: {kind: report_alignment}`, or add full to config.yaml's `finetune.modes`, beside which its"
        " other fits stay"
    )


def test_what_has_no_linear_has_no_adapters(repository: Path) -> None:
    convnet = {"model": {"kind": "convnet", "dim": 16, "blocks": [1]}, "weights": "random"}
    content = BASE | {"define": {"encoders": {"cnn": convnet}}, "encoders": ["cnn", "random-tiny"]}
    project = Project(content | {"finetune": {"modes": ["lora", "linear"]}}, repository / "config")
    assert [fit for fit in project.fits if project.has_fit("random-tiny", fit)] == ["lora-s0", "linear-s0"]
    assert [fit for fit in project.fits if project.has_fit("cnn", fit)] == ["linear-s0"]
    with pytest.raises(
        UserError, match="`kind: convnet` has no Linear, which lora needs, and knows no words, which zero"
    ):
        Project(content | {"finetune": {"modes": ["lora"]}}, repository / "config")
