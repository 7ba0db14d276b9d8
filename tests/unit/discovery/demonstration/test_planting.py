"""Genotypes of synthetic patients: what is planted is there, and nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kstest, norm

from ecglfm.config import SimulationSlice, SourceConfig
from ecglfm.discovery.demonstration import run_simulate
from ecglfm.discovery.demonstration.planting import CHROMOSOMES, PLANTED, VARIANTS, deviation
from ecglfm.discovery.genotypes import read_bed
from ecglfm.sources.synthesis.patient import draw_patient


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, np.ndarray]]:
    """Genotypes of 400 patients of two databases, and how far the heart of each is from others'."""
    folder = tmp_path_factory.mktemp("genotypes")
    shared = {"kind": "synthetic", "difficulty": 0.5}
    sources = {
        "p": SourceConfig(layout="ptbxl", patients=300, seed=1, **shared),
        "m": SourceConfig(layout="mimic_iv_ecg", patients=100, seed=2, **shared),
    }
    run_simulate(SimulationSlice(sources=sources), folder)
    hearts = {f"m/{10_000_000 + number}": draw_patient((1, 2), number, difficulty=0.5) for number in range(100)}
    hearts |= {f"p/{number + 1}": draw_patient((0, 1), number, difficulty=0.5) for number in range(300)}
    ids = read_bed(folder / "chr1").people["iid"]
    assert ids.tolist() == list(hearts)
    traits = {one.trait: np.array([deviation(hearts[name], one.trait) for name in ids]) for one in PLANTED}
    return folder, traits | {"female": np.array([hearts[name].sex == "female" for name in ids])}


def test_deviations_are_of_a_normal_law(made):
    """What Bayes needs: mean 0 and deviation 1, at all ages, of both sexes."""
    for trait in ("voltage", "PR", "QTc"):
        values = made[1][trait]
        assert abs(values.mean()) < 3 / 20  # three standard errors
        assert abs(values.std() - 1) < 3 / np.sqrt(800)
        assert abs(values[made[1]["female"]].mean()) < 3 / np.sqrt(made[1]["female"].sum())
        assert kstest(values, "norm").pvalue > 0.001


@pytest.mark.parametrize("planted", PLANTED, ids=lambda one: one.trait)
def test_each_variant_acts_on_its_trait(made, planted):
    """With the correlation and the slope of Bayes' rule, integrated over a normal trait, to three standard errors."""
    folder, traits = made
    row = pd.read_csv(folder / "planted.tsv", sep="\t", dtype={"chromosome": str}).set_index("trait").loc[planted.trait]
    genotypes = read_bed(folder / f"chr{planted.chromosome}")
    at = genotypes.variants.index[genotypes.variants["rsid"] == row["rsid"]][0]
    assert genotypes.variants.loc[at, ["position", "allele_1", "allele_2"]].tolist() == [
        row["base_pair_location"], row["effect_allele"], row["other_allele"],
    ]  # fmt: skip
    copies, trait = genotypes.calls_nv[:, at].astype(float), traits[planted.trait]
    r, slope = expected(row["beta"], row["effect_allele_frequency"])
    assert r**2 > planted.share - 0.12  # as a trait of three humps would have it exactly
    assert np.corrcoef(copies, trait)[0, 1] == pytest.approx(r, abs=3 * (1 - r**2) / 20)
    assert np.polyfit(copies, trait, 1)[0] == pytest.approx(slope, abs=3 * slope * np.sqrt(1 - r**2) / r / 20)


def expected(effect: float, p: float) -> tuple[float, float]:
    """Correlation of a normal trait with copies that are drawn given it, and its slope on them."""
    z = np.linspace(-6, 6, 4001)
    weight = np.array([(1 - p) ** 2, 2 * p * (1 - p), p**2])[:, None] * norm.pdf(
        z, effect * (np.arange(3) - 2 * p)[:, None], np.sqrt(1 - 2 * p * (1 - p) * effect**2)
    )
    joint = weight / weight.sum(axis=0) * norm.pdf(z) * (z[1] - z[0])
    copies = np.arange(3) @ joint.sum(axis=1)
    variance = (np.arange(3) - copies) ** 2 @ joint.sum(axis=1)
    covariance = float(((np.arange(3) - copies)[:, None] * z * joint).sum())
    return covariance / np.sqrt(variance), covariance / variance


def test_nothing_else_acts_on_anything(made):
    """Of the other chromosomes: the largest of 3 x 1500 correlations is as of chance, and P are uniform."""
    folder, traits = made
    p = []
    for chromosome in map(str, range(1, CHROMOSOMES + 1)):
        calls_nv = read_bed(folder / f"chr{chromosome}").calls_nv.astype(float)
        assert calls_nv.shape == (400, VARIANTS)
        keep = calls_nv.std(axis=0) > 0
        for one in PLANTED:
            if one.chromosome != chromosome:
                r = np.corrcoef(calls_nv[:, keep].T, traits[one.trait])[-1, :-1]
                p.append(2 * norm.sf(np.abs(r) * 20))
    p = np.concatenate(p)
    assert p.min() > 1e-6
    assert abs((p < 0.05).mean() - 0.05) < 0.02


def test_neighbours_are_linked_to_the_planted_one(made):
    folder, _ = made
    table = pd.read_csv(folder / "planted.tsv", sep="\t")
    genotypes = read_bed(folder / f"chr{table['chromosome'][0]}")
    at = genotypes.variants.index[genotypes.variants["rsid"] == table["rsid"][0]][0]
    r2 = [np.corrcoef(genotypes.calls_nv[:, at], genotypes.calls_nv[:, at + step])[0, 1] ** 2 for step in (-1, 1)]
    assert max(r2) > 0.2


def test_the_same_patients_have_the_same_genotypes(made, tmp_path: Path):
    """Whatever the number of recordings, which are not drawn."""
    shared = {"kind": "synthetic", "difficulty": 0.5, "records_per_patient": 5}
    sources = {
        "m": SourceConfig(layout="mimic_iv_ecg", patients=100, seed=2, **shared),
        "p": SourceConfig(layout="ptbxl", patients=300, seed=1, **shared),
    }
    run_simulate(SimulationSlice(sources=sources), tmp_path)
    for path in made[0].iterdir():
        assert path.read_bytes() == (tmp_path / path.name).read_bytes(), path.name
