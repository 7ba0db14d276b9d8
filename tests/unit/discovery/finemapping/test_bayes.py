"""Approximate Bayes factors by hand, and credible sets that hold the planted variant."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from ecglfm.discovery.finemapping.bayes import credible_sets, log_bayes_factors, posteriors

VARIANTS, PEOPLE = 80, 5000


def table(z: np.ndarray, start: int = 1) -> pd.DataFrame:
    count = len(z)
    return pd.DataFrame(
        {
            "chromosome": 1,
            "base_pair_location": np.arange(count) * 1000 + start,
            "effect_allele": "A",
            "other_allele": "G",
            "beta": z / np.sqrt(PEOPLE),
            "standard_error": 1 / np.sqrt(PEOPLE),
            "effect_allele_frequency": 0.3,
            "p_value": 2 * norm.sf(np.abs(z)),
            "rsid": [f"rs{start + number}" for number in range(count)],
        }
    )


def test_the_factor_is_the_ratio_of_two_densities() -> None:
    """N(b; 0, V + W) over N(b; 0, V), which is what Wakefield approximates the marginal likelihoods by."""
    beta, error = np.array([0.1, -0.02, 0.0]), np.array([0.02, 0.02, 0.05])
    expected = norm.logpdf(beta, 0, np.hypot(error, 0.15)) - norm.logpdf(beta, 0, error)
    assert log_bayes_factors(beta, error, prior_sd=0.15) == pytest.approx(expected)


def test_posteriors_by_hand() -> None:
    """Equal errors: posteriors are as exp(r z^2 / 2), the likeliest first; a set ends where 95 % is reached."""
    z = np.array([6.0, 7.0, 0.0])
    weight = np.exp(0.15**2 / (0.15**2 + 1 / PEOPLE) * z**2 / 2)
    found = posteriors(table(z))
    assert found["rsid"].tolist() == ["rs2", "rs1", "rs3"]
    assert found["posterior"].tolist() == pytest.approx(sorted(weight / weight.sum(), reverse=True))
    assert found["in_set"].tolist() == [True, False, False]
    assert posteriors(table(z), coverage=0.9999)["in_set"].tolist() == [True, True, False]


def test_strong_loci_do_not_overflow() -> None:
    assert posteriors(table(np.array([60.0, 3.0])))["posterior"].tolist() == pytest.approx([1.0, 0.0])


def test_the_planted_variant_is_in_the_set() -> None:
    """100 loci of 80 variants in LD, a variant of each at z of about 6.5: in at least 90 sets of 95 %."""
    generator = np.random.default_rng(0)
    inside, sizes = 0, []
    for _ in range(100):
        along = np.cumsum(generator.exponential(0.08, VARIANTS))
        ld = np.exp(-np.abs(along[:, None] - along))
        causal = generator.integers(VARIANTS)
        z = ld[causal] * 6.5 + np.linalg.cholesky(ld) @ generator.normal(size=VARIANTS)
        found = posteriors(table(z))
        chosen = found[found["in_set"]]
        inside += f"rs{causal + 1}" in set(chosen["rsid"])
        sizes.append(len(chosen))
    assert inside >= 90
    assert np.median(sizes) < 20  # a set of all would hold it, too


def test_each_locus_has_its_own_set() -> None:
    z = np.zeros(30)
    z[[3, 12, 25]] = 8.0, 9.0, 7.0
    loci = pd.DataFrame(
        {
            "locus": [1, 2],
            "chromosome": 1,
            "base_pair_location": [3001, 25_001],
            "effect_allele": "A",
            "other_allele": "G",
            "start": [3001, 12_001],
            "end": [4001, 25_001],
        }
    )
    sets, whole = credible_sets(table(z), loci, window=2000)
    assert sets[["locus", "variant", "lead"]].to_numpy().tolist() == [[1, "rs4", "rs4"], [2, "rs13", "rs26"]]
    assert sets["variants"].tolist() == [5, 16]  # 2 kb to both sides; from the clump's start to 2 kb beyond the lead
    assert len(whole["rs26"]) == 16
    assert credible_sets(table(z), loci.head(0))[0].empty


def test_leads_of_one_name_at_one_place_keep_a_set_each() -> None:
    """rs4 is G to A and G to T; one clump reaches to the left, the other to the right."""
    statistics = table(np.array([0.0, 0, 7, 8, 0, 6, 0]))
    other = statistics.iloc[[3]].assign(effect_allele="T")
    loci = pd.DataFrame({"locus": [1, 2], "chromosome": 1, "base_pair_location": 3001, "other_allele": "G"}).assign(
        effect_allele=["A", "T"], start=[2001, 3001], end=[3001, 5001]
    )
    sets, whole = credible_sets(pd.concat([statistics, other], ignore_index=True), loci, window=500, coverage=0.5)
    assert {lead: len(found) for lead, found in whole.items()} == {"rs4_G_A": 3, "rs4_G_T": 4}
    assert sets[["locus", "lead"]].drop_duplicates().to_numpy().tolist() == [[1, "rs4_G_A"], [2, "rs4_G_T"]]
