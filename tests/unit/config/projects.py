"""Projects written for tests."""

from __future__ import annotations

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
