"""The test set of CODE (Ribeiro et al. 2020, doi:10.1038/s41467-020-15432-4): 827 tracings, each of another person.

`ecg_tracings.hdf5` holds `tracings` (827, 4096, 12) float, at 400 Hz, shorter ones in the middle of zeros, as in
CODE-15 %; but **aVL and aVF stand before aVR**, and no file says so. The authors' page says "1e-4 V" and contradicts
itself; it is taken for mV, as in CODE-15 %. Row i of `attributes.csv` (age, sex) and of `annotations/gold_standard.csv`
(1 or 0 for each of six abnormalities) is tracing i, which is the record's id, from 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from ecglfm.config import SourceConfig, UserError
from ecglfm.records import Record, RecordError
from ecglfm.sources.arrays import N_SAMPLES, SAMPLING_RATE, Hdf5File, without_padding
from ecglfm.sources.base import Source
from ecglfm.sources.tables import fail_at, number_column, parse_age, parse_column, parse_sex, read_table

FILE_LEADS = ("I", "II", "III", "aVL", "aVF", "aVR", "V1", "V2", "V3", "V4", "V5", "V6")
TRACINGS = "ecg_tracings.hdf5"
ABNORMALITIES = ("1dAVb", "RBBB", "LBBB", "SB", "AF", "ST")


class CodeTest(Source):
    """The layout of the published archive: its `data/` is the root."""

    def __init__(self, name: str, root: str | Path, config: SourceConfig) -> None:
        super().__init__(name, root, config)
        self._open: Hdf5File | None = None

    def pieces(self) -> Iterator[pd.DataFrame]:
        """One row per tracing, in their order; see `Source.pieces`.

        `codes` and `native.{abnormality}` are those of the gold standard.

        Raises
        ------
        UserError
            A table is missing, lacks a column, has a cell that cannot be read, or is not as long as the other or as
            the tracings are many, so that no row can be said to be a tracing's.
        """
        about, gold = self.tables()
        people, found = read_table(about, ["age", "sex"]), read_table(gold, list(ABNORMALITIES))
        if not len(people):
            raise UserError(f"{about}: holds no recording")
        for other, number in ((gold, len(found)), (self.root / TRACINGS, self._count())):
            if number is not None and number != len(people):
                raise UserError(f"{other}: {number} tracings, but {about} has {len(people)}: rows cannot be matched")
        ids = pd.Series(np.arange(len(people))).astype(str)
        people, found = people.set_axis(ids.index), found.set_axis(ids.index)
        codes: list[list[dict[str, object]]] = [[] for _ in ids]
        for name in ABNORMALITIES:
            truth = number_column(found, name, gold)
            fail_at(gold, truth.notna() & ~truth.isin([0, 1]), f"{name} must be 0 or 1", found[name])
            for row in np.flatnonzero(truth == 1):
                codes[row].append({"code": name, "likelihood": 100.0})
        index = pd.DataFrame(
            {
                "record_id": self.name + "/" + ids,
                "source": self.name,
                "patient_id": (self.name + "/" + ids).astype("string"),
                "path": TRACINGS + "#" + ids,
                "age": parse_column(people, "age", about, parse_age, "an age in years").astype("float64"),
                "sex": parse_column(people, "sex", about, parse_sex, "M or F").astype("string"),
                "fold": pd.Series(pd.NA, index=ids.index, dtype="Int64"),
                "codes": codes,
                "report": "",
            }
        )
        yield pd.concat([index, people.add_prefix("native."), found[list(ABNORMALITIES)].add_prefix("native.")], axis=1)

    def _count(self) -> int | None:
        """Tracings that there are; None where they cannot be read, which each row's `read` then says."""
        try:
            return int(self._tracings()[1].shape[0])
        except RecordError:
            return None

    def _tracings(self) -> tuple[Hdf5File, h5py.Dataset]:
        self._open = self._open or Hdf5File(self._inside, TRACINGS, f"; see {__name__} for what it should hold")
        return self._open, self._open.dataset("tracings", "f", 3)

    def read(self, path: str) -> Record:
        """Read tracing i at `ecg_tracings.hdf5#i`, without its padding.

        Raises
        ------
        RecordError
            `path_outside_root`, `signal_missing`, `signal_unreadable`.
        """
        row = int(path.rpartition("#")[2])
        file, tracings = self._tracings()
        if tracings.shape[1:] != (N_SAMPLES, len(FILE_LEADS)):
            raise file.unreadable(f"tracings are {tracings.shape}")
        if row >= tracings.shape[0]:
            raise RecordError("signal_missing", f"{path}: there are {tracings.shape[0]} tracings, numbered from 0")
        signal = without_padding(file.read(tracings, row, f"tracing {row}"))
        return Record(signal.astype(np.float64), FILE_LEADS, SAMPLING_RATE)
