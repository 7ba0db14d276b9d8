"""Which fold of a cross-validation a patient is in: every label has its share of each fold.

Patients whom duplicate recordings link are one unit: a model that learned from one of them has seen the other. Each
fold is tested by a model that learns from the others, so a patient who is cross-validated and has recordings in another
source too, or whom duplicates link to one there, is lost to that source: its records of theirs go into no split.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import pandas as pd

from ecglfm.config import UserError
from ecglfm.config.wording import counted
from ecglfm.data.manifest.duplicates import Clusters
from ecglfm.data.manifest.stratify import stratify
from ecglfm.data.tables import TableReader
from ecglfm.records import ledger_frame, places


class CrossValidation(NamedTuple):
    """Records with their folds.

    Attributes
    ----------
    records : TableReader
        With a column `fold`, null where a record is not cross-validated.
    pairs : list of {a, b, correlation, crosses}
        `crosses` where the cluster of the two is in more than one split or fold.
    ledger : DataFrame
        A row `moved` per record of another source that was taken out of its split.
    """

    records: TableReader
    pairs: list[dict[str, Any]]
    ledger: pd.DataFrame


def cross_validate(
    records: TableReader,
    pairs: list[dict[str, Any]],
    carried: Iterable[pd.DataFrame],
    *,
    sources: Mapping[str, int],
    seed: int,
    apart: bool,
) -> CrossValidation:
    """Deal the patients of some sources out to folds, and keep all other records apart from them.

    Parameters
    ----------
    records : TableReader
        `record_id`, `source`, `patient_id`, `split`.
    pairs : list of {a, b, correlation, crosses}
        Of duplicates, as `duplicates.duplicate_pairs` finds them.
    carried : iterable of DataFrame
        `patient_id` of records of these sources, and a bool column per label that every fold gets its share of.
    sources : mapping
        Number of folds of each source, the same for all.
    seed : int
        As `deal_folds`.
    apart : bool
        Take records of other sources whom duplicates link to a cross-validated patient out of their split; else such
        pairs cross, which fails the audit. Records of the same patient are always taken out.

    Raises
    ------
    UserError
        There are fewer patients than folds.
    """
    clusters, k = Clusters(records, pairs), min(sources.values())
    table = _patients(records, carried, list(sources))
    units = len(
        {clusters.of_patient(patient) if clusters.of_patient(patient) >= 0 else patient for patient in table.index}
    )
    if units < k:
        raise UserError(
            f"config.yaml: manifest.folds: k: {k}, but {', '.join(sources)} have {counted(units, 'patient')} (whom"
            " duplicate recordings link are one); write a smaller k, or take the source out of `folds`"
        )
    folds = deal_folds(table, clusters.numbers, k=k, seed=seed)
    held = {clusters.of_patient(patient): fold for patient, fold in folds.items()} if apart else {}
    elsewhere = {patient: held[number] for patient, number in clusters.numbers.items() if number in held} | folds
    placed = _with_folds(records, set(sources), folds, elsewhere)
    clusters = Clusters(_as_places(placed), pairs)
    crossing = [pair | {"crosses": len(clusters.splits(pair["a"])) > 1} for pair in pairs]
    return CrossValidation(placed, crossing, _ledger(records, set(sources), folds, elsewhere))


def _patients(records: TableReader, carried: Iterable[pd.DataFrame], sources: list[str]) -> pd.DataFrame:
    """A row per patient of these sources: which of several sources, and which labels are theirs."""
    of_source = [
        pd.crosstab(own["patient_id"], own["source"]) > 0
        for piece in records(["patient_id", "source"])
        if len(own := piece[piece["source"].isin(sources)])
    ]
    whole = pd.concat([pd.DataFrame(columns=sources, dtype=bool), *of_source]).fillna(False).astype(bool)
    whole = whole.groupby(level=0).any()
    if len(sources) == 1:
        whole = whole[[]]
    labels = [piece.groupby("patient_id").any() for piece in carried]
    if labels:
        found = pd.concat(labels).fillna(False).astype(bool).groupby(level=0).any()
        whole = whole.join(found).fillna(False).astype(bool)
    return whole


def _with_folds(
    pieces: TableReader, sources: set[str], folds: Mapping[str, int], elsewhere: Mapping[str, int]
) -> TableReader:
    """Records with their `fold`; those of other sources' linked patients are in no split."""

    def read(columns: list[str]) -> Iterator[pd.DataFrame]:
        asked = [column for column in columns if column != "fold"]
        for piece in pieces(list(dict.fromkeys([*asked, "patient_id", "source", "split"]))):
            own = piece["source"].isin(sources)
            fold = piece["patient_id"].map(folds).where(own).astype("Int8")
            split = piece["split"].mask(~own & piece["patient_id"].isin(list(elsewhere)))
            yield piece.assign(split=split.astype("str"), fold=fold)[columns]

    return read


def _as_places(pieces: TableReader) -> TableReader:
    """Records whose `split` is the fold where they have one."""

    def read(columns: list[str]) -> Iterator[pd.DataFrame]:
        for piece in pieces([*columns, "fold"]):
            yield piece.assign(split=places(piece))[columns] if "split" in columns else piece[columns]

    return read


def _ledger(
    records: TableReader, sources: set[str], folds: Mapping[str, int], elsewhere: Mapping[str, int]
) -> pd.DataFrame:
    """A row per record that loses its split."""
    rows = []
    for piece in records(["source", "record_id", "patient_id", "split"]):
        lost = piece[
            ~piece["source"].isin(sources) & piece["patient_id"].isin(list(elsewhere)) & piece["split"].notna()
        ]
        for source, record, patient, split in lost.itertuples(index=False):
            who = "its patient" if patient in folds else f"a patient whom duplicate recordings link to {patient}"
            rows.append(
                {"source": source, "record_id": record, "stage": "manifest", "action": "moved",
                 "reason": "cross_validated_elsewhere",
                 "detail": f"from {split} to no split: {who} is in fold {elsewhere[patient]} of the cross-"
                 f"validation of {', '.join(sorted(sources))}"}
            )  # fmt: skip
    return ledger_frame(rows)


def deal_folds(carried: pd.DataFrame, clusters: Mapping[str, int], *, k: int, seed: int) -> dict[str, int]:
    """Fold of each patient.

    Parameters
    ----------
    carried : DataFrame of bool
        A row per patient, whose id is the index, and a column per label; without columns folds are of one size.
    clusters : mapping
        Patient: number of the cluster of duplicates; a patient who is in none may be absent or -1.
    k : int
        Number of folds, at least 3: one to test on, one to choose epoch and thresholds by, one to learn from.
    seed : int
        Of the hash that decides in which order they are dealt out.

    Returns
    -------
    dict
        Patient: fold, from 0 to `k - 1`.
    """
    assert k >= 3, "a fold to test on, one to choose by, one to learn from"
    first: dict[int, str] = {}  # a cluster is called by the first id in it, so that its number does not matter
    for patient in sorted(clusters):
        first.setdefault(clusters[patient], patient)
    units = [
        patient if clusters.get(patient, -1) < 0 else first[clusters[patient]] for patient in map(str, carried.index)
    ]
    whole = carried.groupby(units).any()
    shares = {str(fold): 1 / k for fold in range(k)}
    dealt = stratify(whole.to_numpy(bool), list(whole.index), shares=shares, seed=seed)
    fold_of = dict(zip(whole.index, map(int, dealt), strict=True))
    return {patient: fold_of[unit] for patient, unit in zip(carried.index, units, strict=True)}
