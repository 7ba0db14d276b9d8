"""Names of fits, and what of the section `finetune` fits which kind of task."""

from __future__ import annotations

import pytest

from ecglfm.config import UserError
from ecglfm.config.fits import Fit, parse_fit


@pytest.mark.parametrize(
    ("name", "fit"),
    [
        ("full-s0", Fit("full", 0, 1.0)),
        ("linear-s12", Fit("linear", 12, 1.0)),
        ("full-s0-10pct", Fit("full", 0, 0.1)),
        ("frozen-s3-0.5pct", Fit("frozen", 3, 0.005)),
        ("full-s0-7pct", Fit("full", 0, 0.07)),  # 100 x 0.07 is not 7 in binary numbers
    ],
)
def test_a_name_says_mode_seed_and_share(name: str, fit: Fit) -> None:
    assert parse_fit(name) == fit
    assert fit.name == name


@pytest.mark.parametrize(
    "name",
    ["full", "full-0", "whole-s0", "full-s-1", "full-s0 ", "../full-s0", "full-s0-pct", "full-s0-0pct",
     "full-s0-100pct", "full-s0-101pct", "full-s0-10.0pct", "full-s00"],
)  # fmt: skip
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(UserError, match="expected {mode}-s{seed}"):
        parse_fit(name)
