"""The step `discover mr`: Mendelian randomization of every feature on every outcome."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Literal

import pandas as pd

from ecglfm.config import UserError
from ecglfm.config.discovery import MrConfig, OutcomeConfig
from ecglfm.discovery.causal.figure import forest_figure, pairs_figure, scatter_figure
from ecglfm.discovery.causal.people import People
from ecglfm.discovery.causal.randomization import Randomization, few, randomize
from ecglfm.discovery.recordings import write_tables
from ecglfm.discovery.summary import lead_statistics, read_loci, read_summary_statistics
from ecglfm.evaluation.plots import save_png

logger = logging.getLogger(__name__)

#: Tables that are written, by the name of the part of `Randomization`.
TABLES = {"estimates": "mr", "checks": "mr_checks", "instruments": "mr_instruments", "left_out": "mr_leave_one_out"}
#: Of no lead variant the tables are empty, with these columns.
COLUMNS = [
    "exposure", "outcome", "method", "instruments", "beta", "ci_low", "ci_high", "standard_error", "p_value",
]  # fmt: skip


def run_mr(config: MrConfig, *, summary: Path, loci: Path, output: Path, people: People | None = None) -> None:
    """Write `mr`, `mr_checks`, `mr_instruments`, `mr_leave_one_out` (`.parquet`, `.tsv`) and figures.

    `mr.png` shows all pairs, `mr/{edf}.{outcome}.forest.png` and `.scatter.png` one of them.

    Parameters
    ----------
    config : MrConfig
    summary : path
        Folder of `{edf}.tsv.zst`.
    loci : path
        `loci.parquet`, whose lead variants are the instruments.
    output : path
        Folder to write into.
    people : People, optional
        Needed by outcomes with a `column`.

    Raises
    ------
    UserError
        A file is missing or breaks GWAS-SSF, or an outcome has one value only.
    """
    exposures = {
        str(edf): lead_statistics(own, read_summary_statistics(summary / f"{edf}.tsv.zst"))
        for edf, own in read_loci(loci).groupby("edf", sort=True)
    }
    (output / "mr").mkdir(parents=True, exist_ok=True)
    found: list[Randomization] = []
    for name, outcome in config.outcomes.items():
        found += _outcome(config, name, outcome, exposures, people, output)
    for part, file in TABLES.items():
        tables = [table for one in found if len(table := getattr(one, part))]
        table = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=COLUMNS)
        write_tables(output, file, table)
    save_png(pairs_figure(pd.read_parquet(output / "mr.parquet")), output / "mr.png")


def _outcome(
    config: MrConfig,
    name: str,
    outcome: OutcomeConfig,
    exposures: dict[str, pd.DataFrame],
    people: People | None,
    output: Path,
) -> list[Randomization]:
    """Every exposure on one outcome."""
    variants = pd.concat(exposures.values(), ignore_index=True) if exposures else pd.DataFrame()
    overlap, case_share = outcome.overlap, outcome.case_share
    palindromes: Literal["drop", "frequency", "keep"] = config.palindromes
    match = config.match
    if exposures and outcome.column is not None:
        assert config.table is not None
        if people is None:
            raise UserError(f"discover.mr: outcome {name} is a `column` of people: name their genotypes")
        associations, case_share = people.associations(variants, outcome.column, config.table, config.missing_codes)
        overlap, palindromes = 1.0, "keep"  # the same people, the same files, the same strand
        match = "position"
    elif exposures:
        associations = read_summary_statistics(str(outcome.statistics))
    found = []
    for edf, instruments in exposures.items():
        one = randomize(
            instruments, associations, names=(edf, name), seed=config.seed, palindromes=palindromes,
            match=match, overlap=overlap, case_share=case_share, prevalence=outcome.prevalence,
        )  # fmt: skip
        found.append(one)
        count = len(one.instruments)
        _say(one, few(count))
        if count:
            save_png(forest_figure(one), output / "mr" / f"{edf}.{name}.forest.png")
            save_png(scatter_figure(one), output / "mr" / f"{edf}.{name}.scatter.png")
    return found


def _say(one: Randomization, limits: str) -> None:
    checks = one.checks.iloc[0]
    said = [f"{checks['exposure']} on {checks['outcome']}"]
    if len(one.estimates):
        first = one.estimates.iloc[0]
        said.append(f"{first['beta']:.3g} [{first['ci_low']:.3g}, {first['ci_high']:.3g}] ({first['method']})")
    said += [limits] if limits else []
    if checks["weak"]:
        said.append(f"{int(checks['weak'])} weak instruments (F below 10)")
    said.append(str(checks["overlap_says"]))
    logger.info("%s", "; ".join(said))
