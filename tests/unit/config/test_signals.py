"""Leads of prepared signals: each once, out of the twelve, in the order that the encoder reads."""

from __future__ import annotations

import pytest

from ecglfm.config import PreprocessConfig, UserError, parse


def test_the_given_order_is_kept() -> None:
    assert PreprocessConfig().leads == ["I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6"]
    assert PreprocessConfig(leads=["V2", "I"]).leads == ["V2", "I"]


@pytest.mark.parametrize(
    ("leads", "wrong"),
    [(["I", "V7"], r"\['V7'\]"), (["I", "avr"], r"\['avr'\]"), (["I", "I"], r"\['I', 'I'\]"), ([], r"\[\]")],
)
def test_others_are_named(leads: list[str], wrong: str) -> None:
    with pytest.raises(UserError, match=rf"^c\.yaml: leads: each lead once, out of I II [^\n]*wrong here: {wrong}$"):
        parse(PreprocessConfig, {"leads": leads}, "c.yaml")
