"""LUDB 1.0.1, Lobachevsky University database (Kalyakulina et al., doi:10.13026/eegm-h675).

Table: `ludb.csv`, a row for each of 200 people, with findings in words; `report` joins them. The headers scale every
lead on its own (lead names in lower case), so that the limb leads do not satisfy Einthoven's law: amplitudes are not
comparable between leads here.
"""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from ecglfm.sources.base import Source, in_id_order
from ecglfm.sources.tables import ORDER, number_column, parse_age, parse_column, parse_sex, read_table, to_frame
from ecglfm.sources.tree import Known, files_of

_ABOUT = ("ID", "Sex", "Age")


class Ludb(Source):
    """LUDB's own layout, `data/{ID}.hea` and `.dat`."""

    def pieces(self) -> Iterator[pd.DataFrame]:
        """One row per ID; see `Source.pieces`. Headers of no ID are named in a warning.

        Raises
        ------
        UserError
            The table is missing, lacks a column, repeats an ID, or has a row that cannot be read.
        """
        (path,) = self.tables()
        table = read_table(path, [*_ABOUT, "Rhythms"])
        ids = number_column(table, "ID", path, integer=True, required=True).astype("int64")
        findings = table[[column for column in table.columns if column not in _ABOUT]]
        index = pd.DataFrame(
            {
                ORDER: ids,
                "record_id": self.name + "/" + ids.astype(str),
                "source": self.name,
                "patient_id": self.name + "/" + ids.astype(str),
                "path": "data/" + ids.astype(str),
                "age": parse_column(table, "Age", path, parse_age, "an age in years").astype("float64"),
                "sex": parse_column(table, "Sex", path, parse_sex, "M or F").astype("string"),
                "fold": pd.Series(pd.NA, index=table.index, dtype="Int64"),
                "codes": [[] for _ in range(len(table))],
                "report": ["; ".join(_lines(row)) for row in findings.itertuples(index=False)],
            }
        )
        known = Known(path)
        known.add(index["path"] + ".hea")
        known.warn_of_others(f"{path[:-4]}.hea" for path in files_of(self._inside, (".hea",)))
        for rows in in_id_order([pd.concat([index, table.add_prefix("native.")], axis=1)], path):
            yield to_frame(rows.drop_columns(ORDER))


def _lines(cells: tuple[object, ...]) -> list[str]:
    """Findings of a row: the lines of its cells."""
    return [line.strip() for cell in cells if isinstance(cell, str) for line in cell.splitlines() if line.strip()]
