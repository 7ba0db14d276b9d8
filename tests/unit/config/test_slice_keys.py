"""Keys that a slice has only sometimes, and what may not be read by everybody."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from ecglfm.config import Project, TrackingSlice
from tests.unit.config.projects import BASE


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
