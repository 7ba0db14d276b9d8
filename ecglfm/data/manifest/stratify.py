"""Splits of patients in which every label has its share of each split (`manifest.stratify`).

The hash gives each split its share of the patients, but of the ten who have a rare disease none may be in valid. Here
the rarest label is dealt out first, patient by patient, each to the split that lacks most of it: iterative
stratification (Sechidis, Tsoumakas and Vlahavas, On the stratification of multi-label data, 2011), with a seeded hash
instead of chance, so that neither the order of files nor that of records matters.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from ecglfm.config import ManifestConfig, TaskSlice
from ecglfm.config.project import check_label_sources
from ecglfm.config.sources import PatientIds
from ecglfm.data.labels import AS_WRITTEN, SourceTargets, left_out, target_columns
from ecglfm.provenance import hash_fraction
from ecglfm.sources.base import patient_ids

#: With fewer patients chance decides what each split gets of a rare label: 1 % of 3000 in a tenth is 3, +- 1.7.
FEW_PATIENTS = 3000
_DIGITS = 9  # what is lacking is a sum of shares: rounding must not decide


class SourceLabels:
    """Which labels of some tasks the rows of a source's index carry.

    Parameters
    ----------
    slices : sequence of TaskSlice
    source : str
    offered : list of str
        Columns of the source's index.
    ids, index
        As `patient_ids` and `index` of `SourceTargets`.

    Attributes
    ----------
    columns : list of str
        Columns of the index that are read.
    names : list of str
        Columns of `of`: `{task}.{label}` of the tasks that have the source.

    Raises
    ------
    UserError
        A selector names what is not there.
    """

    def __init__(
        self,
        slices: Sequence[TaskSlice],
        source: str,
        offered: list[str],
        ids: PatientIds = AS_WRITTEN,
        index: Path | None = None,
    ) -> None:
        own = [slice_ for slice_ in slices if source in slice_.kinds]
        self._targets = [SourceTargets(slice_, source, offered, ids, index) for slice_ in own]
        self.columns = sorted({column for targets in self._targets for column in targets.columns})
        self.names = [f"{slice_.task}.{label}" for slice_ in own for label in slice_.config.labels]

    def of(self, index: pd.DataFrame) -> pd.DataFrame:
        """Whether rows of the index carry each label (of survival: had the event) and the task takes them."""
        carried = []
        for targets in self._targets:
            labels = targets.of(index[targets.columns])
            used = left_out(labels.assign(split="train"), targets.slice).isna().to_numpy()
            columns = [target_columns(targets.slice, label)[-1] for label in targets.slice.config.labels]
            carried.append((labels[columns] == 1).to_numpy() & used[:, None])
        table = np.concatenate(carried, axis=1) if carried else np.empty((len(index), 0), bool)
        return pd.DataFrame(table, columns=self.names, index=index.index)


def open_labels(slices: Sequence[TaskSlice], source: str, offered: list[str], index: Path) -> SourceLabels:
    """`SourceLabels` of tasks whose selectors were looked through; raises `UserError` as `check_label_sources` does."""
    for slice_ in slices:
        check_label_sources(slice_.config, slice_.kinds, f"task {slice_.task!r}")
    return SourceLabels(slices, source, offered, patient_ids(index), index)


def stratified_splits(carried: Mapping[str, Iterator[pd.DataFrame]], config: ManifestConfig) -> dict[str, str]:
    """Split of each patient.

    The patients of one source are dealt out among themselves, so that another source moves none of them; those whose
    id belongs to another of these sources (the Challenge's copies of PTB-XL) are dealt out with its own.

    Parameters
    ----------
    carried : mapping
        By source: records in pieces, `patient_id` and a bool column for each label.
    config : ManifestConfig
        Shares and seed.
    """
    cohorts: dict[str, list[pd.DataFrame]] = defaultdict(list)
    for source, pieces in carried.items():
        for piece in pieces:
            patients = piece.groupby("patient_id").any()
            homes = patients.index.str.partition("/").get_level_values(0)
            for home, part in patients.groupby(np.where(homes.isin(list(carried)), homes, source)):
                cohorts[str(home)].append(part)
    splits: dict[str, str] = {}
    for source, parts in sorted(cohorts.items()):
        whole = pd.concat(parts).fillna(False).astype(bool).groupby(level=0).any()
        dealt = stratify(whole.to_numpy(), list(whole.index), shares=config.shares(source), seed=config.seed)
        splits |= dict(zip(whole.index, dealt, strict=True))
    return splits


def stratify(labels: np.ndarray, keys: Sequence[str], *, shares: Mapping[str, float], seed: int) -> list[str]:
    """Deal patients out to splits, those of the rarest label first.

    Parameters
    ----------
    labels : ndarray of bool, shape (patients, labels)
    keys : sequence of str
        Ids of the patients; their order does not matter.
    shares : mapping
        Share of each split; they sum to 1. A split with the share 0 gets nobody. Where two lack as much the later one
        is served first: test before valid before train.
    seed : int
        Of the hash that decides in which order patients are dealt out.

    Returns
    -------
    list of str
        Split of each patient.
    """
    splits = [split for split in reversed(list(shares)) if shares[split] > 0]
    share = np.array([shares[split] for split in splits])
    order = np.array(sorted(range(len(keys)), key=lambda row: (hash_fraction(keys[row], seed), keys[row])), np.int64)
    carried = labels[order].astype(np.int64)
    left = carried.sum(axis=0)
    lacking = share[:, None] * left  # (splits, labels)
    room = share * len(order)
    dealt = np.full(len(order), -1)

    def deal(row: int, wants: np.ndarray) -> None:
        """To the split that wants most; of equals to the emptiest."""
        most = max(
            range(len(splits)), key=lambda at: (round(float(wants[at]), _DIGITS), round(float(room[at]), _DIGITS), -at)
        )
        dealt[row] = most
        lacking[most] -= carried[row]
        room[most] -= 1
        left[:] -= carried[row]

    while left.any():
        rarest = int(np.where(left > 0, left, len(order) + 1).argmin())
        for row in np.flatnonzero((dealt < 0) & (carried[:, rarest] > 0)):
            deal(int(row), lacking[:, rarest])
    for row in np.flatnonzero(dealt < 0):
        deal(int(row), room)
    out = np.empty(len(order), object)
    out[order] = [splits[at] for at in dealt]
    return list(out)
