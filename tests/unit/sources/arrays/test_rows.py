"""Ids of recordings as text, whatever an array has them as."""

from __future__ import annotations

import numpy as np
import pytest

from ecglfm.records import RecordError
from ecglfm.sources.arrays.rows import as_text


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([7, -1, 2**53 + 1], ">i8"), ["7", "-1", "9007199254740993"]),
        (np.array([b"a7", "\u00e9".encode()], object), ["a7", "\u00e9"]),
        (np.array(["007", "b"], object), ["007", "b"]),
        (np.array([b"x\xff"], "S2"), ["x\ufffd"]),
        (np.empty(0, np.uint8), []),
    ],
)
def test_ids_are_text(values: np.ndarray, expected: list[str]) -> None:
    assert as_text(values, "ids").to_pylist() == expected


@pytest.mark.parametrize("values", [np.zeros(3), np.zeros((2, 2), int)])
def test_what_is_no_id_is_refused(values: np.ndarray) -> None:
    with pytest.raises(RecordError, match=r"signal_unreadable: keys: .* are no ids, one a recording"):
        as_text(values, "keys")
