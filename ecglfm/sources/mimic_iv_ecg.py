"""MIMIC-IV-ECG (Gow et al., doi:10.13026/4nqg-sb35).

Tables: `record_list.csv`, a row per study, and `machine_measurements.csv`, the cart's report lines and
intervals. Age and sex are in the separate MIMIC-IV database, so they are unknown here. Its files store
aVF before aVL, which costs nothing where leads are picked by name.
"""

from __future__ import annotations

import logging

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from ecglfm.config import UserError
from ecglfm.sources.base import Source, check_index
from ecglfm.sources.csv_table import fail_at, number_column, read_table

logger = logging.getLogger(__name__)


class MimicIvEcg(Source):
    """MIMIC-IV-ECG's own layout, `files/pNNNN/pNNNNNNNN/sNNNNNNNN/`."""

    def index(self) -> pd.DataFrame:
        """One row per study_id; see `Source.index`.

        A study without measurements has an empty report; measurements of no study are counted in a warning.

        Raises
        ------
        UserError
            A table is missing, lacks a column, repeats a study, or has a row that cannot be read.
        """
        records_path, measurements_path = self.tables()
        records = read_table(records_path, ["subject_id", "study_id", "path"])
        measurements = read_table(measurements_path, ["study_id", "report_0"])
        studies = number_column(records, "study_id", records_path, integer=True, required=True)
        subjects = number_column(records, "subject_id", records_path, integer=True)
        fail_at(records_path, records["path"].isna(), "path is empty", records["path"])
        measured = number_column(measurements, "study_id", measurements_path, integer=True, required=True)
        if measured.duplicated().any():
            raise UserError(
                f"{measurements_path}: study_id {int(measured[measured.duplicated()].iloc[0])} stands twice"
            )
        alone = ~measured.isin(studies)
        if alone.any():
            logger.warning(
                "%s: %d studies are not in %s and are not used, the first: %d",
                measurements_path, alone.sum(), records_path.name, measured[alone].iloc[0],
            )  # fmt: skip

        order = np.argsort(studies.to_numpy(), kind="stable")
        added = [column for column in measurements.columns if column not in records.columns]
        found = measurements[added].set_axis(measured.to_numpy(), axis=0).reindex(studies.to_numpy()[order])
        found = found.reset_index(drop=True)
        del measurements  # a table of all studies: the two together are the peak of this stage's memory
        records = records.iloc[order].reset_index(drop=True)
        studies, subjects = studies.iloc[order].reset_index(drop=True), subjects.iloc[order].reset_index(drop=True)
        record_id = self.name + "/" + studies.astype("int64").astype(str)
        patient_id = self.name + "/" + subjects.astype("Int64").astype("string").astype("str")
        index = pd.DataFrame(
            {
                "record_id": record_id,
                "source": self.name,
                "patient_id": patient_id.where(subjects.notna(), record_id),
                "path": records["path"].str.strip(),
                "age": np.nan,
                "sex": pd.Series(pd.NA, index=records.index, dtype="string"),
                "fold": pd.Series(pd.NA, index=records.index, dtype="Int64"),
                "codes": [[] for _ in range(len(records))],
                "report": join_report(found),
            }
        )
        native = [records.add_prefix("native."), found.add_prefix("native.")]
        return check_index(pd.concat([index, *native], axis=1), records_path)


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
