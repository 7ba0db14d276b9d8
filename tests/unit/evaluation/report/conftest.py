"""Fixtures that the tests of this folder share."""

from __future__ import annotations

import pytest

from ecglfm.evaluation.report import examples, model_sections


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are made but not painted, which takes most of the time."""
    monkeypatch.setattr(model_sections, "png", lambda figure, dpi=150: b"png")
    monkeypatch.setattr(examples, "png", lambda figure, dpi=150: b"png")
