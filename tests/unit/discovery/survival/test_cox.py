"""Cox models, against textbooks and statsmodels; hazards that are not proportional are found."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kstest

from ecglfm.discovery.survival.cox import fit_cox, proportionality

sm = pytest.importorskip("statsmodels.api")

#: Weeks of remission of acute leukemia (Freireich et al. 1963, Blood 21:699; Cox 1972): placebo all relapsed; of
#: 6-mercaptopurine the negative ones were still in remission.
PLACEBO = [1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23]
TREATED = [6, 6, 6, 7, 10, 13, 16, 22, 23, -6, -9, -10, -11, -17, -19, -20, -25, -32, -32, -34, -35]

#: Ovarian cancer (Edmunson et al. 1979; `ovarian` of R's survival): days, whether they died, age, ECOG performance.
OVARIAN = np.array([
    [59, 1, 72.3315, 1], [115, 1, 74.4932, 1], [156, 1, 66.4658, 2], [421, 0, 53.3644, 1], [431, 1, 50.3397, 1],
    [448, 0, 56.4301, 2], [464, 1, 56.9370, 2], [475, 1, 59.8548, 2], [477, 0, 64.1753, 1], [563, 1, 55.1781, 2],
    [638, 1, 56.7562, 2], [744, 0, 50.1096, 1], [769, 0, 59.6301, 2], [770, 0, 57.0521, 1], [803, 0, 39.2712, 1],
    [855, 0, 43.1233, 2], [1040, 0, 38.8932, 2], [1106, 0, 44.6000, 1], [1129, 0, 53.9068, 1], [1206, 0, 44.2055, 1],
    [1227, 0, 59.5890, 2], [268, 1, 74.5041, 2], [329, 1, 43.1370, 1], [353, 1, 63.2192, 2], [365, 1, 64.4247, 1],
    [377, 0, 58.3096, 1],
])  # fmt: skip


def leukemia() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    weeks = np.array(PLACEBO + TREATED, float)
    return np.abs(weeks), (weeks > 0).astype(float), np.array([[1.0]] * 21 + [[0.0]] * 21)


def cohort(seed: int, n: int = 600, *, beta: tuple[float, ...] = (0.5, -0.3), ties: int = 0) -> tuple[np.ndarray, ...]:
    """Exponential times with these log hazard ratios, a third censored; rounded up to `ties` different ones."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, len(beta)))
    time, end = rng.exponential(1 / np.exp(x @ beta)), rng.exponential(2.0, n)
    event, time = (time <= end).astype(float), np.minimum(time, end)
    return (np.ceil(time * ties) if ties else time), event, x


@pytest.mark.parametrize(("ties", "beta", "error"), [("breslow", 1.509, 0.410), ("efron", 1.572, 0.412)])
def test_the_leukemia_of_textbooks(ties, beta: float, error: float):
    """Cox 1972 has 1.51 after Breslow's way with ties; R's coxph 1.572 after Efron's."""
    fit = fit_cox(*leukemia(), ties=ties)
    assert fit.beta[0] == pytest.approx(beta, abs=0.0006)
    assert fit.error[0] == pytest.approx(error, abs=0.0006)


@pytest.mark.parametrize("ties", ["efron", "breslow"])
@pytest.mark.parametrize("count", [0, 5])
def test_statsmodels_agrees(ties, count: int):
    time, event, x = cohort(0, 200, ties=count)
    x = x * [1.0, 30.0] + [0.0, 500.0]  # of other sizes, and far from zero
    ours, theirs = fit_cox(time, event, x, ties=ties), sm.PHReg(time, x, status=event, ties=ties).fit()
    assert ours.beta == pytest.approx(theirs.params, rel=1e-6)
    assert ours.error == pytest.approx(theirs.bse, rel=1e-6)
    assert ours.log_likelihood == pytest.approx(theirs.llf, rel=1e-9)


def test_a_planted_hazard_ratio_is_within_two_errors():
    fits = [fit_cox(*cohort(seed)) for seed in range(60)]
    z = np.array([(fit.beta - [0.5, -0.3]) / fit.error for fit in fits])
    assert (np.abs(z) < 1.96).mean() == pytest.approx(0.95, abs=0.05)
    assert np.abs(z.mean(axis=0)).max() < 3 / np.sqrt(len(fits))


def test_the_test_of_proportional_hazards_of_a_textbook():
    """`cox.zph` of survival 2, in its manual: age 0.856 (P 0.355), ECOG 2.545 (0.111), global 3.195 (0.202)."""
    time, event, x = OVARIAN[:, 0], OVARIAN[:, 1], OVARIAN[:, 2:]
    found = proportionality(fit_cox(time, event, x), time, event)
    assert found.chi2 == pytest.approx([0.856, 2.545], abs=0.0006)
    assert found.p_value == pytest.approx([0.355, 0.111], abs=0.0006)
    assert (found.global_chi2, found.global_p_value) == pytest.approx((3.195, 0.202), abs=0.0006)


def test_residuals_sum_to_nothing_and_are_by_hand():
    time, event = np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 1.0, 0.0, 1.0])
    x = np.array([[1.0], [0.0], [2.0], [1.0]])
    fit = fit_cox(time, event, x)
    weight = np.exp(x[:, 0] * fit.beta[0])
    expected = [
        x[0, 0] - (weight * x[:, 0]).sum() / weight.sum(),
        x[1, 0] - (weight * x[:, 0])[1:].sum() / weight[1:].sum(),
        0,
    ]
    assert fit.residuals[:, 0] == pytest.approx(expected, abs=1e-9)
    assert fit.residuals.sum() == pytest.approx(0, abs=1e-8)
    assert fit.events.tolist() == [0, 1, 3]


def test_a_hazard_ratio_that_fades_is_found_and_no_other():
    p_values = []
    for seed in range(60):
        time, event, x = cohort(seed, 300)
        p_values.append(proportionality(fit_cox(time, event, x), time, event).p_value)
    assert kstest(np.ravel(p_values), "uniform").pvalue > 0.01
    rng = np.random.default_rng(0)
    x = rng.normal(size=(600, 2))
    early = rng.exponential(1 / np.exp(1.0 * x[:, 0] + 0.5 * x[:, 1]))  # to time 0.5; then x has no part in it
    time = np.where(early < 0.5, early, 0.5 + rng.exponential(1 / np.exp(0.5 * x[:, 1])))
    found = proportionality(fit_cox(time, np.ones(600), x), time, np.ones(600))
    assert found.p_value[0] < 1e-4
    assert found.p_value[1] > 0.01


def test_where_the_likelihood_has_no_maximum_there_is_nothing():
    time, event = np.arange(1.0, 21.0), np.ones(20)
    for x in (np.ones(20), np.where(time <= 10, 1.0, 0.0)):  # constant; all of one kind before all of the other
        fit = fit_cox(time, event, x[:, None])
        assert np.isnan([*fit.beta, *fit.error]).all()
        assert np.isnan(proportionality(fit, time, event).p_value).all()
    assert np.isnan(fit_cox(time, np.zeros(20), time[:, None] % 3).beta).all()
