"""LUDB 1.0.1, Lobachevsky University database (Kalyakulina et al., doi:10.13026/eegm-h675).

Table: `ludb.csv`, a row for each of 200 people, with findings in words; `report` joins them. The headers scale every
lead on its own (lead names in lower case), so that the limb leads do not satisfy Einthoven's law: amplitudes are not
comparable between leads here.
"""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from ecglfm.sources.base import Source, check_ids
from ecglfm.sources.csv_table import number_column, read_table
from ecglfm.sources.folder import files_of, hashes, warn_of_others
from ecglfm.sources.record_table import parse_age, parse_column, parse_sex

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
        check_ids(ids.to_numpy(), path)
        findings = table[[column for column in table.columns if column not in _ABOUT]]
        index = pd.DataFrame(
            {
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
        warn_of_others(path, files_of(self.root, (".hea",)), hashes(index["path"] + ".hea"))
        order = ids.sort_values(kind="stable").index
        yield pd.concat([index, table.add_prefix("native.")], axis=1).loc[order]


def _lines(cells: tuple[object, ...]) -> list[str]:
    """Findings of a row: the lines of its cells."""
    return [line.strip() for cell in cells if isinstance(cell, str) for line in cell.splitlines() if line.strip()]
