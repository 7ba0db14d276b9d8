"""Objectives in an encoder's YAML: what their kind says of itself, and what contradicts itself."""

from __future__ import annotations

import re

import pytest

from ecglfm.config import PretrainConfig, UserError, parse
from ecglfm.config.encoders.objective import MaskedCodesConfig
from tests.unit.training.pretraining.toy_objective import KnowsToy


def test_the_cmsc_term_says_what_pairs_are_made_of() -> None:
    assert MaskedCodesConfig().pairs == "patient"
    assert MaskedCodesConfig.model_validate({"cmsc": {"pairs": "recording"}}).pairs == "recording"


def test_the_usual_kind_is_not_written() -> None:
    """So that the hash of a training from before there were kinds stays."""
    written = MaskedCodesConfig.model_validate({"kind": "masked_codes", "mlm": {"weight": 2.0}}).model_dump()
    assert "kind" not in written
    assert written["mlm"] == {"weight": 2.0}
    assert MaskedCodesConfig.model_validate(written) == MaskedCodesConfig.model_validate({"mlm": {"weight": 2.0}})


@pytest.mark.parametrize(("cls", "kinds"), [(PretrainConfig, ["masked_codes"]), (KnowsToy, ["masked_codes", "toy"])])
def test_another_kind_is_one_line(cls: type[PretrainConfig], kinds: list[str]) -> None:
    """With what was written and every kind that there is: of one, and of several, which pydantic words otherwise."""
    with pytest.raises(UserError) as error:
        parse(cls, {"steps": 1, "objective": {"kind": "magic"}}, "e.yaml")
    message = str(error.value)
    assert re.fullmatch(r"e\.yaml: objective(\.kind)?: [^\n]*magic[^\n]*", message)
    assert [kind for kind in kinds if f"'{kind}'" not in message] == []
