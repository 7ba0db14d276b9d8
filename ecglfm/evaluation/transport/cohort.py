"""Records of a new cohort: those that a clinic would label to adapt a model, and those that it is tested on."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd

from ecglfm.config import UserError
from ecglfm.config.kinds import KINDS, TaskKind
from ecglfm.provenance import hash_fraction
from ecglfm.records import require_columns

logger = logging.getLogger(__name__)


def cohort_records(
    labels: pd.DataFrame,
    records: pd.DataFrame,
    names: Sequence[str],
    sources: Sequence[str] | None,
    where: Path,
    *,
    kind: TaskKind = KINDS["multilabel"],
) -> pd.DataFrame:
    """Records of a cohort with their labels, whatever split a project has put them in, by record.

    Parameters
    ----------
    labels : DataFrame
        `labels/{task}.parquet`.
    records : DataFrame
        `manifest/records.parquet`.
    names : sequence of str
        What the model predicts; a label that the task has not is unknown (NaN) of every record.
    sources : sequence of str or None
        None: all of the task's.
    where : path
        File of the labels, for messages.
    kind : TaskKind
        Of the model.

    Raises
    ------
    UserError
        The task has none of the labels, no record is left, or the labels are of another manifest.
    """
    require_columns(labels, ["record_id", "source"], str(where))
    columns = {name: kind.label_columns(name) for name in names if set(kind.label_columns(name)) <= set(labels)}
    if not columns:
        raise UserError(f"{where}: has none of the labels that the model predicts: {', '.join(names)}")
    if lacking := [name for name in names if name not in columns]:
        logger.warning("%s: the task has no label %s: the model is not measured on it", where, ", ".join(lacking))
    wanted = labels if sources is None else labels[labels["source"].isin(list(sources))]
    joined = records.merge(
        wanted[["record_id", *chain.from_iterable(columns.values())]], on="record_id", validate="one_to_one"
    )
    if not len(wanted):
        raise UserError(f"{where}: no record of {', '.join(sources or ['any source'])} is in it")
    if len(joined) < len(wanted):
        missing = len(wanted) - len(joined)
        raise UserError(f"{where}: {missing} of its records are not in the manifest; make the labels again")
    lacks = chain.from_iterable(kind.label_columns(name) for name in names if name not in columns)
    absent = dict.fromkeys(lacks, np.float32(np.nan))
    return joined.assign(split="test", **absent).sort_values("record_id", ignore_index=True)


def draw_local(patients: np.ndarray, sizes: Sequence[int], seed: int) -> dict[int, np.ndarray]:
    """Records that stand for those labelled on the spot: all of some patients, the smaller set within the larger.

    Parameters
    ----------
    patients : ndarray of str, shape (n,)
        Patient of each record.
    sizes : sequence of int
        Numbers of records; a set has as many whole patients, in the order of a seeded hash, as fit into its number.
    seed : int

    Returns
    -------
    dict
        By size, bool (n,), smallest first; without sizes above half of the records, and sets without a record.
    """
    names, of, counts = np.unique(patients.astype(str), return_inverse=True, return_counts=True)
    order = sorted(range(len(names)), key=lambda patient: hash_fraction(f"local {names[patient]}", seed))
    total = np.cumsum(counts[order])
    drawn = {}
    for size in sorted(set(sizes)):
        fitting = order[: int((total <= size).sum())]
        if fitting and 2 * size <= len(patients):
            drawn[size] = np.isin(of, fitting)
        else:
            logger.warning("%d local records are not looked at: the cohort has %d", size, len(patients))
    return drawn
