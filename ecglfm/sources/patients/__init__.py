"""Whose a recording is: ids and their spellings, people who withdrew, tables of people."""

from __future__ import annotations

from ecglfm.sources.patients.excluded import Excluded, excluded_since, note_excluded
from ecglfm.sources.patients.ids import UNSTATED, Patients, is_nobody, normal_id, normal_number, normal_text
from ecglfm.sources.patients.people import People

__all__ = [
    "UNSTATED",
    "Excluded",
    "Patients",
    "People",
    "excluded_since",
    "is_nobody",
    "normal_id",
    "normal_number",
    "normal_text",
    "note_excluded",
]
