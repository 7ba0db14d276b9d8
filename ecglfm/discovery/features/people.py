"""The step `discover people`: phenotype and covariate files of people who are among the genotypes.

`phenotypes.tsv` (features, and what was measured) and `covariates.tsv` begin with `#FID IID`, as PLINK 2 has it;
REGENIE and BOLT-LMM read the same without `#`. `ids.tsv` says which sample is which patient; `people.json` counts who
was left out, and why. People, features and covariates are joined by id, never by their place in a file.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ecglfm.config import PeopleConfig, PeopleSlice, UserError
from ecglfm.discovery.features.covariates import design, independent, with_indicators
from ecglfm.discovery.features.missing import without_codes
from ecglfm.discovery.features.normal import rank_inverse_normal
from ecglfm.discovery.features.samples import read_ids, read_samples, sample_of
from ecglfm.discovery.features.vectors import read_table
from ecglfm.provenance import atomic, write_json

logger = logging.getLogger(__name__)

_IDS = ["#FID", "IID"]
#: Columns of `people.parquet` that may be named as covariates.
_OWN = ("age", "sex", "source")


def run_people(
    slice_: PeopleSlice,
    *,
    features: Path,
    people: Path,
    samples: Sequence[Path],
    output: Path,
    measured: Path | None = None,
) -> None:
    """Write phenotypes, covariates and ids of those who take part.

    Parameters
    ----------
    slice_ : PeopleSlice
    features : path
        `edf.parquet`.
    people : path
        `people.parquet`.
    samples : sequence of path
        Who is in the genotype files: `.fam`, `.psam` or `.sample`; who is in all of them can take part.
    output : path
        Folder.
    measured : path, optional
        `biomarkers.parquet`, of whose columns `people.measured` names some.

    Raises
    ------
    UserError
        Too few people are among the samples, an id is ambiguous, a covariate or a measurement is unknown, or nobody is
        left.
    """
    config = slice_.people
    known = read_samples(samples)
    rows = pd.read_parquet(people)
    rows["IID"] = sample_of(
        rows["patient_id"], known, None if slice_.ids is None else read_table(slice_.ids, "patient_id", "IID")
    )
    counts: dict[str, Any] = {"people": len(rows), "samples": len(known)}
    among = rows["IID"].isin(known.index)
    _check_overlap(config, rows, known, int(among.sum()), samples)
    rows = rows[among]
    rows["#FID"] = known.reindex(rows["IID"]).to_numpy()
    rows, counts["listed"] = _listed(config, rows)
    matrix, counts["covariates"] = _covariates(config, rows)
    counts["missing"] = {name: int(matrix[name].isna().sum()) for name in matrix if matrix[name].isna().any()}
    if config.missing == "indicator":
        matrix = with_indicators(matrix)
    complete = matrix.notna().all(axis=1)
    rows, matrix = rows[complete], matrix[complete]
    if rows.empty:
        raise UserError(f"discover.people: nobody is left of {counts['people']}: {counts}")
    matrix, left_out = independent(matrix)
    counts |= {"left_out": left_out, "taking_part": len(rows)}
    for name, why in left_out.items():
        logger.warning("covariate %s: %s: left out", name, why)
    traits = pd.read_parquet(features).set_index("patient_id").drop(columns="record_id")
    traits = traits.join(_measured(config.measured, measured, traits))
    phenotypes = rows[_IDS].join(traits.reindex(rows["patient_id"]).set_axis(rows.index))
    _write(output / "phenotypes.tsv", phenotypes)
    _write(output / "covariates.tsv", rows[_IDS].join(matrix))
    _write(output / "ids.tsv", rows[["patient_id", "record_id", *_IDS]])
    write_json(output / "people.json", counts)
    logger.info("%d of %d people take part, among %d samples", len(rows), counts["people"], counts["samples"])


def _check_overlap(
    config: PeopleConfig, rows: pd.DataFrame, known: pd.Series, found: int, samples: Sequence[Path]
) -> None:
    """Ids that do not match would leave a few people, and programs run on them without a word."""
    if found and found >= config.min_overlap * len(rows):
        return
    here, there = rows["patient_id"].iloc[0], known.index[0]
    raise UserError(
        f"discover.people: {found} of {len(rows)} people with features are among the {len(known)} samples of"
        f" {samples[0]}, fewer than min_overlap {config.min_overlap:g}: ids here look like {here!r}, there like"
        f" {there!r}; name a table of both in discover.genotypes.ids, or lower min_overlap"
    )


def _listed(config: PeopleConfig, rows: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, int]]:
    """Those whom the user's lists let take part, and how many each list left out."""
    counts = {}
    for path, wanted in [(config.keep, True), *((path, False) for path in config.exclude)]:
        if path is None:
            continue
        ids = read_ids(path)
        taken = rows["IID"].isin(ids) == wanted
        counts[path] = int((~taken).sum())
        if not taken.any():
            raise UserError(
                f"{path}: it leaves nobody of {len(rows)}: its ids look like {min(ids, default='')!r}, those of samples"
                f" like {rows['IID'].iloc[0]!r}"
            )
        rows = rows[taken]
    return rows, counts


def _covariates(config: PeopleConfig, rows: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """The columns to adjust for, as numbers, and the names that they come from."""
    table = rows[list(_OWN)].copy()
    others = [name for name in config.covariates if name not in {*_OWN, "age2"}]
    if others and config.table is None:
        raise UserError(
            f"discover.people.covariates: {others[0]!r} is none of {', '.join(_OWN)}, age2: name the `table`"
        )
    if config.table is not None:
        own = read_table(config.table, "IID", *others)
        if own["IID"].duplicated().any():
            raise UserError(
                f"{config.table}: {own['IID'][own['IID'].duplicated()].iloc[0]} stands twice; a row a person"
            )
        if not rows["IID"].isin(own["IID"]).any():
            raise UserError(
                f"{config.table}: it has nobody who takes part: its IIDs look like {own['IID'].iloc[0]!r}, those of"
                f" samples like {rows['IID'].iloc[0]!r}"
            )
        known = own.set_index("IID")[others].reindex(rows["IID"])
        for name in others:
            table[name] = without_codes(
                known[name], config.missing_codes, where=f"{config.table}: column {name!r}",
                key="discover.people.missing_codes",
            ).to_numpy()  # fmt: skip
    return design(table, config.covariates, categorical=config.categorical), list(config.covariates)


def _measured(names: Sequence[str], path: Path | None, traits: pd.DataFrame) -> pd.DataFrame:
    """Measurements of the people with features, by id, as normal scores."""
    if path is None:
        return pd.DataFrame(index=traits.index)
    table = pd.read_parquet(path).set_index("patient_id")
    if unknown := [name for name in names if name not in table]:
        numbers = ", ".join(map(str, table.select_dtypes("number")))
        raise UserError(f"discover.people.measured: {path} has no {unknown[0]!r}; it has {numbers}")
    table = table[list(names)].reindex(traits.index)
    return table.apply(lambda column: rank_inverse_normal(column.to_numpy(float)))


def _write(path: Path, table: pd.DataFrame) -> None:
    with atomic(path) as temporary:
        table.to_csv(temporary, sep="\t", index=False, na_rep="NA", float_format="%.9g", lineterminator="\n")
