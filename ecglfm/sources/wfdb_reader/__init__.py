"""Recordings in WFDB format (header(5), signal(5)): fast and verified, with `wfdb` for what is rare."""

from __future__ import annotations

from ecglfm.sources.wfdb_reader.files import read_wfdb, write_record
from ecglfm.sources.wfdb_reader.formats import FORMATS
from ecglfm.sources.wfdb_reader.header import Header, parse_header, read_header, read_header_text, split_header
from ecglfm.sources.wfdb_reader.notes import Refused, header_index, read_notes, read_text, stated_patient
from ecglfm.sources.wfdb_reader.segments import GAP

__all__ = [
    "FORMATS",
    "GAP",
    "Header",
    "Refused",
    "header_index",
    "parse_header",
    "read_header",
    "read_header_text",
    "read_notes",
    "read_text",
    "read_wfdb",
    "split_header",
    "stated_patient",
    "write_record",
]
