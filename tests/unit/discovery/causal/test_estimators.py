"""Estimators of Mendelian randomization: the published LDL-CHD figures, sums by hand, another allele."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ecglfm.discovery.causal.estimators import (
    Instruments,
    egger,
    estimates,
    heterogeneity,
    leave_one_out,
    main_estimate,
    weighted_median,
)


def instruments(*rows: tuple[float, float, float, float]) -> Instruments:
    x, x_se, y, y_se = np.array(rows, float).T
    return Instruments(np.array([f"rs{i}" for i in range(len(rows))], dtype=object), x, x_se, y, y_se)


@pytest.fixture(scope="module")
def ldl_chd(real_data: Path) -> Instruments:
    """28 SNPs on LDL cholesterol and coronary heart disease, the example of R's MendelianRandomization."""
    path = real_data / "mr/ldl-chd-28.tsv"
    if not path.is_file():
        pytest.skip(f"{path} does not exist")
    table = pd.read_csv(path, sep="\t")
    columns = ("beta_exposure", "se_exposure", "beta_outcome", "se_outcome")
    return instruments(*table[list(columns)].itertuples(index=False))


def test_ldl_and_coronary_heart_disease(ldl_chd: Instruments) -> None:
    """What R's MendelianRandomization prints: random-effects IVW 2.834 (0.530), Egger 3.253 with -0.011."""
    found = {one.method: one for one in estimates(ldl_chd, seed=0)}
    assert len(ldl_chd) == 28
    assert found["ivw"].beta == pytest.approx(2.83421, abs=1e-5)
    assert found["ivw"].standard_error == pytest.approx(0.52980, abs=1e-5)
    assert found["egger"].beta == pytest.approx(3.25289, abs=1e-5)
    assert egger(ldl_chd).intercept == pytest.approx(-0.01146, abs=1e-5)
    assert found["weighted_median"].beta == pytest.approx(2.683, abs=1e-3)
    assert found["weighted_median"].standard_error == pytest.approx(0.419, abs=0.05)  # a bootstrap of another seed
    assert egger(ldl_chd).slope.standard_error == pytest.approx(0.770, abs=1e-3)
    assert egger(ldl_chd).intercept_se == pytest.approx(0.015, abs=1e-3)
    assert heterogeneity(ldl_chd)[0] == pytest.approx(99.530, abs=1e-3)
    assert egger(ldl_chd).i_squared_gx == pytest.approx(0.919, abs=1e-3)


def test_another_allele_changes_nothing(ldl_chd: Instruments) -> None:
    sign = np.where(np.random.default_rng(1).random(28) < 0.5, -1.0, 1.0)
    turned = replace(ldl_chd, x_m=ldl_chd.x_m * sign, y_m=ldl_chd.y_m * sign)
    for ours, theirs in zip(estimates(ldl_chd, seed=3), estimates(turned, seed=3), strict=True):
        assert ours[1:] == pytest.approx(theirs[1:], rel=1e-12)
    assert egger(ldl_chd)[1:] == pytest.approx(egger(turned)[1:], rel=1e-9)


def test_sums_by_hand() -> None:
    """Two instruments with ratios 1 and 3: weights 4 and 1, so 7/5; Q = 4 * 0.16 + 1 * 2.56 = 3.2."""
    two = instruments((2, 0.1, 2, 1), (-1, 0.1, -3, 1))
    ivw, fixed = estimates(two, seed=0)
    assert (ivw.beta, fixed.beta) == pytest.approx((1.4, 1.4))
    assert fixed.standard_error == pytest.approx(5**-0.5)
    assert ivw.standard_error == pytest.approx((3.2 / 5) ** 0.5)
    assert heterogeneity(two) == pytest.approx((3.2, 0.07364), abs=1e-5)
    assert two.f_m.tolist() == pytest.approx([400, 100])


def test_agreeing_instruments_have_no_smaller_error_than_fixed_effects() -> None:
    ivw, fixed = estimates(instruments((1, 0.1, 0.5, 0.2), (2, 0.1, 1.0, 0.2)), seed=0)
    assert ivw.standard_error == fixed.standard_error


def test_one_instrument_is_a_ratio_and_two_are_no_egger() -> None:
    one = instruments((-0.5, 0.1, 0.2, 0.1))
    (ratio,) = estimates(one, seed=0)
    assert ratio[:3] == ("wald_ratio", pytest.approx(-0.4), pytest.approx(0.2))
    assert ratio.p_value == pytest.approx(0.0455, abs=1e-4)
    assert np.isnan(heterogeneity(one)).all()
    assert leave_one_out(one).empty
    methods = [found.method for found in estimates(instruments(*[(1, 0.1, 1, 1)] * 2), seed=0)]
    assert methods == ["ivw", "ivw_fixed"]
    assert len(estimates(instruments(*[(i, 0.1, 1, 1) for i in (1, 2, 3)]), seed=0)) == 4


def test_the_weighted_median_stands_between_the_middle_ratios() -> None:
    """Ratios 1, 2, 3 with weights 0.5, 0.25, 0.25: cumulated to their middles .25, .625, .875; half is at 1 + 2/3."""
    three = instruments((2**0.5, 0.01, 2**0.5, 1), (1, 0.01, 2, 1), (1, 0.01, 3, 1))
    assert weighted_median(three, seed=0).beta == pytest.approx(1 + 2 / 3)


def test_egger_finds_the_planted_intercept() -> None:
    x = np.linspace(0.1, 0.5, 9) * np.where(np.arange(9) % 2, -1, 1)
    y = np.sign(x) * (0.05 + 0.7 * np.abs(x))
    found = egger(instruments(*[(*pair, 0.1) for pair in zip(x, np.full(9, 0.01), y, strict=True)]))
    assert (found.slope.beta, found.intercept, found.q) == pytest.approx((0.7, 0.05, 0), abs=1e-12)


def test_left_out_one_by_one() -> None:
    three = instruments((1, 0.1, 1, 1), (1, 0.1, 2, 1), (1, 0.1, 6, 1))
    assert leave_one_out(three)["beta"].tolist() == pytest.approx([4, 3.5, 1.5])
    assert main_estimate(three).beta == pytest.approx(3)
    assert leave_one_out(three)["left_out"].tolist() == ["rs0", "rs1", "rs2"]
    assert leave_one_out(instruments((1, 0.1, 1, 1), (1, 0.1, 2, 1)))["beta"].tolist() == pytest.approx([2, 1])
