"""Which split a record is in: by a seeded hash of its patient, by what its database says, or by labels (`stratify`).

A patient's hash depends on the seed and the patient alone, so that records that are added later never move
the ones that are there. Patients of two sources are two patients: their ids begin with the source.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import pandas as pd

from ecglfm.config import FoldsConfig, ManifestConfig, UserError
from ecglfm.config.text import as_text
from ecglfm.data.columns import find_column
from ecglfm.provenance import hash_fraction
from ecglfm.records import SPLITS

logger = logging.getLogger(__name__)


def hash_split(key: str, *, seed: int, valid_fraction: float, test_fraction: float) -> str:
    """Split of a patient (or record): test below `test_fraction`, valid in the next `valid_fraction`, else train."""
    fraction = hash_fraction(key, seed)
    if fraction < test_fraction:
        return "test"
    return "valid" if fraction < test_fraction + valid_fraction else "train"


def fold_column(columns: list[str], source: str, folds: FoldsConfig) -> str:
    """Column of a source's index that `manifest.folds` means.

    Raises
    ------
    UserError
        There is no such column; near names are listed.
    """
    if folds.column is None:
        return "fold"
    return find_column(columns, folds.column, f"config.yaml: manifest.folds.{source}.column")


def splits_of_folds(values: pd.Series, source: str, folds: FoldsConfig) -> dict[Any, str | None]:
    """Split of each fold, None where it is in none of the lists, from all that there are; raises as `assign_splits`."""
    if values.isna().all():
        what = "folds of its own" if folds.column is None else f"values in column {folds.column!r}"
        raise UserError(
            f"config.yaml: manifest.folds.{source}: source {source!r} has no {what}; "
            "remove this key to split it by the seeded hash of the patient"
        )
    by_fold = {as_text(fold): split for split in SPLITS for fold in getattr(folds, split)}
    texts = {value: as_text(value) for value in values.dropna().unique()}
    absent = sorted(str(fold) for fold in set(by_fold) - set(texts.values()))
    if absent:
        logger.warning("manifest.folds.%s: no record has fold %s", source, ", ".join(absent))
    return {value: by_fold.get(text) for value, text in texts.items()}


def assign_splits(
    index: pd.DataFrame,
    source: str,
    config: ManifestConfig,
    of_folds: Mapping[Any, str | None] | None = None,
    of_patients: Mapping[str, str] | None = None,
) -> pd.Series:
    """Split of records of one source.

    Parameters
    ----------
    index : DataFrame
        Index table of the source: `record_id`, `patient_id`, `fold` or the column that `config.folds` names.
    source : str
    config : ManifestConfig
    of_folds : mapping, optional
        As `splits_of_folds`; by default from the folds in `index`, which then must be the whole table.
    of_patients : mapping, optional
        As `stratified_splits`; by default the hash decides.

    Returns
    -------
    Series of str
        `train`, `valid`, `test` or null, on the rows of `index`; of a cross-validated source all are `test`.

    Raises
    ------
    UserError
        Folds are asked of a source that has none.
    """
    if source in config.cross_validated:
        return pd.Series("test", index=index.index, dtype="str")
    if source in config.folds:
        values = index[fold_column(list(index.columns), source, config.folds[source])]
        if of_folds is None:
            of_folds = splits_of_folds(values, source, config.folds[source])
        return values.map(of_folds).astype("str")
    if of_patients is not None:
        return index["patient_id"].map(of_patients).astype("str")
    valid, test = (config.shares(source)[split] for split in ("valid", "test"))
    keys = index["patient_id"] if config.group_by == "patient" else index["record_id"]
    codes, unique = pd.factorize(keys)
    splits = [hash_split(key, seed=config.seed, valid_fraction=valid, test_fraction=test) for key in unique]
    return pd.Series(pd.array(splits, dtype="str").take(codes), index=index.index)
