"""Bytes of signal files, unpacked as signal(5) draws them; `test_wfdb_random.py` holds them to wfdb."""

from __future__ import annotations

import numpy as np
import pytest

from ecglfm.sources.wfdb_reader.formats import FORMATS


@pytest.mark.parametrize(
    ("form", "content", "samples"),
    [
        (16, "0100 ffff 0080", [1, -1, -32768]),  # low byte first
        (24, "010000 ffffff 000080 563412", [1, -1, -8388608, 0x123456]),
        (32, "01000000 ffffffff 00000080", [1, -1, -2147483648]),
        (61, "0001 ffff 8000 1234", [1, -1, -32768, 0x1234]),  # high byte first
        (80, "80 81 7f 00 ff", [0, 1, -1, -128, 127]),  # 128 is zero
        (160, "0080 0180 ff7f 0000 ffff", [0, 1, -1, -32768, 32767]),  # 32768 is zero
        (212, "01 f0 ff", [1, -1]),  # the nibbles in the middle are the high ones: first sample's below
        (212, "00 78 ff", [-2048, 2047]),
        (212, "34 02 00 cd 0a", [0x234, 0, -1331]),  # an odd number ends with two bytes; 0xacd - 4096 = -1331
    ],
)
def test_bytes_by_hand(form: int, content: str, samples: list[int]) -> None:
    stored = np.frombuffer(bytes.fromhex(content), dtype=np.uint8)
    found = FORMATS[form]
    assert found.n_bytes(len(samples)) == len(stored)
    assert found.unpack(stored, len(samples)).tolist() == samples


def test_the_lowest_value_of_each_format_means_that_a_sample_is_missing() -> None:
    lowest = {16: -32768, 24: -8388608, 32: -2147483648, 61: -32768, 80: -128, 160: -32768, 212: -2048}
    assert {number: form.missing for number, form in FORMATS.items()} == lowest
