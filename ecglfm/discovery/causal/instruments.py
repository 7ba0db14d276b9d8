"""Genotypes at instruments, taken out of the files that quality control left."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from ecglfm.discovery.association import read_design
from ecglfm.discovery.causal.people import People
from ecglfm.discovery.genotypes import Genotypes, limits, read_bed, run_program
from ecglfm.discovery.summary import number_chromosomes, read_loci


def read_instruments(
    plink2: str, folders: Sequence[Path], variants: pd.DataFrame, *, threads: int = 1
) -> list[Genotypes]:
    """Genotypes of everybody at some places, a part a chromosome: dosages where there are some, as the association has.

    Parameters
    ----------
    plink2 : str
        The program.
    folders : sequence of path
        Of the step genotypes, a chromosome each: `all.pgen`, `all.pvar`, `all.psam`.
    variants : DataFrame
        `chromosome base_pair_location`.
    threads : int

    Raises
    ------
    UserError
        PLINK failed.
    """
    wanted = set(zip(variants["chromosome"], variants["base_pair_location"], strict=True))
    found = []
    for folder in folders:
        names = _at(folder / "all.pvar", wanted)
        if not names:
            continue
        with tempfile.TemporaryDirectory() as temporary:
            ids, made = Path(temporary) / "ids.txt", Path(temporary) / "instruments"
            ids.write_text("\n".join(names) + "\n")
            extract = ["--extract", ids, "--max-alleles", 2, "--make-bed", "--export", "A", "--out", made]
            run_program([plink2, "--pfile", folder / "all", *extract, *limits(threads)])
            genotypes = read_bed(made)
            found.append(replace(genotypes, calls_nv=_dosages(Path(f"{made}.raw"), genotypes.variants)))
    return found


def _dosages(path: Path, variants: pd.DataFrame) -> np.ndarray:
    """Copies of `allele_1` that PLINK 2 exported, dosages where there are some; -1 where one is missing.

    A column is named by its variant and the allele that it counts.
    """
    table = pd.read_csv(path, sep="\t", low_memory=False).iloc[:, 6:]
    counted = np.array([str(name).rpartition("_")[2] for name in table])
    copies_nv = table.to_numpy(np.float64)
    copies_nv = np.where(counted == variants["allele_1"].to_numpy(), copies_nv, 2 - copies_nv)
    return np.where(np.isnan(copies_nv), -1, copies_nv)


def _at(path: Path, wanted: set[tuple[int, int]]) -> list[str]:
    """Ids of a `.pvar`'s variants at some places."""
    with path.open(encoding="utf-8") as file:
        heading = next(line for line in file if not line.startswith("##"))
        columns = heading.removeprefix("#").split()
        table = pd.read_csv(file, sep="\t", header=None, names=columns, usecols=["CHROM", "POS", "ID"], dtype=str)
    places = zip(number_chromosomes(table["CHROM"]), table["POS"].astype(int), strict=True)
    return [name for name, place in zip(table["ID"], places, strict=True) if place in wanted]


def read_people(plink2: str, *, genotypes: Sequence[Path], folder: Path, loci: Path, threads: int = 1) -> People:
    """Who took part in the association, with their genotypes at lead variants.

    Parameters
    ----------
    plink2 : str
        The program.
    genotypes : sequence of path
        Folders of the step genotypes.
    folder : path
        `discover/{encoder}`, with `ids.tsv`, `phenotypes.tsv`, `covariates.tsv` and `structure/`.
    loci : path
        `loci.parquet`.
    threads : int

    Raises
    ------
    UserError
        As `read_design`, and where PLINK failed.
    """
    design = read_design(folder / "phenotypes.tsv", folder / "covariates.tsv", folder / "structure")
    ids = pd.read_csv(folder / "ids.tsv", sep="\t", dtype=str, usecols=["patient_id", "IID"])
    ids = design.ids[["IID"]].merge(ids, on="IID")
    covariates = design.covariates.set_axis(pd.Index(design.ids["IID"]))
    return People(read_instruments(plink2, genotypes, read_loci(loci), threads=threads), ids, covariates)
