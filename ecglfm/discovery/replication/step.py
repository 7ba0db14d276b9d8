"""The step `discover replication`: lead variants in every other cohort."""

from __future__ import annotations

import logging
from pathlib import Path

import pandas as pd

from ecglfm.config import UserError
from ecglfm.config.discovery import ReplicationConfig
from ecglfm.discovery.recordings import write_tables
from ecglfm.discovery.replication.figure import replication_figure
from ecglfm.discovery.replication.replication import Replicated, replicate, says
from ecglfm.discovery.summary import lead_statistics, read_loci, read_summary_statistics
from ecglfm.evaluation.plots import save_png

logger = logging.getLogger(__name__)

_KEPT = [
    "cohort", "edf", "locus", "chromosome", "base_pair_location", "rsid", "effect_allele", "other_allele", "beta",
    "standard_error", "effect_allele_frequency", "p_value", "n", "tested", "reason", "beta_2", "standard_error_2",
    "effect_allele_frequency_2", "p_value_2", "n_2", "same_direction", "p_one_sided", "threshold", "power",
    "replicates",
]  # fmt: skip


def run_replication(config: ReplicationConfig, *, summary: Path, loci: Path, output: Path) -> None:
    """Write `replication.parquet` and `.tsv`, and `replication.{cohort}.png`.

    Parameters
    ----------
    config : ReplicationConfig
    summary : path
        Folder of `{edf}.tsv.zst`.
    loci : path
        `loci.parquet`.
    output : path
        Folder to write into.

    Raises
    ------
    UserError
        A cohort's file is missing, breaks GWAS-SSF, or is named for no feature of the study.
    """
    leads = {
        str(edf): lead_statistics(own, read_summary_statistics(summary / f"{edf}.tsv.zst"))
        for edf, own in read_loci(loci).groupby("edf", sort=True)
    }
    tables = []
    for cohort in config.cohorts:
        _check_names(config, cohort, summary)
        table = _cohort(config, cohort, leads).assign(cohort=cohort)
        save_png(replication_figure(table, cohort), output / f"replication.{cohort}.png")
        logger.info("%s: %s", cohort, says(table))
        for reason, count in table["reason"].value_counts().items():
            logger.info("%s: %d not tested: %s", cohort, count, reason)
        tables.append(table)
    table = pd.concat(tables, ignore_index=True)
    write_tables(output, "replication", table[[name for name in _KEPT if name in table]])


def _check_names(config: ReplicationConfig, cohort: str, summary: Path) -> None:
    """Files that are named for a feature which there is not would be passed over."""
    files = config.cohorts[cohort]
    for edf in files if isinstance(files, dict) else []:
        if not (summary / f"{edf}.tsv.zst").exists():
            raise UserError(f"discover.replication.cohorts.{cohort}: {summary} has no feature {edf!r}")


def _cohort(config: ReplicationConfig, cohort: str, leads: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Leads of all features in one cohort; P is corrected for all of them together."""
    files = {edf: config.file(cohort, edf) for edf in leads}
    there = {
        edf: _near(read_summary_statistics(file), leads[edf]) if file else leads[edf].head(0)
        for edf, file in files.items()
    }

    def look_up(tests: int | None) -> list[Replicated]:
        return [
            replicate(
                own.assign(edf=edf), there[edf], alpha=config.alpha, palindromes=config.palindromes,
                match=config.match, tests=tests,
            )
            for edf, own in leads.items()
        ]  # fmt: skip

    tested = sum(int(one.table["tested"].sum()) for one in look_up(None))
    found = [one.table.assign(threshold=config.alpha / max(tested, 1)) for one in look_up(max(tested, 1))]
    table = pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=_KEPT)
    without = [edf for edf, file in files.items() if file is None]
    return table.assign(reason=table["reason"].mask(table["edf"].isin(without), "no file"))


def _near(statistics: pd.DataFrame, leads: pd.DataFrame) -> pd.DataFrame:
    """Variants at the places, or of the rsids, of lead variants: a cohort's file has millions of others."""
    near = statistics["base_pair_location"].isin(leads["base_pair_location"])
    if "rsid" in statistics and "rsid" in leads:
        near |= statistics["rsid"].isin(leads["rsid"].dropna())
    return statistics[near]
