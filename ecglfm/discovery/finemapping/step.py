"""The step `discover credible-sets`: credible sets of all loci, and each locus as `coloc` takes it."""

from __future__ import annotations

import logging
from pathlib import Path

import pandas as pd

from ecglfm.config.discovery import CredibleSetsConfig
from ecglfm.discovery.finemapping.bayes import credible_sets
from ecglfm.discovery.finemapping.figure import locus_figure
from ecglfm.discovery.recordings import write_tables
from ecglfm.discovery.summary import coloc_locus, read_loci, read_summary_statistics
from ecglfm.evaluation.plots import save_png
from ecglfm.provenance import atomic

logger = logging.getLogger(__name__)

#: Of no locus the table is empty, with these columns.
COLUMNS = [
    "edf", "locus", "lead", "set_size", "variants", "variant", "chromosome", "base_pair_location", "effect_allele",
    "other_allele", "beta", "standard_error", "p_value", "log_bayes_factor", "posterior", "cumulative",
]  # fmt: skip


def run_credible_sets(config: CredibleSetsConfig, *, summary: Path, loci: Path, output: Path) -> None:
    """Write `credible_sets.parquet` and `.tsv`, and `loci/{edf}.{lead}.png` and `.coloc.tsv` of each locus.

    Parameters
    ----------
    config : CredibleSetsConfig
    summary : path
        Folder of `{edf}.tsv.zst`.
    loci : path
        `loci.parquet`.
    output : path
        Folder to write into.
    """
    found = []
    (output / "loci").mkdir(parents=True, exist_ok=True)
    for edf, own in read_loci(loci).groupby("edf", sort=True):
        statistics = read_summary_statistics(summary / f"{edf}.tsv.zst")
        sets, whole = credible_sets(
            statistics, own, window=config.window, prior_sd=config.prior_sd, coverage=config.coverage
        )
        found.append(sets.assign(edf=edf))
        for lead, variants in whole.items():
            path = output / "loci" / f"{edf}.{lead}"
            save_png(locus_figure(variants, f"{edf}: {lead}"), path.with_name(f"{path.name}.png"))
            _write_coloc(path.with_name(f"{path.name}.coloc.tsv"), variants)
    table = pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=COLUMNS)
    write_tables(output, "credible_sets", table[COLUMNS])
    sizes = table.drop_duplicates(["edf", "lead"])["set_size"]
    logger.info("%d loci; variants in their credible sets: %s", len(sizes), ", ".join(map(str, sizes)) or "none")


def _write_coloc(path: Path, variants: pd.DataFrame) -> None:
    chromosome, place = int(variants["chromosome"].iloc[0]), variants["base_pair_location"]
    table = coloc_locus(variants, chromosome=chromosome, start=int(place.min()), end=int(place.max()))
    with atomic(path) as temporary:
        table.sort_values("position", kind="stable").to_csv(temporary, sep="\t", index=False, na_rep="NA")
