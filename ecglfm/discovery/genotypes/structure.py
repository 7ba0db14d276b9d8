"""People and their principal components, over all chromosomes: who lacks calls, who is related, of what descent."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from ecglfm.config import UserError
from ecglfm.config.discovery import QualityConfig, StructureConfig
from ecglfm.discovery.genotypes.bed import join_beds
from ecglfm.discovery.genotypes.programs import fresh_folder, limits, run_program

logger = logging.getLogger(__name__)


def run_structure(
    plink2: str,
    chromosomes: Sequence[Path],
    output: Path,
    *,
    quality: QualityConfig,
    structure: StructureConfig,
    threads: int = 1,
    memory: int | None = None,
) -> None:
    """Write a folder: `pruned.{bed,bim,fam}`, `keep.tsv`, `dropped.tsv`, `pca.tsv`, `eigenvalues.tsv`.

    Parameters
    ----------
    plink2 : str
        The program.
    chromosomes : sequence of path
        Folders of `run_quality`.
    output : path
        Folder to write.
    quality, structure : QualityConfig, StructureConfig
    threads : int
    memory : int, optional
        MiB that PLINK may take.

    Raises
    ------
    UserError
        PLINK failed, or too few people or variants are left for the components.
    """
    base = [plink2, *limits(threads, memory)]
    with fresh_folder(output) as folder:
        pruned, keep = folder / "pruned", folder / "keep.tsv"
        join_beds([path / "pruned" for path in chromosomes], pruned)
        missing = missing_calls([path / "people.smiss" for path in chromosomes])
        many = missing["share"] > quality.max_missing_person
        dropped = missing[many].assign(reason="missing calls")
        _write(missing[~many], keep)
        if quality.king_cutoff is not None:
            cutoff = ["--king-cutoff", str(quality.king_cutoff)]
            run_program([*base, "--bfile", pruned, "--keep", keep, *cutoff, "--out", folder / "kin"])
            related = pd.read_csv(folder / "kin.king.cutoff.out.id", sep="\t", dtype=str)["IID"]
            is_related = missing["IID"].isin(related) & ~many
            dropped = pd.concat([dropped, missing[is_related].assign(reason="related")])
            _write(missing[~many & ~is_related], keep)
        dropped[["#FID", "IID", "reason"]].to_csv(folder / "dropped.tsv", sep="\t", index=False)
        people = len(missing) - len(dropped)
        logger.info("genotypes: %d people stay, %d are left out", people, len(dropped))
        if structure.components:
            variants = Path(f"{pruned}.bim").read_bytes().count(b"\n")
            if min(people - 1, variants) < structure.components:
                raise UserError(
                    f"{structure.components} principal components of {people} people and {variants} pruned variants:"
                    " lower `discover.structure.components`, or let more pass (`discover.quality`)"
                )
            fast = ["approx"] if people > structure.approximate_above else []
            pca = ["--pca", str(structure.components), *fast, "--seed", "1", "--out", folder / "pca"]
            run_program([*base, "--bfile", pruned, "--keep", keep, *pca])
            components = oriented(pd.read_csv(folder / "pca.eigenvec", sep="\t", dtype={"#FID": str, "IID": str}))
            values = pd.read_csv(folder / "pca.eigenval", header=None)[0]
        else:
            components, values = missing[["#FID", "IID"]], pd.Series(dtype=float)
        components.to_csv(folder / "pca.tsv", sep="\t", index=False)
        pd.DataFrame({"component": values.index + 1, "eigenvalue": values}).to_csv(
            folder / "eigenvalues.tsv", sep="\t", index=False
        )
        for path in {*folder.glob("*.log"), *folder.glob("pca.eigen*"), *folder.glob("kin.*")}:
            path.unlink()


def missing_calls(paths: Sequence[Path]) -> pd.DataFrame:
    """Calls that each person lacks, over all chromosomes.

    Parameters
    ----------
    paths : sequence of path
        `.smiss` of PLINK 2.

    Returns
    -------
    DataFrame
        `#FID`, `IID`, `share`, in the order of the first file.
    """
    tables = [pd.read_csv(path, sep="\t", dtype={"#FID": str, "IID": str}) for path in paths]
    every = pd.concat(tables).groupby(["#FID", "IID"], sort=False)[["MISSING_DOSAGE_CT", "OBS_CT"]].sum().reset_index()
    return every.assign(share=every["MISSING_DOSAGE_CT"] / every["OBS_CT"].clip(lower=1))


def oriented(components: pd.DataFrame) -> pd.DataFrame:
    """Components whose largest entry is positive: an eigenvector has no sign of its own."""
    made = components.copy()
    for name in made.columns.difference(["#FID", "IID"]):
        values = made[name].to_numpy()
        made[name] = values * np.sign(values[np.abs(values).argmax()])
    return made


def _write(people: pd.DataFrame, path: Path) -> None:
    people[["#FID", "IID"]].to_csv(path, sep="\t", index=False)
