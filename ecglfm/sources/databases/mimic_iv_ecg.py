"""MIMIC-IV-ECG (Gow et al., doi:10.13026/4nqg-sb35).

Tables: `record_list.csv`, a row per study, and `machine_measurements.csv`, the cart's report lines and
intervals. Age and sex are in the separate MIMIC-IV database, so they are unknown here. Its files store
aVF before aVL, which costs nothing where leads are picked by name.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from ecglfm.sources.base import Source, in_id_order, unique
from ecglfm.sources.tables import (
    ORDER,
    fail_at,
    merge_join,
    number_column,
    read_pieces,
    rechunked,
    sort,
    to_frame,
    to_table,
)

logger = logging.getLogger(__name__)


class MimicIvEcg(Source):
    """MIMIC-IV-ECG's own layout, `files/pNNNN/pNNNNNNNN/sNNNNNNNN/`."""

    def pieces(self) -> Iterator[pd.DataFrame]:
        """One row per study_id; see `Source.pieces`.

        A study without measurements has an empty report; measurements of no study are counted in a warning.

        Raises
        ------
        UserError
            A table is missing, lacks a column, repeats a study, or has a row that cannot be read.
        """
        records_path, path = self.tables()
        listed = read_pieces(records_path, ["subject_id", "study_id", "path"])
        records = in_id_order((self._rows(table, records_path) for table in listed), records_path)
        measurements = self._measurements(path)
        yield from (to_frame(table.drop_columns(ORDER)) for table in rechunked(self._joined(records, measurements)))

    def _measurements(self, path: Path) -> Iterator[pa.Table]:
        """Rows of `machine_measurements.csv` in the order of the studies."""
        tables = read_pieces(path, ["study_id", "report_0"])
        rows = (to_table(table.assign(**{ORDER: _studies(table, path)})) for table in tables)
        return unique(sort(rows, ORDER), f"{path}: study_id", hint="")

    def _joined(self, records: Iterator[pa.Table], measurements: Iterator[pa.Table]) -> Iterator[pa.Table]:
        """Rows of the index with what was measured of each study; what belongs to none is counted in a warning."""
        n_alone, first = 0, 0
        for rows, measured in merge_join([records, measurements], ORDER):
            alone = pc.invert(pc.is_in(measured[ORDER], rows[ORDER].combine_chunks()))
            if not n_alone and pc.any(alone).as_py():
                first = measured.filter(alone)[ORDER][0].as_py()
            n_alone += pc.sum(alone).as_py() or 0
            places = pc.index_in(rows[ORDER], measured[ORDER].combine_chunks())
            there = [ORDER, *(column.removeprefix("native.") for column in rows.column_names)]
            found = measured.select([c for c in measured.column_names if c not in there]).take(places)
            rows = rows.append_column("report", pa.array(join_report(found.to_pandas())))
            for column in found.column_names:
                rows = rows.append_column(f"native.{column}", found[column])
            yield rows
        if n_alone:
            records_path, path = self.tables()
            logger.warning(
                "%s: %d studies are not in %s and are not used, the first: %d", path, n_alone, records_path.name, first
            )

    def _rows(self, table: pd.DataFrame, path: Path) -> pd.DataFrame:
        """Rows of the index from rows of `record_list.csv`, but for the report."""
        studies = _studies(table, path)
        subjects = number_column(table, "subject_id", path, integer=True)
        fail_at(path, table["path"].isna(), "path is empty", table["path"])
        record_id = self.name + "/" + studies.astype(str)
        patient_id = self.name + "/" + subjects.astype("Int64").astype("string").astype("str")
        index = pd.DataFrame(
            {
                ORDER: studies,
                "record_id": record_id,
                "source": self.name,
                "patient_id": patient_id.where(subjects.notna(), None).astype("string"),
                "path": table["path"].str.strip(),
                "age": np.nan,
                "sex": pd.Series(pd.NA, index=table.index, dtype="string"),
                "fold": pd.Series(pd.NA, index=table.index, dtype="Int64"),
                "codes": [[] for _ in range(len(table))],
            }
        )
        return pd.concat([index, table.add_prefix("native.")], axis=1)


def _studies(table: pd.DataFrame, path: Path) -> pd.Series:
    return number_column(table, "study_id", path, integer=True, required=True).astype("int64")


def join_report(table: pd.DataFrame) -> pd.Series:
    """The non-empty cells of `report_0`, `report_1`, … of each row, joined with `; `."""
    names = sorted((c for c in table.columns if c.removeprefix("report_").isdigit()), key=lambda c: int(c[7:]))
    empty = pa.scalar("", pa.large_string())
    report = pa.repeat(empty, len(table))
    for name in names:
        line = pc.fill_null(pc.utf8_trim_whitespace(pa.array(table[name], pa.large_string())), empty)
        both = pc.and_(pc.not_equal(report, empty), pc.not_equal(line, empty))
        joint = pc.if_else(both, pa.scalar("; ", pa.large_string()), empty)
        report = pc.binary_join_element_wise(report, joint, line, empty)
    return pd.Series(report, index=table.index, dtype="str")
