"""Signal files without a whole sample, whose header does not say how many there must be."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecglfm.records import RecordError
from ecglfm.sources.wfdb_reader.files import read_wfdb


@pytest.mark.parametrize("form", ["16", "24", "32", "61", "160", "212", "16+24", "24+24"])
@pytest.mark.parametrize("length", ["", " 0"])  # header(5): zero means unstated
@pytest.mark.parametrize("segmented", [False, True])
def test_less_than_a_sample_is_empty(tmp_path: Path, form: str, length: str, segmented: bool):
    offset = int(form.partition("+")[2] or 0)
    (tmp_path / "r.dat").write_bytes(bytes(offset + 1))
    (tmp_path / "r.hea").write_text(f"r 2 500{length}\nr.dat {form} 200 16 0 0 0 0 I\nr.dat {form} 200 16 0 0 0 0 II\n")
    (tmp_path / "all.hea").write_text("all/1 2 500 10\nr 10\n")
    with pytest.raises(RecordError, match=r"signal_empty: r\.dat holds no samples"):
        read_wfdb(tmp_path, "all" if segmented else "r")


def test_part_of_a_frame_is_truncated(tmp_path: Path):
    (tmp_path / "r.dat").write_bytes(bytes(2))
    (tmp_path / "r.hea").write_text("r 2 500\nr.dat 16 200 16 0 0 0 0 I\nr.dat 16 200 16 0 0 0 0 II\n")
    with pytest.raises(RecordError, match="signal_truncated"):
        read_wfdb(tmp_path, "r")
