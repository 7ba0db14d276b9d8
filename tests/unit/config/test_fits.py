"""Names of fits, and what of the section `finetune` fits which kind of task."""

from __future__ import annotations

import pytest

from ecglfm.config import UserError
from ecglfm.config.fits import Fit, fold_fits, is_variant, parse_fit, split_fold, split_variant


@pytest.mark.parametrize(
    ("name", "fit"),
    [
        ("full-s0", Fit("full", 0, 1.0)),
        ("linear-s12", Fit("linear", 12, 1.0)),
        ("full-s0-10pct", Fit("full", 0, 0.1)),
        ("frozen-s3-0.5pct", Fit("frozen", 3, 0.005)),
        ("full-s0-f2of5", Fit("full", 0, 1.0, 2, 5)),
        ("linear-s1-f0of10", Fit("linear", 1, 1.0, 0, 10)),
        ("full-s0-lr3", Fit("full", 0, 1.0, variant="lr3")),
        ("lora-s1-10pct-no_decay", Fit("lora", 1, 0.1, variant="no_decay")),
        ("full-s0-lr3-f2of5", Fit("full", 0, 1.0, 2, 5, "lr3")),
        ("full-s0-7pct", Fit("full", 0, 0.07)),  # 100 x 0.07 is not 7 in binary numbers
    ],
)
def test_a_name_says_mode_seed_and_share(name: str, fit: Fit) -> None:
    assert parse_fit(name) == fit
    assert fit.name == name


@pytest.mark.parametrize(
    "name",
    ["full", "full-0", "whole-s0", "full-s-1", "full-s0 ", "../full-s0", "full-s0-0pct",
     "full-s0-100pct", "full-s0-101pct", "full-s0-10.0pct", "full-s00",
     "full-s0-f5of5", "full-s0-f0of2", "full-s0-f-1of5", "full-s0-f01of5", "full-s0-10pct-f0of5",
     "full-s0-3x", "full-s0-lr3-lr4", "full-s0-lr3-10pct", "full-s0-f0of5-lr3", "full-s0-lr.3"],
)  # fmt: skip
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(UserError, match="expected {mode}-s{seed}"):
        parse_fit(name)


def test_variants_are_told_from_shares_and_folds() -> None:
    names = ("full-s0-lr3", "full-s0-10pct-lr3", "full-s0-lr3-f2of5", "full-s0-10pct", "full-s0-f2of5", "full-s0")
    assert [split_variant(name) for name in names] == [
        ("full-s0", "lr3"), ("full-s0-10pct", "lr3"), ("full-s0-f2of5", "lr3"),
        ("full-s0-10pct", None), ("full-s0-f2of5", None), ("full-s0", None),
    ]  # fmt: skip
    assert split_fold("full-s0-lr3-f2of5") == ("full-s0-lr3", 2, 5)
    assert [is_variant(name) for name in ("lr3", "f", "f0of", "f0of5", "3lr", "a-b", "")] == [True] * 3 + [False] * 4


def test_each_fold_of_a_cross_validation_has_a_fit_of_which_the_next_fold_chooses() -> None:
    names = fold_fits("full-s3", 4)
    assert names == ["full-s3-f0of4", "full-s3-f1of4", "full-s3-f2of4", "full-s3-f3of4"]
    assert [parse_fit(name).chosen_by for name in names] == [1, 2, 3, 0]
    assert parse_fit("full-s3").chosen_by is None
