"""Analyses of a target of their own are in the report where they have been made."""

from __future__ import annotations

import os
from pathlib import Path

from ecglfm.evaluation.report.sections import Section, made_sections
from ecglfm.provenance import write_json, write_text

SECTION = Section(
    "odds", "The odds", "odds/found.csv", lambda results: f"<b>{(results / 'odds/found.csv').read_text()}"
)


def test_a_section_is_there_once_its_file_is_and_says_what_is_newer(tmp_path: Path):
    assert made_sections(tmp_path, [SECTION]) == []
    file = tmp_path / "odds/found.csv"
    write_text(file, "7")
    for name in ("new", "old"):
        write_json(tmp_path / f"pretrain/{name}/encoder.json", {})
    made = file.stat().st_mtime
    os.utime(tmp_path / "pretrain/old/encoder.json", (made - 9, made - 9))
    os.utime(tmp_path / "pretrain/new/encoder.json", (made + 9, made + 9))
    (section,) = made_sections(tmp_path, [SECTION])
    assert section == {"name": "odds", "title": "The odds", "content": "<b>7", "older": ["new"]}
