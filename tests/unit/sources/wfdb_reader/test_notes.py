"""What the comments of headers say."""

from __future__ import annotations

from ecglfm.sources.wfdb_reader.notes import parse_notes


def test_comments_of_headers():
    notes = parse_notes(
        "# before\nr 1 500\r\nr.dat 16\n#Age: 1\n# age : 2\n#a" + " " * 500_000 + "b\n" + "#<" * 1000, "r"
    )
    assert notes.values == {"age": "1"}
    assert notes.comments[:3] == ("before", "Age: 1", "age : 2")
    assert not notes.segmented
