"""EchoNext (Columbia; physionet.org/content/echonext): 100,000 ECGs with what an echocardiogram found; restricted.

Table: `echonext_metadata_100k.csv`, a row per ECG with `split` and twelve flags of structural heart disease, 1 or 0.
`EchoNext_{split}_waveforms.npy` holds (n, 1, 2500, 12) at 250 Hz in the order of `FILE_LEADS`; its rows are those rows
of the table that have this split, in their order. Neither says so: others read it in this way, and where the two are
not equally many nothing is read. A split without a file costs its recordings, each with a row in the ledger.

The arrays are no voltages. The authors took off the baseline by median filters, cut each lead at fixed bounds and
standardised it with `MEAN` and `DEVIATION`, in steps of a GE MUSE recorder, which they publish with their model. This
is undone here, so that leads are in mV and stand to each other as they did; what was cut stays cut.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from ecglfm.config import LEADS, UserError
from ecglfm.config.wording import counted
from ecglfm.records import Record, RecordError
from ecglfm.sources.arrays import Array, read_npy_header, read_numbers
from ecglfm.sources.base import Source, unique
from ecglfm.sources.tables import (
    ORDER,
    Sorter,
    fail_at,
    filled_column,
    identifiers,
    parse_column,
    parse_sex,
    read_pieces,
    to_frame,
    to_table,
    years_column,
)

SAMPLING_RATE = 250.0  # Hz
FILE_LEADS = LEADS
SHAPE = (1, 2500, len(FILE_LEADS))
#: One step of a MUSE recorder, mV; standardised leads are in deviations of so many steps.
STEP = 0.00488
#: Of each lead, in steps: `waveform_normalization_params.json` of the authors' EchoNext Minimodel.
MEAN = np.array([
    5.438902932045533, 4.386144027595723, -0.8828521117626768, -4.901228423594343, 3.179303315626078,
    1.718962497412901, -4.3853678923766815, -1.4991789389444636, -0.2390101635046568, 3.622168549154881,
    5.396823627457744, 5.660982479475681,
])  # fmt: skip
DEVIATION = np.array([
    32.4283237955487, 31.37262367036232, 30.155474930762434, 28.126380180199195, 27.097711990189254,
    26.148743373957526, 37.739210938823206, 52.792504469040814, 56.75138860280555, 49.90223860158139,
    45.001427330308026, 39.06606103398455,
])  # fmt: skip
SPLITS = ("train", "val", "test", "no_split")
_REQUIRED = ["ecg_key", "patient_key", "split", "age_at_ecg", "sex"]


class EchoNext(Source):
    """EchoNext's own layout: the arrays beside the table."""

    def pieces(self) -> Iterator[pd.DataFrame]:
        """One row per ecg_key, by split and in the order of its array, so that this is read from front to back.

        Raises
        ------
        UserError
            The table is missing, lacks a column, repeats an ecg_key, has a row that cannot be read, or has more or
            fewer rows of a split than its array.
        """
        (path,) = self.tables()
        ids, rows, seen = Sorter(ORDER), Sorter("split", "row"), Counter[str]()
        for table in read_pieces(path, _REQUIRED):
            index = self._rows(table, path, seen)
            ids.add(pa.table({ORDER: pa.array(index["record_id"], pa.large_string())}))
            rows.add(to_table(index))
        if not len(ids):
            raise UserError(f"{path}: holds no recording")
        for _ in unique(ids.tables(), f"{path}:"):
            pass
        for split, number in seen.items():
            self._compare(split, number, path)
        for index in rows.tables():
            yield to_frame(index.drop_columns(["split", "row"]))

    def _rows(self, table: pd.DataFrame, path: Path, seen: Counter[str]) -> pd.DataFrame:
        """Rows of the index from rows of the table, with their split and their row in it; counts on in `seen`."""
        ids, split = filled_column(table, "ecg_key", path), filled_column(table, "split", path)
        fail_at(path, ~split.isin(SPLITS), f"split must be one of {', '.join(SPLITS)}", table["split"])
        row = split.groupby(split).cumcount() + split.map(lambda name: seen[name])
        seen.update(split)
        patients = identifiers(table, "patient_key", path)
        index = pd.DataFrame(
            {
                "split": split.map(SPLITS.index),
                "row": row,
                "record_id": self.name + "/" + ids,
                "source": self.name,
                "patient_id": (self.name + "/" + patients).where(patients.notna(), None).astype("string"),
                "path": split.map(array_name) + "#" + row.astype(str),
                "age": years_column(table, "age_at_ecg", path),
                "sex": parse_column(table, "sex", path, parse_sex, "male or female").astype("string"),
                "fold": pd.Series(pd.NA, index=table.index, dtype="Int64"),
                "codes": [[] for _ in range(len(table))],
                "report": "",
            }
        )
        return pd.concat([index, table.add_prefix("native.")], axis=1)

    def _compare(self, split: str, number: int, path: Path) -> None:
        """Raise `UserError` where an array that can be read has another number of rows than the table for its split."""
        name = array_name(split)
        try:
            folder, file_name = self._inside.split(name)
            with (
                self._inside.open(folder, file_name, "signal_missing") as (descriptor, size),
                os.fdopen(descriptor, "rb", closefd=False) as file,
            ):
                held = _checked(read_npy_header(file, size, name), name).shape[0]
        except RecordError:
            return  # which each of its rows says
        if held != number:
            raise UserError(
                f"{self.root / name}: {counted(held, 'recording')}, but {path} has {counted(number, 'row')} of split"
                f" {split}: rows cannot be matched"
            )

    def read(self, path: str) -> Record:
        """Read the recording at `EchoNext_{split}_waveforms.npy#row`, in mV; not finite samples count as missing.

        Raises
        ------
        RecordError
            `path_outside_root`, `signal_missing`, `signal_truncated`, `signal_unreadable`, `shape_unknown`.
        """
        name, _, row = path.rpartition("#")
        folder, file_name = self._inside.split(name)
        with (
            self._inside.open(folder, file_name, "signal_missing") as (descriptor, size),
            os.fdopen(descriptor, "rb", closefd=False) as file,
        ):
            found = read_numbers(file, _checked(read_npy_header(file, size, name), name), name, int(row))
        signal = (found[0].astype(np.float64) * DEVIATION + MEAN) * STEP
        signal[~np.isfinite(signal)] = np.nan
        return Record(signal, FILE_LEADS, SAMPLING_RATE)


def array_name(split: str) -> str:
    """File with the recordings of a split."""
    return f"EchoNext_{split}_waveforms.npy"


def _checked(array: Array, name: str) -> Array:
    if array.shape[1:] != SHAPE:
        raise RecordError("shape_unknown", f"{name}: {array.shape} is not (n, 1, 2500, 12)")
    return array
