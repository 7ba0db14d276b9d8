"""Lead variants of a scan, which no stronger one nearby is in linkage disequilibrium with: PLINK 1.9's `--clump`.

PLINK 2 has no clumping in the version that distributions ship, and PLINK 1.9 reads `.bed` alone: that is written of
the few variants that have a part in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from ecglfm.config.discovery import LociConfig
from ecglfm.discovery.genotypes import limits, run_program
from ecglfm.discovery.summary import negative_log10_p, number_chromosomes

_PLACE = ["base_pair_location", "other_allele", "effect_allele"]


def clump_chromosome(
    plink2: str,
    plink19: str,
    genotypes: Path,
    candidates: Mapping[str, pd.DataFrame],
    folder: Path,
    *,
    keep: Path,
    config: LociConfig,
    threads: int = 1,
    memory: int | None = None,
) -> dict[str, pd.DataFrame]:
    """Clump the variants of a chromosome, feature by feature.

    Parameters
    ----------
    plink2, plink19 : str
        The programs.
    genotypes : path
        Folder of `run_quality`.
    candidates : mapping of DataFrame
        By feature, rows of summary statistics of this chromosome with `p_value` up to `config.secondary_p`.
    folder : path
        For what is in between; it is emptied by whoever made it.
    keep : path
        People whose linkage it is.
    config : LociConfig
    threads : int
    memory : int, optional
        MiB that PLINK may take.

    Returns
    -------
    dict of DataFrame
        By feature the rows of its lead variants, with `lead_rsid` (the id in the genotype files), `start`, `end` and
        `variants` of the clump; without rows where nothing is significant.
    """
    named = _with_ids(candidates, genotypes / "all.pvar")
    base, limit = folder / "clump", limits(threads, memory)
    ids = sorted(set().union(*(table["lead_rsid"] for table in named.values())))
    (folder / "variants").write_text("".join(f"{name}\n" for name in ids))
    extract = ["--keep", keep, "--extract", folder / "variants", "--make-bed", "--out", base]
    run_program([plink2, "--pfile", genotypes / "all", *extract, *limit])
    said = [
        "--clump-p1", str(config.p), "--clump-p2", str(config.secondary_p), "--clump-r2", str(config.r2),
        "--clump-kb", str(config.kb), "--allow-no-sex", "--allow-extra-chr",
    ]  # fmt: skip
    found = {}
    for feature, table in named.items():
        report, clumped = folder / "report", folder / "clumped.clumped"
        pd.DataFrame({"SNP": table["lead_rsid"], "P": told_p(table)}).to_csv(report, sep=" ", index=False)
        clumped.unlink(missing_ok=True)
        run_program([plink19, "--bfile", base, "--clump", report, *said, "--out", folder / "clumped", *limit])
        found[feature] = read_clumps(clumped, table)
    return found


def told_p(table: pd.DataFrame) -> np.ndarray:
    """P of each row for PLINK 1.9, which goes by its order: of those below 1e-300 what a double holds, in their order.

    Read as 0 they would be equal, and the first in the file the lead.
    """
    height = negative_log10_p(table)
    held = 300 + 7 * (height - 300) / np.maximum(height, 300)  # from 300 up to 307
    return np.where(height > 300, 10.0**-held, table["p_value"])


def read_clumps(path: Path, table: pd.DataFrame) -> pd.DataFrame:
    """Lead variants of PLINK 1.9's report, of which there is no file where nothing is significant.

    Parameters
    ----------
    path : path
    table : DataFrame
        Rows with `lead_rsid` and `base_pair_location`, which are the variants that were clumped.

    Returns
    -------
    DataFrame
        As in `clump_chromosome`.
    """
    rows = table.set_index("lead_rsid", drop=False)
    position = rows["base_pair_location"]
    leads, spans = [], []
    if path.exists():
        clumps = pd.read_csv(path, sep=r"\s+", dtype=str, keep_default_na=False)
        for lead, others in zip(clumps["SNP"], clumps["SP2"], strict=True):
            members = [] if others == "NONE" else [name.rpartition("(")[0] for name in others.split(",")]
            span = position[[lead, *members]]
            leads.append(lead)
            spans.append((span.min(), span.max(), len(span)))
    made = rows.loc[leads].reset_index(drop=True)
    return made.assign(**{name: [span[at] for span in spans] for at, name in enumerate(("start", "end", "variants"))})


def _with_ids(candidates: Mapping[str, pd.DataFrame], pvar: Path) -> dict[str, pd.DataFrame]:
    """Candidates with their ids in the genotype files, which summary statistics may spell otherwise."""
    columns = ["#CHROM", "POS", "ID", "REF", "ALT"]
    variants = pd.read_csv(pvar, sep="\t", comment=None, skiprows=_comments(pvar), usecols=columns, dtype=str)
    variants["base_pair_location"] = variants["POS"].astype("int64")
    variants = variants.rename(columns={"ID": "lead_rsid", "REF": "other_allele", "ALT": "effect_allele"})
    variants[["other_allele", "effect_allele"]] = variants[["other_allele", "effect_allele"]].apply(
        lambda text: text.str.upper()
    )
    return {
        name: table.merge(variants[[*_PLACE, "lead_rsid"]], on=_PLACE, how="inner").drop_duplicates("lead_rsid")
        for name, table in candidates.items()
    }


def _comments(pvar: Path) -> int:
    """Lines before the header of a `.pvar`."""
    with pvar.open(encoding="utf-8") as file:
        return next((number for number, line in enumerate(file) if not line.startswith("##")), 0)


def chromosome_of(genotypes: Path) -> int:
    """Number of the chromosome of a folder of `run_quality`, as summary statistics have it."""
    with (genotypes / "all.pvar").open(encoding="utf-8") as file:
        first = next((line for line in file if not line.startswith("#")), "0\t")
    return int(number_chromosomes(pd.Series([first.partition("\t")[0]])).iloc[0])
