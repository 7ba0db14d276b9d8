"""The labelled records a fit may see.

The test split is locked (design, decision 11): its rows are filtered out while the tables are read, so
that nothing here could look at them. Of a cross-validation that is the fit's own fold; the next fold is its validation
split, and all others are among its training records.
"""

from __future__ import annotations

from bisect import bisect_left
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from pyarrow.parquet import read_schema

from ecglfm.config import UserError
from ecglfm.config.fits import Fit
from ecglfm.data.samples import LOCATION, SAMPLED, ConvertedSignals, Signals, check_samples
from ecglfm.provenance import hash_fraction, sha256_frame, sha256_json
from ecglfm.records import data_hash, places, read_folds, require_columns
from ecglfm.training.finetuning.targets import Numbers, check_targets, read_targets, targets_of

#: Validation patients that the smallest share keeps: fewer could not tell one epoch from another.
LEAST_VALID = 10


class Labelled(NamedTuple):
    """Records of the training and validation splits with their labels.

    Attributes
    ----------
    records : DataFrame
        Rows of the manifest, in the order of `record_id`.
    target : ndarray of float32, shape (records, labels)
        As `read_targets` gives it; NaN where unknown.
    label_names : list of str
        Columns of `target`.
    train, valid : ndarray of int
        Rows of each split that the fit has.
    signals : Signals or ConvertedSignals
        Samples of the same rows.
    kind : str
        Of the task.
    all_train : ndarray of int
        Rows of the training split, whatever share of them the fit has: an epoch has as many places.
    """

    records: pd.DataFrame
    target: np.ndarray
    label_names: list[str]
    train: np.ndarray
    valid: np.ndarray
    signals: Signals | ConvertedSignals
    kind: str
    all_train: np.ndarray

    @property
    def train_patients(self) -> int:
        """Number of patients to learn from."""
        return int(self.records["patient_id"].iloc[self.train].nunique())

    @property
    def valid_patients(self) -> int:
        """Number of patients by whom epoch and thresholds are chosen."""
        return int(self.records["patient_id"].iloc[self.valid].nunique())

    def hash(self) -> str:
        """SHA-256 of the records and labels that the fit sees."""
        return hash_of_fit(self.records, self.target, self.label_names)


def hash_of_fit(records: pd.DataFrame, target: np.ndarray, names: list[str]) -> str:
    """SHA-256 of records (rows of the manifest) and their labels (records, labels), as `model.json` has it."""
    table = pd.DataFrame(target, columns=names)
    return sha256_json({"records": data_hash(records), "labels": sha256_frame(table, names)})


def load_labelled(labels: Path, manifest: Path, signals: Path, kind: str, fit: Fit) -> Labelled:
    """Read the train and valid records of a task.

    Parameters
    ----------
    labels, manifest : path
        `labels/{task}.parquet` and `manifest/records.parquet`.
    signals : path
        Folder of the preprocessed shards.
    kind : str
        Of the task.
    fit : Fit
        Its `fold` and `folds` count.

    Raises
    ------
    UserError
        The fit is of a fold and the task is not cross-validated, or the other way round. A split is empty, a
        label has nothing to learn from, or the files do not belong together: samples that are not those of the manifest
        are found by their SHA-256.
    """
    table = _read(labels, ["record_id", "split"], fit)
    _check_folds(table, labels, manifest, fit)
    table = table.sort_values("record_id", ignore_index=True)
    records = _read(manifest, [*LOCATION, "sha256"], fit)
    records = records.set_index("record_id", drop=False).reindex(table["record_id"])
    stale = places(records).to_numpy() != places(table).to_numpy()
    if stale.any():
        raise UserError(
            f"{labels}: {table['record_id'][stale.argmax()]} has another split in {manifest}; make the labels again"
        )
    records = _as_splits(records.reset_index(drop=True), fit)
    assert set(records["split"]) <= {"train", "valid"}, "the test split is locked"
    rows = {split: np.flatnonzero(records["split"] == split) for split in ("train", "valid")}
    for split, found in rows.items():
        if not len(found):
            raise UserError(
                f"{labels}: no record in the {split} split; fine-tuning needs train and valid: "
                "see `manifest` (fractions, folds) in config.yaml and the task's own ledger"
            )
    target, names = read_targets(table, kind, labels)
    check_targets(target, names, rows, kind, labels)
    check_samples(records, signals, at_most=SAMPLED)
    own = Signals(records, signals)
    return Labelled(records, target, names, rows["train"], rows["valid"], own, kind, rows["train"])


