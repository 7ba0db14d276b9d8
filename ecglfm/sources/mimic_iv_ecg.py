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

from ecglfm.config import UserError
from ecglfm.sources.base import Source, check_ids
from ecglfm.sources.csv_table import fail_at, number_column, read_pieces, whole_numbers
from ecglfm.sources.reorder import in_order, rank_of

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
        records_path, measurements_path = self.tables()
        studies = whole_numbers(records_path, "study_id", ["subject_id", "study_id", "path"])
        check_ids(studies, records_path)
        places = self._places(np.sort(studies))
        tables = read_pieces(records_path, [])
        records = in_order((self._rows(table, records_path) for table in tables), rank_of(np.argsort(studies)))
        measurements = in_order(read_pieces(measurements_path, []), places, n_places=len(studies))
        for rows, measured in zip(records, measurements, strict=True):
            added = [column for column in measured.columns if f"native.{column}" not in rows.columns]
            found = measured[added].reindex(rows.index)
            yield pd.concat([rows.assign(report=join_report(found)), found.add_prefix("native.")], axis=1)

    def _places(self, studies: np.ndarray) -> np.ndarray:
        """Place of the study of each row of `machine_measurements.csv` among the sorted studies; -1 of no study."""
        records_path, path = self.tables()
        measured = whole_numbers(path, "study_id", ["study_id", "report_0"])
        order = np.argsort(measured, kind="stable")
        again = order[1:][measured[order[1:]] == measured[order[:-1]]]
        if len(again):
            raise UserError(f"{path}: study_id {measured[again.min()]} stands twice")
        places = np.minimum(np.searchsorted(studies, measured), len(studies) - 1)
        alone = studies[places] != measured
        if alone.any():
            logger.warning(
                "%s: %d studies are not in %s and are not used, the first: %d",
                path, alone.sum(), records_path.name, measured[alone][0],
            )  # fmt: skip
        return np.where(alone, -1, places)

    def _rows(self, table: pd.DataFrame, path: Path) -> pd.DataFrame:
        """Rows of the index from rows of `record_list.csv`, but for the report."""
        studies = number_column(table, "study_id", path, integer=True, required=True)
        subjects = number_column(table, "subject_id", path, integer=True)
        fail_at(path, table["path"].isna(), "path is empty", table["path"])
        record_id = self.name + "/" + studies.astype("int64").astype(str)
        patient_id = self.name + "/" + subjects.astype("Int64").astype("string").astype("str")
        index = pd.DataFrame(
            {
                "record_id": record_id,
                "source": self.name,
                "patient_id": patient_id.where(subjects.notna(), record_id),
                "path": table["path"].str.strip(),
                "age": np.nan,
                "sex": pd.Series(pd.NA, index=table.index, dtype="string"),
                "fold": pd.Series(pd.NA, index=table.index, dtype="Int64"),
                "codes": [[] for _ in range(len(table))],
            }
        )
        return pd.concat([index, table.add_prefix("native.")], axis=1)


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
