"""Whole numbers as text against Python's own int, and texts that are refused."""

from __future__ import annotations

import re

import numpy as np
import pytest

from ecglfm.sources.devices.number_text import whole_numbers


@pytest.mark.parametrize("divider", [",", " ", "\t", ";", "\r\n", " ,\n", "\n , "])
@pytest.mark.parametrize("ends", [("", ""), ("\t\t", "\n"), ("", ","), ("", " ,\n")])
def test_numbers_of_every_length(divider: str, ends: tuple[str, str]):
    rng = np.random.default_rng(0)
    numbers = [int(sign * rng.integers(10**digits)) for digits in range(1, 10) for sign in (1, -1) for _ in range(20)]
    text = ends[0] + divider.join(map(str, numbers)) + ends[1]
    assert whole_numbers(text).tolist() == [int(word) for word in re.findall(r"-?\d+", text)] == numbers


def test_signs_zeros_and_nothing():
    assert whole_numbers("+5,-0,007").tolist() == [5, 0, 7]
    assert whole_numbers(" \n").tolist() == whole_numbers("").tolist() == []
    assert whole_numbers("8,\n").tolist() == [8]


@pytest.mark.parametrize(
    "text",
    ["1,,2", ",1", "1, ,2", "1.5", "1e3", "5-3", "--5", "- 5", "1,-", "-", "-,1", "1 -- 2", "+-1", "5 -", ",", "1x", "0x10",
     "\u0661", "\u22125", "1,2,,", "1234567890", "-" + "9" * 30],
)  # fmt: skip
def test_what_is_no_whole_number_is_refused(text: str):
    with pytest.raises(ValueError, match="holds|missing"):
        whole_numbers(text)
