"""The generated pages say what the config is."""

from __future__ import annotations

from pathlib import Path

from ecglfm.config.documentation import markdown, schema


def test_generated_files_are_up_to_date(repository: Path) -> None:
    assert (repository / "config/schema.json").read_text() == schema(), "run `make docs`"
    assert (repository / "config/README.md").read_text() == markdown(), "run `make docs`"
