"""Cohorts of a test: a source that is only tested is evaluated by itself, as external validation.

Pooled with the test records of the sources that a model was trained on, its patients would give one number that holds
of neither: how a model does at home and how it does elsewhere are two questions.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

#: Stands in `predictions.parquet` for the split of test records that are evaluated by their source.
EXTERNAL = "external"


def cohort_splits(records: pd.DataFrame, tested_only: Sequence[str]) -> pd.Series:
    """Split of each record in `predictions.parquet`: `valid`, `test`, or `external`.

    Parameters
    ----------
    records : DataFrame
        `source` and `split`, of validation and test records.
    tested_only : sequence of str
        Sources all of whose records are in `test`.

    Returns
    -------
    Series of str
        `external` for test records of those sources. Where no other test record is left, the first of those sources by
        name is the `test`.
    """
    on_test = records["split"] == "test"
    external = on_test & records["source"].isin(list(tested_only))
    if external.any() and external.sum() == on_test.sum():
        external &= records["source"] != records.loc[external, "source"].min()
    return records["split"].mask(external, EXTERNAL)


def external_cohorts(predictions: pd.DataFrame, sources: pd.Series) -> dict[str, pd.DataFrame]:
    """Predictions of each external source: its records as the test split, with the validation split of the task.

    Parameters
    ----------
    predictions : DataFrame
        `predictions.parquet`.
    sources : Series of str
        Source of each of its rows.
    """
    external, valid = predictions["split"] == EXTERNAL, predictions["split"] == "valid"
    return {
        str(source): predictions[valid | (external & (sources == source))].replace({"split": {EXTERNAL: "test"}})
        for source in sorted(sources[external].unique())
    }