def share_of_patients(data: Labelled, fraction: float, seed: int) -> Labelled:
    """The same with a share of the training patients, at least one, and of those of validation, at least `LEAST_VALID`.

    Whoever has few labels has few to choose an epoch and thresholds by. A seeded hash puts the patients in an order, so
    that a larger share of one seed holds every smaller one. Where the first training patients would lack what a label
    cannot be learnt without, a positive or a negative record, the first patient who has it comes before those who
    are not `needed`; a share that lacks nothing is as the hash has it. Those of validation stay as they are: loss,
    thresholds and temperature want labels as frequent as they are.

    Parameters
    ----------
    data : Labelled
    fraction : float
        Above 0 and up to 1.
    seed : int
    """
    rows = {}
    for split, least in (("train", 1), ("valid", LEAST_VALID)):
        own = getattr(data, split)
        patients = data.records["patient_id"].iloc[own]
        order = sorted(patients.unique(), key=lambda patient: hash_fraction(f"share of {patient}", seed))
        if split == "train":
            place = patients.map({patient: at for at, patient in enumerate(order)}).to_numpy()
            first = needed(targets_of(data.kind), data.target[own], place)
            order = [order[at] for at in first] + [patient for at, patient in enumerate(order) if at not in first]
        chosen = order[: max(least, round(fraction * len(order)))]
        rows[split] = own[patients.isin(chosen).to_numpy()]
    return data._replace(**rows)


def needed(rule: Numbers, target: np.ndarray, place: np.ndarray) -> list[int]:
    """Patients from whom all labels can be learnt: of each label the first in their order.

    When patients are taken one after the other, these are among them as soon as no label lacks anything.

    Parameters
    ----------
    rule : Numbers
        Of the kind of task: what a label lacks.
    target : ndarray, shape (records, labels)
        A label that lacks something in all of it needs nobody.
    place : ndarray of int, shape (records,)
        Place of each record's patient in the order, from 0 without gaps.

    Returns
    -------
    list of int
        Places, ascending.
    """
    order, patients = np.argsort(place, kind="stable"), int(place.max()) + 1
    ends = np.searchsorted(place[order], np.arange(patients + 1))  # records of a patient: ends[at] to ends[at + 1]
    found: set[int] = set()
    for column in target[order].T:
        found |= set(_needed_of(rule, column, ends))
    return sorted(found)


def _needed_of(rule: Numbers, column: np.ndarray, ends: np.ndarray) -> list[int]:
    """Those of one label: who completes it, and whom it needs beside (a positive, and the first negative)."""
    found: list[int] = []

    def enough(last: int) -> bool:
        """Whether it can be learnt from those found, and from all patients up to one."""
        own = [column[ends[at] : ends[at + 1]] for at in found]
        return rule.lacks(np.concatenate([column[: ends[last + 1]], *own])) is None

    final = len(ends) - 2
    while enough(final) and not enough(-1):
        found.append(bisect_left(range(final), True, key=enough))
    return found


def _read(path: Path, required: list[str], fit: Fit) -> pd.DataFrame:
    """Rows of the train and valid splits only, and of the folds that the fit is not tested on."""
    if not path.exists():
        raise UserError(f"{path}: no such file; make it with the stage before")
    names = read_schema(path).names
    require_columns(pd.DataFrame(columns=names), required, str(path))
    wanted: list[list[tuple[str, str, list[str] | list[int]]]] = [[("split", "in", ["train", "valid"])]]
    if "fold" in names and fit.folds is not None:
        wanted.append([("fold", "in", [fold for fold in range(fit.folds) if fold != fit.fold])])
    return pd.read_parquet(path, filters=wanted)


def _check_folds(table: pd.DataFrame, labels: Path, manifest: Path, fit: Fit) -> None:
    """Raise `UserError` where the fit is of a fold that the task does not have, or of none and the task has some."""
    dealt = read_folds(manifest) if "fold" in table else {}
    if fit.folds not in (dealt.values() if dealt else [None]):
        found = f"in {max(dealt.values())} folds" if dealt else "not cross-validated"
        name = f"full-s0-f0of{max(dealt.values())}" if dealt else "full-s0"
        raise UserError(f"--fit {fit.name}: the records of {labels} are {found}; the name of a fit is like {name}")


def _as_splits(records: pd.DataFrame, fit: Fit) -> pd.DataFrame:
    """Records with the split that each of a cross-validation is in for this fit, and without folds."""
    if "fold" not in records:
        return records
    fold = records["fold"].fillna(-1).to_numpy(np.int64)
    assert fit.fold is None or not (fold == fit.fold).any(), "the fold of the test is locked"
    split = records["split"].mask(fold >= 0, "train").mask((fold >= 0) & (fold == fit.chosen_by), "valid")
    return records.assign(split=split).drop(columns="fold")
