"""Patients whom a split by a column, as by years, would tear: all they have in the last of their splits counts.

A patient with recordings of training years and of a test year is a test patient: who is tested was never trained on,
and what is tested is of the test years alone. So recordings of theirs in an earlier split go into none.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

import numpy as np
import pandas as pd
import pyarrow as pa

from ecglfm.data.manifest.ledger import SortedLedger
from ecglfm.data.tables import TableReader
from ecglfm.records import SPLITS, ledger_frame
from ecglfm.sources.tables import Sorter, merge_join


def keep_whole(records: TableReader, sources: Collection[str], ledger: SortedLedger) -> TableReader:
    """Give patients of some sources one split each, the last of train, valid and test that a record of theirs is in.

    Parameters
    ----------
    records : TableReader
        `record_id`, `source`, `patient_id`, `split`. Of its patients only those in several splits are held.
    sources : collection of str
        Sources whose patients are meant.
    ledger : SortedLedger
        Gets a row `moved` per record that loses its split.

    Returns
    -------
    TableReader
        The same records; those of other splits than their patient's are in none.
    """
    last = _last_splits(records, sources)
    if not last:
        return records
    for piece in records(["source", "record_id", "patient_id", "split"]):
        lost = piece[_loses(piece, sources, last)]
        about = {"stage": "manifest", "action": "moved", "reason": "in_a_later_split"}
        told = [
            {"source": source, "record_id": record, **about,
             "detail": f"from {split} to no split: its patient has recordings in {last[patient]}"}
            for source, record, patient, split in lost.itertuples(index=False)
        ]  # fmt: skip
        ledger.add(ledger_frame(told))

    def read(columns: list[str]) -> Iterator[pd.DataFrame]:
        for piece in records(list(dict.fromkeys([*columns, "source", "patient_id", "split"]))):
            split = piece["split"].mask(_loses(piece, sources, last))
            yield piece.assign(split=split.astype("str"))[columns]

    return read


def _loses(piece: pd.DataFrame, sources: Collection[str], last: dict[str, str]) -> pd.Series:
    """Rows in another split than their patient's."""
    own = piece["patient_id"].map(last).where(piece["source"].isin(list(sources)))
    return own.notna() & piece["split"].notna() & (own != piece["split"])


def _last_splits(records: TableReader, sources: Collection[str]) -> dict[str, str]:
    """Last split of each patient with records in several."""
    sorter, order = Sorter("patient_id"), {split: number for number, split in enumerate(SPLITS)}
    for piece in records(["source", "patient_id", "split"]):
        own = piece[piece["source"].isin(list(sources)) & piece["split"].notna()]
        own = own[["patient_id", "split"]].drop_duplicates()
        places = own["split"].map(order).to_numpy(np.int8)
        sorter.add(pa.table({"patient_id": pa.array(own["patient_id"], pa.large_string()), "place": places}))
    torn: dict[str, str] = {}
    for (table,) in merge_join([sorter.tables()], "patient_id") if len(sorter) else ():
        places = table.to_pandas().groupby("patient_id")["place"]
        ends = pd.DataFrame({"first": places.min(), "last": places.max()})
        ends = ends[ends["first"] < ends["last"]]
        torn |= {str(patient): SPLITS[place] for patient, place in ends["last"].items()}
    return torn
