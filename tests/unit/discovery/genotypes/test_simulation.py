"""Simulated genotypes have the frequencies, the distance between populations and the linkage that were asked for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ecglfm.discovery.genotypes import draw_copies, draw_genome, draw_people


def test_two_populations_are_as_far_apart_as_asked() -> None:
    """Hudson's estimate (Bhatia et al. 2013, doi:10.1101/gr.154831.113), a ratio of sums over variants."""
    genome = draw_genome(chromosomes=10, variants=200, fst=0.006, seed=1)
    calls_nv = draw_people(genome, np.repeat([0, 1], 500), seed=1).calls_nv
    p, q = calls_nv[:500].mean(0) / 2, calls_nv[500:].mean(0) / 2
    between = (p - q) ** 2 - p * (1 - p) / 999 - q * (1 - q) / 999
    assert between.sum() / (p * (1 - q) + q * (1 - p)).sum() == pytest.approx(0.006, abs=0.0012)
    np.testing.assert_allclose(p, genome.frequencies_dv[0], atol=0.08)


def test_linkage_falls_with_distance_and_ends_with_the_block() -> None:
    """Of two alleles of frequency 1/2 the correlation is 2/pi arcsin of the hidden one (Sheppard 1899)."""
    genome = draw_genome(chromosomes=2, variants=200, block=100, length=400_000, populations=1, seed=2)
    genome = replace(genome, frequencies_dv=np.full((1, 400), 0.5))
    r_vv = np.corrcoef(draw_people(genome, np.zeros(4000, int), seed=2).calls_nv.T)
    for step in (1, 5, 20):
        hidden = [genome.correlations_v[at + 1 : at + step + 1].prod() for at in range(100 - step)]
        expected = 2 / np.pi * np.arcsin(hidden)
        np.testing.assert_allclose(np.diagonal(r_vv, step)[: 100 - step], expected, atol=0.08)
    assert np.abs(r_vv[95:100, 100:105]).max() < 0.08  # across the border
    assert genome.variants["chromosome"].unique().tolist() == ["1", "2"]
    assert genome.variants.groupby("chromosome")["position"].is_monotonic_increasing.all()


def test_a_given_variant_is_kept_and_has_its_neighbours_in_linkage() -> None:
    """What is drawn around given calls is distributed as what is drawn without: the same r² with the neighbour."""
    genome = draw_genome(chromosomes=1, variants=60, block=30, length=60_000, populations=1, seed=3)
    people, at = np.zeros(4000, int), 15
    free = draw_people(genome, people, seed=4).calls_nv
    given = np.random.default_rng(5).binomial(2, genome.frequencies_dv[0, at], 4000)
    held = draw_people(genome, people, given={at: given}, seed=6).calls_nv
    np.testing.assert_array_equal(held[:, at], given)
    for other in (at - 3, at - 1, at + 1, at + 3):
        correlations = [np.corrcoef(calls_nv[:, at], calls_nv[:, other])[0, 1] for calls_nv in (free, held)]
        assert correlations[0] == pytest.approx(correlations[1], abs=0.06)
    np.testing.assert_allclose(held.mean(0) / 2, genome.frequencies_dv[0], atol=0.03)
    with pytest.raises(ValueError, match="one may be given"):
        draw_people(genome, people, given={at: given, at + 1: given})


def test_a_share_of_calls_is_missing_and_the_same_seed_draws_the_same() -> None:
    genome = draw_genome(chromosomes=1, variants=100, seed=7)
    people = np.array([0] * 300)
    drawn = [draw_people(genome, people, missing=0.02, seed=seed).calls_nv for seed in (1, 1, 2)]
    assert (drawn[0] == -1).mean() == pytest.approx(0.02, abs=0.003)
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert (drawn[0] != drawn[2]).any()
    assert draw_people(genome, people[:2], ids=["a", "b"], sex_n=np.array([1, 2])).people["sex"].tolist() == [1, 2]


def test_copies_drawn_for_a_trait_have_its_effect() -> None:
    """Regressing the trait on the copies gives the effect, and the copies have their frequency."""
    trait = np.random.default_rng(0).standard_normal(200_000)
    copies = draw_copies(trait, effect=0.4, frequency_n=0.3, seed=1)
    assert np.polyfit(copies, trait, 1)[0] == pytest.approx(0.4, abs=0.01)
    assert copies.mean() / 2 == pytest.approx(0.3, abs=0.003)
    assert (copies == 1).mean() == pytest.approx(0.42, abs=0.004)
