"""A small study as steps leave it: summary statistics of two features, one with a locus on chromosomes 1 and 2."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import norm

from ecglfm.discovery.summary import write_summary_statistics

PEOPLE = 10_000
LD_SCORES = np.tile(np.linspace(1, 50, 300), 2)
M = 20_000.0  # variants that LD scores are summed over


def statistics(h2: float, *, lead_z: float = 0.0) -> pd.DataFrame:
    """Two chromosomes of 300 variants with the chi-square that is expected; the 150th of each has `lead_z`."""
    z = np.sqrt(1 + PEOPLE * h2 * LD_SCORES / M)
    if lead_z:
        z[[150, 450]] = lead_z
    return pd.DataFrame(
        {
            "chromosome": np.repeat([1, 2], 300),
            "base_pair_location": np.tile(np.arange(300) * 10_000 + 1, 2),
            "effect_allele": "A",
            "other_allele": "G",
            "beta": z / np.sqrt(PEOPLE),
            "standard_error": 1 / np.sqrt(PEOPLE),
            "effect_allele_frequency": 0.3,
            "p_value": 2 * norm.sf(z),
            "rsid": [f"rs{number}" for number in range(1, 601)],
            "n": PEOPLE,
        }
    )


def write_study(folder: Path) -> tuple[Path, Path]:
    """`summary/` and `loci.parquet`."""
    for edf, table in (("edf_0001", statistics(0.2, lead_z=9.0)), ("edf_0002", statistics(0.05))):
        write_summary_statistics(folder / "summary" / f"{edf}.tsv.zst", table)
    leads = statistics(0.2, lead_z=9.0).iloc[[450, 150]].assign(edf="edf_0001", locus=[2, 1])
    leads = leads.rename(columns={"rsid": "lead_rsid"}).assign(start=lambda t: t["base_pair_location"], end=1_600_000)
    leads.drop(columns="effect_allele_frequency").to_parquet(folder / "loci.parquet")
    return folder / "summary", folder / "loci.parquet"


def write_ld_scores(folder: Path) -> Path:
    """LD scores of the study's variants, as LDSC has them."""
    folder.mkdir()
    for chromosome in (1, 2):
        rows = statistics(0).assign(L2=LD_SCORES)
        rows = rows[rows["chromosome"] == chromosome]
        table = pd.DataFrame(
            {"CHR": chromosome, "SNP": rows["rsid"], "BP": rows["base_pair_location"], "L2": rows["L2"]}
        )
        table.to_csv(folder / f"{chromosome}.l2.ldscore.gz", sep="\t", index=False)
        (folder / f"{chromosome}.l2.M_5_50").write_text(f"{M / 2}\n")
    return folder
