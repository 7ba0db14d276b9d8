"""MIMIC-IV-ECG (Gow et al., doi:10.13026/4nqg-sb35).

Tables: `record_list.csv`, a row per study, and `machine_measurements.csv`, the cart's report lines and
intervals. Age and sex are in the separate MIMIC-IV database, so they are unknown here. Its files store
aVF before aVL, which costs nothing where leads are picked by name.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from ecglfm.config import UserError
from ecglfm.sources.base import Source, check_index, fail_at, number_column, read_table


class MimicIvEcg(Source):
    """MIMIC-IV-ECG's own layout, `files/pNNNN/pNNNNNNNN/sNNNNNNNN/`."""

    def index(self) -> pd.DataFrame:
        """One row per study_id; see `Source.index`. A study without measurements has an empty report.

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

        added = [column for column in measurements.columns if column not in records.columns]
        found = measurements[added].set_axis(measured.to_numpy(), axis=0).reindex(studies.to_numpy())
        table = pd.concat([records, found.set_axis(records.index, axis=0)], axis=1)
        record_id = self.name + "/" + studies.astype("int64").astype(str)
        patient_id = self.name + "/" + subjects.astype("Int64").astype("string").astype(object)
        index = pd.DataFrame(
            {
                "record_id": record_id,
                "source": self.name,
                "patient_id": patient_id.where(subjects.notna(), record_id).astype(str),
                "path": records["path"].str.strip(),
                "age": np.nan,
                "sex": pd.Series(pd.NA, index=records.index, dtype="string"),
                "fold": pd.Series(pd.NA, index=records.index, dtype="Int64"),
                "codes": [[] for _ in range(len(records))],
                "report": join_report(table),
            }
        )
        order = studies.sort_values(kind="stable").index
        return check_index(pd.concat([index, table.add_prefix("native.")], axis=1).loc[order], records_path)


def join_report(table: pd.DataFrame) -> pd.Series:
    """The non-empty cells of `report_0`, `report_1`, … of each row, joined with `; `."""
    lines = sorted((c for c in table.columns if c.removeprefix("report_").isdigit()), key=lambda c: int(c[7:]))
    report = pd.Series("", index=table.index, dtype="object")
    for column in lines:
        line = table[column].fillna("").astype(object).str.strip()
        joint = np.where((report != "") & (line != ""), "; ", "")
        report = report + joint + line
    return report.astype("str")
