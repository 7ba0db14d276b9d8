"""The step `discover simulate`: genotypes of synthetic patients, drawn given their hearts.

A synthetic patient's PR interval, QTc and QRS voltage differ from those of others of that age and sex by a number that
is drawn already. Given it, the calls of a variant that acts on it follow by Bayes (`genotypes.draw_copies`), and what
is linked to that variant follows from its calls: patients and genotypes are together what they would be, had the
variant acted on the heart, and no recording changes. (Effects are so large that a trait that follows from them would
have three humps; copies follow the normal trait that there is.) Two databases are two populations.

Makes `chr{chromosome}.bed`, `.bim`, `.fam`, `planted.tsv` (what acts on what) and `genes.tsv` (invented genes).
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from ecglfm.config import SimulationSlice, SourceConfig
from ecglfm.discovery.genotypes import Genome, Genotypes, draw_copies, draw_genome, draw_people, write_bed
from ecglfm.provenance import write_text
from ecglfm.sources.synthesis import (
    PR_SPREAD,
    QTC_SPREAD,
    VOLTAGE_SPREAD,
    Patient,
    draw_patient,
    mimic_ids,
    population,
    pr_law,
    qtc_law,
    voltage_law,
)

Trait = Literal["voltage", "PR", "QTc"]


class Planted(NamedTuple):
    """A variant that acts on the heart.

    Attributes
    ----------
    trait : str
    chromosome : str
    share : float
        Of the trait's variance, among people of one age and sex. No variant explains as much of anybody's heart; a few
        hundred people would not show less.
    """

    trait: Trait
    chromosome: str
    share: float


PLANTED = (Planted("voltage", "1", 0.8), Planted("PR", "2", 0.8), Planted("QTc", "3", 0.9))
CHROMOSOMES, VARIANTS, LENGTH = 4, 500, 1_000_000
GENE_LENGTH = 50_000


def run_simulate(slice_: SimulationSlice, output: Path) -> None:
    """Write genotypes of every patient of synthetic sources.

    Parameters
    ----------
    slice_ : SimulationSlice
    output : path
        Folder.
    """
    ids, populations_n, patients = _patients(slice_.sources)
    genome = draw_genome(chromosomes=CHROMOSOMES, variants=VARIANTS, length=LENGTH, populations=len(slice_.sources))
    rows, given = [], {}
    for number, planted in enumerate(PLANTED):
        at = _place(genome, planted.chromosome)
        frequency_n = genome.frequencies_dv[populations_n, at]
        mean = float(genome.frequencies_dv[:, at].mean())
        effect = float(np.sqrt(planted.share / (2 * mean * (1 - mean))))
        deviation_n = np.array([deviation(one, planted.trait) for one in patients])
        given[at] = draw_copies(deviation_n, effect=effect, frequency_n=frequency_n, seed=number)
        rows.append(_row(planted, genome.variants.iloc[at], effect, mean))
    sex_n = np.array([2 if one.sex == "female" else 1 for one in patients])
    people = draw_people(genome, populations_n, given=given, ids=ids, sex_n=sex_n)
    for chromosome in map(str, range(1, CHROMOSOMES + 1)):
        here = (people.variants["chromosome"] == chromosome).to_numpy()
        variants = people.variants[here].reset_index(drop=True)
        write_bed(output / f"chr{chromosome}", Genotypes(people.calls_nv[:, here], variants, people.people))
    _write(output / "genes.tsv", _genes())
    _write(output / "planted.tsv", pd.DataFrame(rows))


def deviation(patient: Patient, trait: Trait) -> float:
    """How far a patient is from others of that age and sex, in standard deviations: a number from a normal law."""
    age, sex = patient.age, patient.sex
    if trait == "PR":
        return (patient.pr - pr_law(age, sex)) / PR_SPREAD
    if trait == "QTc":
        return (patient.qtc - qtc_law(age, sex)) / QTC_SPREAD
    return float(np.log(patient.voltage / voltage_law(age, sex)) / VOLTAGE_SPREAD)


def _patients(sources: dict[str, SourceConfig]) -> tuple[list[str], np.ndarray, list[Patient]]:
    """Every patient: id, number of the population, heart."""
    ids, numbers, patients = [], [], []
    for number, (name, config) in enumerate(sorted(sources.items())):
        for patient in range(config.n_patients):
            native = patient + 1 if config.layout == "ptbxl" else mimic_ids(patient, 0)[0]
            ids.append(f"{name}/{native}")
            numbers.append(number)
            patients.append(draw_patient(population(config), patient, difficulty=config.difficulty))
    return ids, np.array(numbers), patients


def _place(genome: Genome, chromosome: str) -> int:
    """The variant of a chromosome whose alleles are most nearly as frequent as each other, in all populations."""
    away = np.abs(genome.frequencies_dv - 0.5).max(axis=0)
    return int(np.where(genome.variants["chromosome"] == chromosome, away, np.inf).argmin())


def _row(planted: Planted, variant: pd.Series, effect: float, frequency: float) -> dict[str, object]:
    return {
        "trait": planted.trait, "rsid": variant["rsid"], "chromosome": planted.chromosome,
        "base_pair_location": variant["position"], "effect_allele": variant["allele_1"],
        "other_allele": variant["allele_2"], "beta": round(effect, 4), "effect_allele_frequency": round(frequency, 4),
    }  # fmt: skip


def _genes() -> pd.DataFrame:
    """Invented genes, side by side: `SIM2-07` is the seventh of chromosome 2."""
    starts = range(1, LENGTH, GENE_LENGTH)
    rows = [
        (str(chromosome), start, start + GENE_LENGTH * 3 // 5, f"SIM{chromosome}-{number:02d}")
        for chromosome in range(1, CHROMOSOMES + 1)
        for number, start in enumerate(starts, start=1)
    ]
    return pd.DataFrame(rows, columns=["chromosome", "start", "end", "name"])


def _write(path: Path, table: pd.DataFrame) -> None:
    write_text(path, table.to_csv(sep="\t", index=False, lineterminator="\n"))
