"""Mendelian randomization on simulated people: a disease that the exposure causes, and one that is confounded with it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest

from ecglfm.discovery.causal.outcomes import outcome_associations
from ecglfm.discovery.causal.randomization import few, randomize

SNPS = 12
VARIANTS = pd.DataFrame(
    {
        "chromosome": np.arange(1, SNPS + 1),
        "base_pair_location": 1000,
        "effect_allele": ["A", "C"] * 6,
        "other_allele": ["G", "T"] * 6,
    }
)


class Cohort(NamedTuple):
    dosage_nm: np.ndarray
    score_n: np.ndarray  # what genes make of the exposure
    exposure_n: np.ndarray
    causal_n: np.ndarray  # a disease that the exposure causes
    confounded_n: np.ndarray  # one that shares a cause with it


def cohort(people: int, effects: np.ndarray, frequencies: np.ndarray, generator: np.random.Generator) -> Cohort:
    dosage = generator.binomial(2, frequencies, (people, SNPS)).astype(float)
    score = dosage @ effects
    shared = generator.normal(size=people)
    exposure = score + 0.6 * shared + 0.65 * generator.normal(size=people)
    risks = (0.55 * (exposure - exposure.mean()), 0.8 * shared)
    causal, confounded = (generator.random(people) < 1 / (1 + np.exp(1.2 - risk)) for risk in risks)
    return Cohort(dosage, score, exposure, causal.astype(float), confounded.astype(float))


@pytest.fixture(scope="module")
def cohorts() -> tuple[Cohort, Cohort]:
    generator = np.random.default_rng(11)
    frequencies = generator.uniform(0.2, 0.5, SNPS)
    effects = np.sqrt(0.02 / (2 * frequencies * (1 - frequencies))) * np.where(np.arange(SNPS) % 2, -1, 1)
    return tuple(cohort(people, effects, frequencies, generator) for people in (4000, 10_000))


def associations(people: Cohort, values_n: np.ndarray) -> pd.DataFrame:
    nobody = np.empty((len(values_n), 0))
    return outcome_associations(VARIANTS, people.dosage_nm, values_n, nobody, name="it")


def log_odds(values_n: np.ndarray, people: Cohort, x_n: np.ndarray) -> float:
    return float(
        outcome_associations(VARIANTS[:1], x_n[:, None], values_n, np.empty((len(x_n), 0)), name="it")["beta"][0]
    )


@pytest.fixture(scope="module")
def exposure(cohorts: tuple[Cohort, Cohort]) -> pd.DataFrame:
    return associations(cohorts[0], cohorts[0].exposure_n)


def test_a_disease_that_it_causes(cohorts: tuple[Cohort, Cohort], exposure: pd.DataFrame) -> None:
    """The truth is the marginal log odds ratio on the true genetic score, since odds ratios do not collapse."""
    oracle = log_odds(cohorts[1].causal_n, cohorts[1], cohorts[1].score_n)
    found = randomize(
        exposure, associations(cohorts[1], cohorts[1].causal_n), names=("edf", "af"), seed=0, overlap=0,
        case_share=float(cohorts[1].causal_n.mean()),
    )  # fmt: skip
    ivw = found.estimates.iloc[0]
    assert (ivw["method"], ivw["instruments"]) == ("ivw", SNPS)
    assert oracle > 0.35
    assert abs(ivw["beta"] - oracle) < 3 * ivw["standard_error"]
    assert ivw["p_value"] < 1e-6
    assert ivw["ci_low"] < ivw["beta"] < ivw["ci_high"]
    checks = found.checks.iloc[0]
    assert checks["f_min"] > 10
    assert checks["weak"] == 0
    assert checks["egger_intercept_p"] > 0.001
    assert checks["q_p"] > 0.001
    assert checks["steiger_forward"]
    assert checks["steiger_p"] < 1e-6
    assert checks["overlap_says"] == "two samples without overlap"
    assert checks["overlap_bias"] == 0
    assert found.instruments["exposure_r2"].sum() == pytest.approx(0.24, abs=0.06)  # 12 times 2 % of about 1.03
    assert len(found.left_out) == SNPS
    assert (found.left_out["p_value"] < 1e-5).all()


def test_a_disease_that_is_confounded(cohorts: tuple[Cohort, Cohort], exposure: pd.DataFrame) -> None:
    people = cohorts[1]
    assert log_odds(people.confounded_n, people, people.exposure_n) > 0.3
    found = randomize(exposure, associations(people, people.confounded_n), names=("edf", "mi"), seed=0)
    ivw = found.estimates.iloc[0]
    assert abs(ivw["beta"] / ivw["standard_error"]) < 3
    assert found.checks["overlap_says"].tolist() == ["sample overlap is not known"]


def test_turned_alleles_change_nothing(cohorts: tuple[Cohort, Cohort], exposure: pd.DataFrame) -> None:
    outcome = associations(cohorts[1], cohorts[1].causal_n)
    plain = randomize(exposure, outcome, names=("edf", "af"), seed=0)
    turned = outcome.copy()
    rows = np.arange(SNPS) % 3 == 0
    turned.loc[rows, ["effect_allele", "other_allele"]] = outcome.loc[
        rows, ["other_allele", "effect_allele"]
    ].to_numpy()
    turned.loc[rows, "beta"] *= -1
    turned["effect_allele_frequency"] = np.where(
        rows, 1 - outcome["effect_allele_frequency"], outcome["effect_allele_frequency"]
    )
    again = randomize(exposure, turned.iloc[::-1], names=("edf", "af"), seed=0)
    pd.testing.assert_frame_equal(plain.estimates, again.estimates)
    assert again.checks["variants_turned"].tolist() == [4]


def test_few_instruments(exposure: pd.DataFrame) -> None:
    for count, methods in ((0, []), (1, ["wald_ratio"]), (2, ["ivw", "ivw_fixed"])):
        found = randomize(exposure.head(count), exposure, names=("a", "b"), seed=0)
        assert found.estimates["method"].tolist() == methods
        assert found.checks["egger_intercept"].isna().all()
        assert len(found.checks) == 1
        assert found.instruments["variant"].tolist() == [f"{i}_1000_{other}_{allele}" for i, other, allele in
                                                         [(1, "G", "A"), (2, "T", "C")][:count]]  # fmt: skip
    assert few(2) == "two instruments: no MR-Egger and no weighted median"
    assert few(0) == "no instrument is left: no estimate"
    assert few(3) == ""


def test_overlap_lets_confounding_through(exposure: pd.DataFrame) -> None:
    found = randomize(exposure, exposure, names=("a", "b"), seed=0, overlap=1.0).checks.iloc[0]
    assert found["overlap_bias"] == pytest.approx(1 / found["f_mean"])
    assert found["overlap_says"] == "100% of the outcome's people gave the exposure"
