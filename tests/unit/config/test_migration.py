"""Config files of earlier versions are lifted, and nothing but the renamed keys in them changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecglfm.config import UserError
from ecglfm.config.migration import migrate
from ecglfm.config.version import MOVES, VERSION

PROJECT = Path("config/config.yaml")
ENCODER = Path("config/encoders/mine.yaml")


def test_a_key_moves_with_its_comment_and_everything_else_stays() -> None:
    old = (
        "# Mine.\n\nresults:   results  # here\nfinetune:\n    lr: 2.0e-3\n\n# What is measured\nevaluate:\n    bootstrap: 100\n"
        "    calibration: none  # as in the paper\n\n# Last\nroots: {ptbxl: 'a b'}\n"
    )
    found = migrate(old, PROJECT)
    assert found.text == (
        "# Mine.\n\nversion: 2\nresults:   results  # here\nfinetune:\n    lr: 2.0e-3\n    calibration: none  # as in the paper\n"
        "\n# What is measured\nevaluate:\n    bootstrap: 100\n\n# Last\nroots: {ptbxl: 'a b'}\n"
    )
    assert found.changes == ["evaluate.calibration -> finetune.calibration", "version: 2"]
    assert migrate(found.text, PROJECT) == (found.text, [])


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        (ENCODER, "pretrain:\n  warmup_steps: 500\n  lr: 1\n", "pretrain:\n  schedule: {warmup: 500}\n  lr: 1\n"),
        (ENCODER, "pretrain: {warmup_steps: 9}", "pretrain: {schedule: {warmup: 9}}"),
        (
            ENCODER,
            "pretrain:\n  schedule:\n    kind: cosine\n  warmup_steps: 5",
            "pretrain:\n  schedule:\n    kind: cosine\n    warmup: 5\n",
        ),
        (PROJECT, "evaluate: {calibration: none}\nversion: 1\n", "version: 2\nfinetune: {calibration: none}\n"),
        (
            PROJECT,
            "{evaluate: {bootstrap: 9, calibration: none}, finetune: {lr: 1}}\n",
            "{version: 2, evaluate: {bootstrap: 9}, finetune: {lr: 1, calibration: none}}\n",
        ),
        (
            PROJECT,
            "version: 2\ndefine:\n  encoders:\n    a: {pretrain: {lr: 1, warmup_steps: 5}}\n",
            "version: 2\ndefine:\n  encoders:\n    a: {pretrain: {lr: 1, schedule: {warmup: 5}}}\n",
        ),
        (
            PROJECT,
            "version: 2\r\nevaluate:\r\n  calibration: none\r\n",
            "version: 2\r\nfinetune: {calibration: none}\n",
        ),
    ],
)
def test_however_it_is_laid_out(path: Path, old: str, new: str) -> None:
    found = migrate(old, path).text
    assert sorted(found.splitlines()) == sorted(new.splitlines())
    assert migrate(found, path).changes == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"version: {VERSION + 1}\n", "config.yaml: version: 3 is newer than this ecglfm .*: install the ecglfm that"),
        (
            "evaluate: {calibration: none}\nfinetune: {calibration: temperature}\n",
            "`evaluate.calibration` is now `finetune.calibration`, and both are there: delete one$",
        ),
        (
            "evaluate: &e {calibration: none}\ncard: *e\n",
            "laid out in a way that this cannot edit: move the key by hand$",
        ),
        (
            "evaluate: {calibration: none}\nfinetune:\n",
            "laid out in a way that this cannot edit: move the key by hand$",
        ),
        ("evaluate:\n\tcalibration: none\n", "config.yaml:2: not valid YAML"),
    ],
)
def test_what_cannot_be_lifted_is_refused(text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        migrate(text, PROJECT)


def test_what_ships_is_current(repository: Path) -> None:
    files = sorted((repository / "config").rglob("*.yaml"))
    assert {str(path): found for path in files if (found := migrate(path.read_text(), path).changes)} == {}


def test_no_move_is_newer_than_the_version() -> None:
    assert max(move.since for move in MOVES) == VERSION
