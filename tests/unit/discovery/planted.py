"""A cohort whose truth is known: two populations, embeddings of four factors, two variants that act on the first.

Of `../shared/discovery.md`'s proof: 2,000 people and 5,000 variants in linkage, Fst .006; embeddings are four latent
factors mixed into 256 dimensions and noise; two causal variants explain 2.5 % each of the first factor, which also
differs between the populations, as what is not adjusted for does; features are six principal components, rank-inverse-
normal. What an association should say of it is: two lead variants, the causal ones, of the first feature alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import norm, rankdata

from ecglfm.config.discovery import QualityConfig, StructureConfig
from ecglfm.discovery.genotypes import (
    Genotypes,
    draw_genome,
    draw_people,
    find_program,
    run_quality,
    run_structure,
    write_bed,
)
from tests.plink import need_plink

PEOPLE, CHROMOSOMES, FEATURES = 2000, 5, 6
STRUCTURE = StructureConfig(window_kb=50, max_r2=0.2, approximate_above=1000)


@dataclass(frozen=True)
class Planted:
    """The cohort in a folder: `g{chromosome}.bed`, `phenotypes.tsv`, `covariates.tsv`, `q{chromosome}`, `structure`.

    Attributes
    ----------
    folder : path
    genotypes : Genotypes
    causal : list of str
        Ids of the causal variants, of the feature `edf_0001`.
    deme_n : ndarray of int
        Population of each person.
    """

    folder: Path
    genotypes: Genotypes
    causal: list[str]
    deme_n: np.ndarray

    @property
    def quality(self) -> dict[str, Path]:
        """Folders of quality control, by chromosome."""
        return {str(number): self.folder / f"q{number}" for number in range(1, CHROMOSOMES + 1)}


def plant(folder: Path, *, seed: int = 0) -> Planted:
    """Draw the cohort; quality control and components are made, too."""
    need_plink()
    rng = np.random.default_rng([seed, 9])
    deme_n = np.repeat([0, 1], PEOPLE // 2)
    genome = draw_genome(chromosomes=CHROMOSOMES, variants=1000, length=2_000_000, reach=12_000, fst=0.006, seed=seed)
    genotypes = draw_people(genome, deme_n, missing=0.002, seed=seed)
    known = np.where(genotypes.calls_nv < 0, 0, genotypes.calls_nv)
    common = np.flatnonzero(np.abs(known.mean(0) / 2 - 0.5) < 0.25)
    causal = [common[len(common) // 5], common[4 * len(common) // 5]]
    factors = rng.standard_normal((PEOPLE, 4))
    factors[:, 0] = np.sqrt(0.85) * factors[:, 0] + np.sqrt(0.1) * standard(deme_n.astype(float))
    factors[:, 0] += np.sqrt(0.025) * standard(known[:, causal]).sum(1)
    mixing = np.linalg.qr(rng.standard_normal((256, 4)))[0].T * np.array([[8.0], [6.0], [4.5], [3.0]])
    embeddings = factors @ mixing + 0.3 * rng.standard_normal((PEOPLE, 256))
    centred = embeddings - embeddings.mean(0)
    scores = centred @ np.linalg.svd(centred, full_matrices=False)[2][:FEATURES].T
    write(folder, genotypes, scores, age=rng.normal(55, 10, PEOPLE), sex=rng.integers(0, 2, PEOPLE))
    made = Planted(folder, genotypes, genotypes.variants["rsid"].iloc[causal].tolist(), deme_n)
    plink2 = find_program("plink2")
    for chromosome, path in made.quality.items():
        source = ["--bfile", f"{folder}/g{chromosome}"]
        run_quality(
            plink2,
            source,
            path,
            quality=QualityConfig(),
            structure=STRUCTURE,
            keep=folder / "phenotypes.tsv",
            threads=2,
        )
    chromosomes = list(made.quality.values())
    run_structure(plink2, chromosomes, folder / "structure", quality=QualityConfig(), structure=STRUCTURE, threads=2)
    return made


def write(folder: Path, genotypes: Genotypes, scores: np.ndarray, *, age: np.ndarray, sex: np.ndarray) -> None:
    """Write genotypes by chromosome, and tables of people whose rows are in another order."""
    for chromosome, part in genotypes.variants.groupby("chromosome", sort=False):
        one = replace(genotypes, calls_nv=genotypes.calls_nv[:, part.index], variants=part.reset_index(drop=True))
        write_bed(folder / f"g{chromosome}", one)
    ids = genotypes.people[["fid", "iid"]].set_axis(["#FID", "IID"], axis=1)
    normal = norm.ppf((rankdata(scores, axis=0) - 0.5) / len(scores))
    traits = pd.DataFrame(normal, columns=[f"edf_{number:04d}" for number in range(1, scores.shape[1] + 1)])
    order = np.random.default_rng(1).permutation(len(ids))
    pd.concat([ids, traits], axis=1).iloc[order].to_csv(folder / "phenotypes.tsv", sep="\t", index=False)
    ids.assign(age=age, sex=sex).iloc[order[::-1]].to_csv(folder / "covariates.tsv", sep="\t", index=False)


def standard(values: np.ndarray) -> np.ndarray:
    """Mean 0 and variance 1 of each column."""
    return (values - values.mean(0)) / values.std(0)
