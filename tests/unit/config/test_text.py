"""Spellings of one value are one text."""

import pytest

from ecglfm.config.text import as_text, at_home, legible, split_codes


@pytest.mark.parametrize(
    ("value", "text"),
    [(1, "1"), (1.0, "1"), ("1.0", "1"), (" 1 ", "1"), ("-0.50", "-0.5"), (True, "true"), ("Yes", "yes"), (None, None),
     (float("nan"), None), ("1e5", "1e5"), ("inf", "inf"), ("12345678901234567890", "12345678901234567890")],
)  # fmt: skip
def test_values_are_compared_as_text(value, text):
    assert as_text(value) == text


def test_codes_of_a_cell():
    assert split_codes(" I48.0; E11,  44|Z95\n") == ["I48.0", "E11", "44", "Z95"]
    assert split_codes(" ; ") == []


def test_a_tilde_is_the_home_folder(monkeypatch):
    monkeypatch.setenv("HOME", "/ada")
    assert [at_home(path) for path in ("~/db", "a/~", "", None)] == ["/ada/db", "a/~", "", None]


def test_what_a_terminal_would_obey_stands_there_by_its_number():
    assert legible("Müller 心電図 V1\u00a0é") == "Müller 心電図 V1\u00a0é"
    hostile = "a\x1b[2J\x9b31m\r\n\x00\u2028b\u202eexe"
    assert legible(hostile) == r"a\x1b[2J\x9b31m\r\n\x00\u2028b\u202eexe"
