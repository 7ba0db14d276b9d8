"""Projects written for tests."""

from __future__ import annotations

import shutil
from pathlib import Path

from ecglfm.config import (
    Project,
)

#: An encoder that is aligned with text.
TINY_WORDS = {
    "model": {"kind": "conformer", "layers": 1, "dim": 8, "ffn_dim": 8, "heads": 1},
    "pretrain": {"steps": 1, "objective": {"kind": "report_alignment"}},
}
BASE = {"sources": ["demo-ptbxl"], "encoders": ["tiny"], "tasks": ["coin-toss"]}


def project_of(repository: Path, **change: object) -> Project:
    return Project(BASE | change, repository / "config")


def two_encoders(repository: Path, folder: Path, own: str) -> Path:
    """The config with an encoder `mine`: `tiny`, without what is said there of its fits, and some lines of its own."""
    shutil.copytree(repository / "config", folder)
    tiny = (folder / "encoders/tiny.yaml").read_text().partition("\nfinetune:")[0] + "\n"
    (folder / "encoders/tiny.yaml").write_text(tiny)
    (folder / "encoders/mine.yaml").write_text(f"{tiny}\n{own}\n")
    return folder
