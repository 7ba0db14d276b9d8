"""Lead variants in a second cohort: planted effects, planted nulls, a turned allele, power against a simulation."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from ecglfm.discovery.replication.replication import replicate, says


def table(beta: list[float] | np.ndarray, error: float, **other: object) -> pd.DataFrame:
    count = len(beta)
    columns = {
        "chromosome": 1,
        "base_pair_location": np.arange(count) + 1,
        "effect_allele": "A",
        "other_allele": "G",
        "beta": np.asarray(beta, float),
        "standard_error": error,
        "effect_allele_frequency": 0.3,
        "p_value": 0.5,
    }
    return pd.DataFrame(columns | other)


LEADS = table([0.2, -0.2, 0.2, 0.2, 0.2], 0.02, edf="edf_0001", locus=[1, 2, 3, 4, 5])


def test_direction_p_and_what_was_not_found() -> None:
    second = table([0.19, -0.18, -0.19, 0.01], 0.03)
    found = replicate(LEADS, second)
    assert found.table["locus"].tolist() == [1, 2, 3, 4, 5]
    assert found.table["tested"].tolist() == [True] * 4 + [False]
    assert found.threshold == pytest.approx(0.05 / 4)
    assert found.table["same_direction"].tolist()[:4] == [True, True, False, True]
    assert found.table["replicates"].tolist()[:4] == [True, True, False, False]
    assert found.table["p_one_sided"][0] == pytest.approx(norm.sf(0.19 / 0.03))
    assert found.sign_p == pytest.approx((4 + 1) / 16)  # three or four of four
    assert found.counts.absent == 1
    assert says(found.table) == (
        "4 of 5 lead variants were found in the second cohort: 3 have the same direction, 2 replicate, where 4.0 were"
        " expected by their power"
    )


def test_why_a_lead_was_not_tested() -> None:
    leads = table([0.2] * 7, 0.02, locus=range(1, 8))
    leads.loc[3, ["effect_allele", "other_allele"]] = ["C", "G"]
    second = table([0.19] * 7, 0.03)
    second.loc[3] = second.loc[3].replace({"A": "G", "G": "C"})  # at a frequency of 0.45 nobody knows the strand
    second.loc[3, "effect_allele_frequency"] = 0.45
    second.loc[2, "other_allele"] = "C"
    second.loc[5, "standard_error"] = np.nan
    second = pd.concat([second, second.iloc[[4]]]).drop(index=1)
    found = replicate(leads, second)
    reasons = [None, "absent", "other alleles", "palindrome", "twice", "no standard error", None]
    assert found.table["reason"].tolist() == reasons
    assert found.table["tested"].tolist() == [reason is None for reason in reasons]
    assert replicate(leads, second, palindromes="drop").table["reason"][3] == "palindrome"


def test_a_turned_allele_is_the_same_effect() -> None:
    turned = table([-0.19], 0.03, effect_allele="G", other_allele="A", effect_allele_frequency=0.7)
    found = replicate(LEADS.head(1), turned)
    assert found.table["beta_2"].tolist() == pytest.approx([0.19])
    assert found.table["replicates"].tolist() == [True]


def test_power_is_the_share_that_replicates() -> None:
    generator = np.random.default_rng(0)
    beta, error, count = 0.1, 0.04, 20_000
    leads, second = table([beta] * count, 0.01), table(generator.normal(beta, error, count), error)
    found = replicate(leads, second, tests=10)
    assert found.table["power"][0] == pytest.approx(found.table["replicates"].mean(), abs=0.01)
    assert found.expected == pytest.approx(count * found.table["power"][0])


def test_nulls_do_not_replicate() -> None:
    generator = np.random.default_rng(1)
    second = table(generator.normal(0, 0.03, 200), 0.03)
    found = replicate(table([0.2] * 200, 0.02), second)
    assert not found.table["replicates"].any()
    assert found.sign_p > 0.01


def test_nothing_to_test() -> None:
    found = replicate(LEADS, table([0.1], 0.1, chromosome=2))
    assert np.isnan(found.threshold)
    assert not found.table["tested"].any()
    assert replicate(LEADS.head(0), table([0.1], 0.1)).table.empty
    assert says(found.table).startswith("0 of 5 lead variants were found")
