"""The step `discover heritability`: h2 of every feature, genetic correlation of every pair, tables for LDSC."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from ecglfm.config import UserError
from ecglfm.config.discovery import HeritabilityConfig
from ecglfm.discovery.heritability.figure import correlation_figure, heritability_figure
from ecglfm.discovery.heritability.ld_scores import LdScores, panel_ld_scores, read_ldsc_scores
from ecglfm.discovery.heritability.traits import heritabilities, regression_rows
from ecglfm.discovery.recordings import write_tables
from ecglfm.discovery.summary import ldsc_table, read_summary_statistics, variant_names, write_ldsc
from ecglfm.evaluation.plots import save_png

logger = logging.getLogger(__name__)


def run_heritability(config: HeritabilityConfig, *, summary: Path, output: Path, panel: Sequence[Path] = ()) -> None:
    """Write `heritability` and `genetic_correlation` (`.parquet`, `.tsv`, `.png`) and `ldsc/{edf}.sumstats.gz`.

    Parameters
    ----------
    config : HeritabilityConfig
    summary : path
        Folder of `{edf}.tsv.zst`.
    output : path
        Folder to write into.
    panel : sequence of path
        The reference panel: PLINK 1 files without their ending. Not needed where the config names LD scores.

    Raises
    ------
    UserError
        There is no panel, no summary statistics, or hardly a variant is in both.
    """
    scores = _scores(config, panel)
    files = sorted(summary.glob("*.tsv.zst"))
    if not files:
        raise UserError(f"{summary}: no summary statistics; run the step `discover summary`")
    (output / "ldsc").mkdir(parents=True, exist_ok=True)
    traits: dict[str, pd.DataFrame] = {}
    for path in files:
        edf, table = path.name.removesuffix(".tsv.zst"), read_summary_statistics(path)
        for_ldsc, without = _named(table)
        write_ldsc(output / "ldsc" / f"{edf}.sumstats.gz", ldsc_table(for_ldsc, min_frequency=config.min_frequency))
        traits[edf] = regression_rows(table, scores, min_frequency=config.min_frequency)
    if without:
        logger.warning(
            "ldsc/: %d of %d variants of %s have no rsid and are named by place and alleles; LDSC takes those whose"
            " name is in its scores", without, len(table), edf,
        )  # fmt: skip
    found, pairs = heritabilities(traits, scores, blocks=config.blocks)
    write_tables(output, "heritability", found)
    write_tables(output, "genetic_correlation", pairs)
    save_png(heritability_figure(found), output / "heritability.png")
    order = found.sort_values("h2_z", ascending=False, kind="stable")["edf"]
    save_png(correlation_figure(pairs, list(order)), output / "genetic_correlation.png")
    logger.info("%d features; h2 above 2 SE: %d", len(found), int((found["h2_z"] > 2).sum()))


def _named(table: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """Summary statistics with a name for each variant in `rsid`, and how many had none."""
    without = int(table["rsid"].isna().sum()) if "rsid" in table else len(table)
    return (table.assign(rsid=variant_names(table)), without) if without else (table, 0)


def _scores(config: HeritabilityConfig, panel: Sequence[Path]) -> LdScores:
    if config.ld_scores is not None:
        return read_ldsc_scores(Path(config.ld_scores))
    if not panel:
        raise UserError("discover.heritability: name a `panel` of PLINK 1 files, or `ld_scores` as LDSC has them")
    return panel_ld_scores(list(panel), window=config.window, min_frequency=config.min_frequency)
