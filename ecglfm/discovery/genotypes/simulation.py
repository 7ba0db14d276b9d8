"""Genotypes that nobody has: people of several populations, and variants in linkage disequilibrium, from a seed.

Each haplotype is a hidden Gaussian sequence along a block, whose correlation falls with distance, cut at the threshold
that gives each variant its frequency in the population of the haplotype. Frequencies of populations follow the
Balding-Nichols model (Balding and Nichols 1995, doi:10.1007/BF01441146), whose parameter is Fst. Blocks are independent
of each other. Because the sequence is Markov in both directions, calls of one variant of a block may be given: what is
drawn around it is then as it would be around such calls.

Shapes: d populations (demes), n people, v variants, h haplotypes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri

from ecglfm.discovery.genotypes.bed import MISSING, Genotypes

_ALLELES = ["A", "C", "G", "T"]


@dataclass(frozen=True)
class Genome:
    """Variants of which people can be drawn.

    Attributes
    ----------
    variants : DataFrame
        As in `Genotypes`, with `block`, the number of the block that a variant is in.
    frequencies_dv : ndarray of float64, shape (populations, variants)
        Of allele 1.
    correlations_v : ndarray of float64, shape (variants,)
        Of the hidden sequence with that at the variant before; 0 where a block begins.
    """

    variants: pd.DataFrame
    frequencies_dv: np.ndarray
    correlations_v: np.ndarray


def draw_genome(
    *,
    chromosomes: int = 10,
    variants: int = 500,
    length: int = 1_000_000,
    block: int = 100,
    reach: float = 50_000,
    populations: int = 2,
    fst: float = 0.006,
    minor: float = 0.05,
    seed: int = 0,
) -> Genome:
    """Draw variants.

    Parameters
    ----------
    chromosomes : int
        Named from 1.
    variants, block : int
        Of each chromosome, of each block of it.
    length : int
        Of a chromosome, in base pairs.
    reach : float
        Distance over which the hidden correlation falls to 1/e, in base pairs.
    populations : int
    fst : float
        Between populations, above 0.
    minor : float
        Least frequency of either allele in the ancestors of all populations, which is uniform above it.
    seed : int

    Returns
    -------
    Genome
    """
    rng = np.random.default_rng([seed, 0])
    parts = []
    for chromosome in range(1, chromosomes + 1):
        position = np.sort(rng.choice(np.arange(1, length), variants, replace=False))
        parts.append(pd.DataFrame({"chromosome": str(chromosome), "position": position}))
        parts[-1]["block"] = np.arange(variants) // block
    table = pd.concat(parts, ignore_index=True)
    starts = table.groupby(["chromosome", "block"], sort=False)["position"].diff().isna().to_numpy()
    table["block"] = np.cumsum(starts) - 1
    alleles = rng.permuted(np.tile(np.arange(4), (len(table), 1)), axis=1)
    table["rsid"] = [f"rs{number}" for number in range(1, len(table) + 1)]
    table["centimorgan"] = 0
    table["allele_1"], table["allele_2"] = (np.take(_ALLELES, alleles[:, i]) for i in range(2))
    distance = np.where(starts, np.inf, np.diff(table["position"], prepend=0))
    ancestral = rng.uniform(minor, 1 - minor, len(table))
    drift = (1 - fst) / fst
    frequencies = rng.beta(ancestral * drift, (1 - ancestral) * drift, (populations, len(table)))
    return Genome(table, np.clip(frequencies, 1e-3, 1 - 1e-3), np.exp(-distance / reach))


def draw_people(
    genome: Genome,
    populations_n: np.ndarray,
    *,
    given: Mapping[int, np.ndarray] | None = None,
    missing: float = 0.0,
    ids: list[str] | None = None,
    sex_n: np.ndarray | None = None,
    seed: int = 0,
) -> Genotypes:
    """Draw people.

    Parameters
    ----------
    genome : Genome
    populations_n : ndarray of int, shape (people,)
        Which population each is of.
    given : mapping of int to ndarray of int, shape (people,), optional
        Copies of allele 1 at some variants, at most one of a block.
    missing : float
        Share of calls that are missing.
    ids : list of str, optional
        `iid` and `fid`; by default `i1`, `i2` …
    sex_n : ndarray of int, shape (people,), optional
        1 male, 2 female, 0 unknown (the default).
    seed : int

    Returns
    -------
    Genotypes

    Raises
    ------
    ValueError
        Two given variants are in one block.
    """
    rng = np.random.default_rng([seed, 1])
    given, people, variants = dict(given or {}), len(populations_n), genome.variants
    anchors = {int(variants["block"].iloc[at]): at for at in given}
    if len(anchors) < len(given):
        raise ValueError("of a block of variants in linkage disequilibrium, one may be given")
    thresholds_dv, of_h = ndtri(genome.frequencies_dv), np.repeat(populations_n, 2)
    alleles_hv = np.empty((2 * people, len(variants)), bool)
    for block, rows in enumerate(_blocks(variants["block"].to_numpy())):
        anchor = anchors.get(block, rows.start)
        threshold = thresholds_dv[of_h, anchor]
        uniform = rng.random(2 * people)
        if anchor in given:
            carried = _phase(given[anchor], rng)
            below = ndtr(threshold)
            uniform = np.where(carried, uniform * below, below + uniform * (1 - below))
        hidden = ndtri(np.clip(uniform, 1e-300, 1 - 1e-16))
        alleles_hv[:, anchor] = carried if anchor in given else hidden < threshold
        steps = (
            [(at, at) for at in range(anchor + 1, rows.stop)],
            [(at, at + 1) for at in range(anchor - 1, rows.start - 1, -1)],
        )
        for direction in steps:
            now = hidden
            for at, link in direction:
                along = genome.correlations_v[link]
                now = along * now + np.sqrt(1 - along**2) * rng.standard_normal(2 * people)
                alleles_hv[:, at] = now < thresholds_dv[of_h, at]
    calls_nv = alleles_hv.reshape(people, 2, -1).sum(1, dtype=np.int8)
    if missing:
        calls_nv[rng.random(calls_nv.shape) < missing] = MISSING
    return Genotypes(calls_nv, variants.drop(columns="block"), _people(people, ids, sex_n))


def draw_copies(trait_n: np.ndarray, *, effect: float, frequency_n: np.ndarray | float, seed: int = 0) -> np.ndarray:
    """Copies of an allele, given a trait that it acts on: what `draw_people` may be given.

    The trait is standard normal, and `effect` of it comes with each copy: by Bayes P(g|z) is in proportion to
    P(g) N(z; effect (g - 2p), 1 - 2p(1-p) effect²). Regression of such a trait on such copies gives `effect`.

    Parameters
    ----------
    trait_n : ndarray of float, shape (people,)
    effect : float
        In deviations of the trait, of one copy.
    frequency_n : ndarray of float, shape (people,), or float
        Of the allele in each one's population.
    seed : int

    Returns
    -------
    ndarray of int8, shape (people,)
    """
    p_n = np.broadcast_to(np.asarray(frequency_n, float), trait_n.shape)
    copies_3 = np.arange(3)
    prior_n3 = np.stack([(1 - p_n) ** 2, 2 * p_n * (1 - p_n), p_n**2], axis=1)
    left_n = 1 - 2 * p_n * (1 - p_n) * effect**2
    off_n3 = trait_n[:, None] - effect * (copies_3 - 2 * p_n[:, None])
    weight_n3 = prior_n3 * np.exp(-(off_n3**2) / (2 * left_n[:, None]))
    below_n3 = np.cumsum(weight_n3, axis=1) / weight_n3.sum(1, keepdims=True)
    uniform_n = np.random.default_rng([seed, 2]).random(len(trait_n))
    return (uniform_n[:, None] > below_n3).sum(1).clip(max=2).astype(np.int8)


def _blocks(block_v: np.ndarray) -> list[slice]:
    """Where each block begins and ends."""
    starts = np.flatnonzero(np.diff(block_v, prepend=-1))
    return [slice(int(start), int(stop)) for start, stop in zip(starts, [*starts[1:], len(block_v)], strict=True)]


def _phase(calls_n: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Which haplotypes carry the allele, shape (2 people,): of one copy either."""
    first_n = rng.random(len(calls_n)) < calls_n / 2
    return np.stack([first_n, calls_n - first_n > 0], axis=1).ravel()


def _people(count: int, ids: list[str] | None, sex_n: np.ndarray | None) -> pd.DataFrame:
    names = ids if ids is not None else [f"i{number}" for number in range(1, count + 1)]
    sex = np.zeros(count, int) if sex_n is None else sex_n
    return pd.DataFrame({"fid": names, "iid": names, "father": "0", "mother": "0", "sex": sex, "phenotype": "-9"})
