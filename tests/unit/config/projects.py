"""Projects written for tests."""

from __future__ import annotations

from pathlib import Path

from ecglfm.config import (
    Project,
)

BASE = {"sources": ["demo-ptbxl"], "encoders": ["tiny"], "tasks": ["coin-toss"]}


def project_of(repository: Path, **change: object) -> Project:
    return Project(BASE | change, repository / "config")
