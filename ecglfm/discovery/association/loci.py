"""Loci: lead variants of every feature, the region around each, and which features share one."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from ecglfm.config import UserError
from ecglfm.config.discovery import AssociationConfig, LociConfig
from ecglfm.discovery.association.clumping import chromosome_of, clump_chromosome
from ecglfm.discovery.association.genes import nearest_genes, read_genes
from ecglfm.discovery.association.pictures import draw_scans
from ecglfm.discovery.association.scan import Scan, read_scan
from ecglfm.discovery.summary import negative_log10_p, with_written_p
from ecglfm.provenance import atomic, read_json, write_parquet

logger = logging.getLogger(__name__)

COLUMNS = [
    "edf", "locus", "chromosome", "lead_rsid", "base_pair_location", "effect_allele", "other_allele", "beta",
    "standard_error", "effect_allele_frequency", "p_value", "n", "start", "end", "variants", "significant_corrected",
    "nearest_gene", "distance",
]  # fmt: skip


def run_loci(
    programs: tuple[str, str],
    summary: Path,
    genotypes: Sequence[Path],
    output: Path,
    *,
    config: AssociationConfig,
    keep: Path,
    threads: int = 1,
    memory: int | None = None,
) -> None:
    """Write `loci.parquet`, `loci.tsv`, `manhattan.png`, `qq.png`, `miami.png` and a picture a feature in `scans/`.

    Parameters
    ----------
    programs : tuple of str
        PLINK 2 and PLINK 1.9.
    summary : path
        Folder with `{feature}.tsv.zst`; `lambda.tsv` and `tests.json` beside it.
    genotypes : sequence of path
        Folders of `run_quality`.
    output : path
        Folder to write into.
    config : AssociationConfig
    keep : path
        People whose linkage disequilibrium counts.
    threads : int
        Features that are read at once.
    memory : int, optional
        MiB that PLINK may take.

    Raises
    ------
    UserError
        PLINK failed, a file is damaged, or `config.miami` names what was not tested.
    """
    files = sorted(summary.glob("*.tsv.zst"))
    names = [path.name.removesuffix(".tsv.zst") for path in files]
    unknown = [name for name in config.miami or [] if name not in names]
    if unknown:
        raise UserError(f"discover.association.miami: no {unknown[0]!r} was tested; there are {', '.join(names[:20])}")
    read = partial(read_scan, secondary_p=config.loci.secondary_p)
    with ThreadPoolExecutor(threads) as pool:  # NumPy and Arrow do the work
        scans = dict(zip(names, pool.map(read, files), strict=True))
    leads = _leads(programs, scans, genotypes, config.loci, keep, threads, memory)
    threshold = read_json(summary.parent / "tests.json")["corrected"]
    table = locus_table(leads, threshold=threshold, genes=config.loci.genes)
    for name, count in table["edf"].value_counts(sort=False).items():
        logger.info("%s: %d lead variants", name, count)
    logger.info("%d lead variants of %d features in %d loci", len(table), len(scans), table["locus"].nunique())
    write_parquet(output / "loci.parquet", table)
    with atomic(output / "loci.tsv") as temporary:
        with_written_p(table).to_csv(temporary, sep="\t", index=False)
    inflation = pd.read_csv(summary.parent / "lambda.tsv", sep="\t").set_index("edf")["lambda"]
    draw_scans(scans, table, inflation, output, threshold=threshold, miami=config.miami)


def _leads(
    programs: tuple[str, str],
    scans: Mapping[str, Scan],
    genotypes: Sequence[Path],
    config: LociConfig,
    keep: Path,
    threads: int,
    memory: int | None,
) -> pd.DataFrame:
    """Lead variants of all features; features without any have no rows."""
    found = []
    for folder in genotypes:
        number = chromosome_of(folder)
        there = {name: scan.candidates[scan.candidates["chromosome"] == number] for name, scan in scans.items()}
        there = {name: table for name, table in there.items() if (table["p_value"] <= config.p).any()}
        if not there:
            continue
        with tempfile.TemporaryDirectory() as temporary:
            clumps = clump_chromosome(
                *programs, folder, there, Path(temporary), keep=keep, config=config, threads=threads, memory=memory
            )
        found += [table.assign(edf=name) for name, table in clumps.items()]
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=["edf", "start", "end", "variants"])


def locus_table(leads: pd.DataFrame, *, threshold: float, genes: str | None = None) -> pd.DataFrame:
    """The table of loci, sorted by locus, then P.

    Parameters
    ----------
    leads : DataFrame
        Rows of summary statistics with `edf`, `lead_rsid`, `start`, `end`, `variants`.
    threshold : float
        P that counts for so many features.
    genes : str, optional
        File of genes.

    Returns
    -------
    DataFrame
        `COLUMNS`: of no lead variant an empty one.
    """
    table = leads.reindex(columns=COLUMNS)
    table["locus"] = shared_loci(leads) if len(leads) else pd.Series(dtype="int64")
    table["significant_corrected"] = table["p_value"].astype(float) <= threshold
    if genes is not None:
        known = read_genes(genes)
        if len(table):
            table[["nearest_gene", "distance"]] = nearest_genes(table, known)
    whole = ["locus", "chromosome", "base_pair_location", "n", "start", "end", "variants"]
    texts = ["edf", "lead_rsid", "effect_allele", "other_allele", "nearest_gene"]
    types = dict.fromkeys(whole, "int64") | dict.fromkeys(texts, "string") | {"distance": "Int64"}
    numbers = ["beta", "standard_error", "effect_allele_frequency", "p_value"]
    table = table.astype(types | dict.fromkeys(numbers, "float64"))
    order = table.assign(height=-negative_log10_p(table)).sort_values(["locus", "height", "edf"]).index
    return table.loc[order].reset_index(drop=True)


def shared_loci(leads: pd.DataFrame) -> np.ndarray:
    """Numbers of loci, from 1 along the genome: spans that overlap, of whichever feature, are one.

    Parameters
    ----------
    leads : DataFrame
        `chromosome`, `start`, `end`.

    Returns
    -------
    ndarray of int
    """
    order = leads.sort_values(["chromosome", "start", "end"]).index
    number, chromosome, reach = 0, None, -1
    numbers = pd.Series(0, index=leads.index)
    for at in order:
        row = leads.loc[at]
        if row["chromosome"] != chromosome or row["start"] > reach:
            number, reach = number + 1, -1
        chromosome, reach = row["chromosome"], max(reach, row["end"])
        numbers[at] = number
    return numbers.to_numpy()
