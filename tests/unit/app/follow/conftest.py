"""A folder in which the data of a project are made."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.app.follow.planted import MANIFEST, make


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The working folder, with a manifest."""
    monkeypatch.chdir(tmp_path)
    make(MANIFEST)
