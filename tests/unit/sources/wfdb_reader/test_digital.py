"""Signal files without a whole sample, whose header does not say how many there must be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import wfdb

from ecglfm.records import RecordError
from ecglfm.sources.inside import Root
from ecglfm.sources.wfdb_reader.digital import checksums, read_digital
from ecglfm.sources.wfdb_reader.files import read_wfdb
from ecglfm.sources.wfdb_reader.header import read_header


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


def test_same_samples_as_wfdb_on_every_genuine_record(real_data: Path):
    headers = [h for h in sorted(real_data.rglob("*.hea")) if "mimic-iv-ecg" not in h.parts]
    compared = 0
    for path in headers:
        if "legacy" in str(path):
            continue  # wfdb refuses these
        expected = wfdb.rdrecord(str(path.with_suffix("")), physical=False)
        root = Root(real_data)
        folder, name = root.split(str(path.relative_to(real_data).with_suffix("")))
        header = read_header(root, folder, name)
        digital = read_digital(root, folder, header)
        assert digital.dtype == np.int16
        np.testing.assert_array_equal(digital, expected.d_signal, err_msg=str(path))
        assert header.sampling_rate == expected.fs
        compared += 1
    assert compared >= 336


def test_checksum_by_hand():
    assert checksums(np.array([[1, -1], [2, -3]], dtype=np.int16)).tolist() == [3, 65532]
    # 3 * 32767 = 98301 = 32765 modulo 65536
    assert checksums(np.full((3, 1), 32767, dtype=np.int16)).tolist() == [32765]
