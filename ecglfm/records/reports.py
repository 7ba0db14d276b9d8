"""Reports of recordings, as the indexes have them: which recordings have one, and which have the same."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from ecglfm.config import UserError


def normalized(text: str) -> str:
    """A text as it counts: Unicode's compatibility forms, no upper case, one blank between words; `` of blanks."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


class Reports(NamedTuple):
    """Distinct texts, and who has which.

    Attributes
    ----------
    texts : list of str
        Normalised, each once, in the order of the alphabet.
    rows : ndarray of int64, shape (records,)
        Text of each record; -1 where it has none, or none that may be read.
    """

    texts: list[str]
    rows: np.ndarray


def read_reports(records: pd.DataFrame, index: Path, splits: Sequence[str]) -> Reports:
    """Reports of the records of some splits; those of others are not even read.

    Parameters
    ----------
    records : DataFrame
        Rows of the manifest.
    index : path
        Folder of `{source}.parquet`.
    splits : sequence of str
        E.g. train and valid.

    Raises
    ------
    UserError
        The index of a source is missing.
    """
    wanted = records.loc[records["split"].isin(list(splits)), ["record_id", "source"]]
    said: dict[str, str] = {}
    for source, own in wanted.groupby("source", sort=True):
        path = index / f"{source}.parquet"
        if not path.is_file():
            raise UserError(f"{path}: no such file, in which the reports are; run the stage `index`, or say --index")
        only = [("record_id", "in", set(own["record_id"]))]
        table = pd.read_parquet(path, columns=["record_id", "report"], filters=only)
        table = table[table["report"].notna()]
        said |= dict(zip(table["record_id"], map(normalized, table["report"].astype(str)), strict=True))
    texts = sorted({text for text in said.values() if text})
    place = {text: row for row, text in enumerate(texts)}
    rows = [place.get(said.get(record, ""), -1) for record in records["record_id"]]
    return Reports(texts, np.array(rows, np.int64))
