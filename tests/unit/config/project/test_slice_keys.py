"""Keys that a slice has only sometimes, and what may not be read by everybody."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from ecglfm.config import Project, PromptsSlice, TaskConfig, TrackingSlice
from tests.unit.config.projects import BASE, TINY_WORDS


@pytest.mark.parametrize(
    ("uri", "private"),
    [
        ("postgresql://me:secret@host/mlflow", True),
        ("https://token@host", True),
        ("http://127.0.0.1:5000", False),
        ("sqlite:///results/mlflow.db", False),
    ],
)
def test_a_uri_with_a_password_is_private(repository: Path, uri: str, private: bool) -> None:
    assert TrackingSlice(uri=uri, artifacts="mlartifacts", enabled=True).has_password is private
    written = "private=PROJECT.tracking_slice().has_password"  # where the workflow writes the file that jobs read
    assert written in (repository / "workflow/rules/common.smk").read_text()


def test_only_an_imported_encoder_has_a_hash(repository: Path) -> None:
    """A pretrained one has no such key, not even an empty one: its slice is what it was before there were hashes."""
    text = Project(BASE, repository / "config").slices()["pretrain/tiny"]
    assert set(yaml.safe_load(text)) == {"encoder", "config", "preprocess"}


def test_a_label_without_prompts_has_its_name() -> None:
    labels = {name: {"ptbxl": {"scp": ["X"]}} for name in ("left_bundle-branch_block", "AF")}
    task = TaskConfig.model_validate({"kind": "multilabel", "labels": labels, "prompts": {"AF": ["a", "b"]}})
    prompts = {"left_bundle-branch_block": ["left bundle branch block"], "AF": ["a", "b"]}
    assert PromptsSlice.of("t", task) == PromptsSlice(task="t", prompts=prompts)


def test_only_zero_shot_fits_have_prompts(repository: Path) -> None:
    """Of every task; the labels' slice is the same with them."""
    plain = Project(BASE, repository / "config").slices()
    define = {"define": {"encoders": {"words": TINY_WORDS}}, "encoders": ["words"]}
    asked = Project(BASE | define | {"finetune": {"modes": ["zero_shot"]}}, repository / "config").slices()
    assert [name for name in plain if name.startswith("prompts/")] == []
    assert yaml.safe_load(asked["prompts/coin-toss"]) == {"task": "coin-toss", "prompts": {"heads": ["heads"]}}
    assert asked["labels/coin-toss"] == plain["labels/coin-toss"]
