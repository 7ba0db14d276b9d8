"""Objectives in an encoder's YAML: what their kind says of itself, and what contradicts itself."""

from __future__ import annotations

import pytest

from ecglfm.config import MaskConfig, PretrainConfig, UserError, parse
from ecglfm.config.objective import MaskedCodesConfig


def test_the_cmsc_term_says_what_pairs_are_made_of() -> None:
    assert MaskedCodesConfig().pairs == "patient"
    assert MaskedCodesConfig.model_validate({"cmsc": {"pairs": "recording"}}).pairs == "recording"


def test_the_usual_kind_is_not_written() -> None:
    """So that the hash of a training from before there were kinds stays."""
    written = MaskedCodesConfig.model_validate({"kind": "masked_codes", "mlm": {"weight": 2.0}}).model_dump()
    assert "kind" not in written
    assert written["mlm"] == {"weight": 2.0}
    assert MaskedCodesConfig.model_validate(written) == MaskedCodesConfig.model_validate({"mlm": {"weight": 2.0}})


@pytest.mark.parametrize(("length", "spans", "hidden"), [(1, 1, False), (1, 2, True), (2, 1, True)])
def test_two_frames_must_be_hidden(length: int, spans: int, hidden: bool) -> None:
    given = {"length": length, "min_spans": spans}
    if hidden:
        assert MaskConfig(**given).length == length
    else:
        with pytest.raises(ValueError, match="length 1 needs min_spans 2 or more"):
            MaskConfig(**given)


def test_another_kind_is_one_line() -> None:
    with pytest.raises(UserError, match=r"^e\.yaml: objective\.kind: [^\n]*masked_codes[^\n]*$"):
        parse(PretrainConfig, {"steps": 1, "objective": {"kind": "magic"}}, "e.yaml")
