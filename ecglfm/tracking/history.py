"""`history.csv`: the course of a training, one flushed line at a time.

It is the record that MLflow only mirrors: a kill loses at most the line being written.
"""

from __future__ import annotations

import csv
import io
import math
import numbers
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ecglfm.provenance import write_text


class History:
    """A CSV file that grows line by line and survives a kill at any moment.

    Opening an existing file drops a torn last line and keeps the other rows; where its columns differ
    from `columns`, the rows are carried over to the new ones.

    Parameters
    ----------
    path : path
        The file; its folder is made when it does not exist.
    columns : list of str
        Header; the first column counts steps or epochs.
    """

    def __init__(self, path: str | Path, columns: list[str]) -> None:
        self.path = Path(path)
        self.columns = list(columns)
        kept = self.rows()
        complete = self.path.exists() and self.path.read_text(encoding="utf-8") == self._text(kept)
        if not complete:
            self._rewrite(kept)

    def rows(self) -> list[dict[str, str]]:
        """Rows of the file as text, without a torn last line."""
        if not self.path.exists():
            return []
        whole, newline, _torn = self.path.read_text(encoding="utf-8", errors="replace").rpartition("\n")
        reader = csv.DictReader(io.StringIO(whole + newline, newline=""))
        return [{column: row.get(column) or "" for column in self.columns} for row in reader]

    def append(self, row: Mapping[str, Any]) -> None:
        """Write one row; a column that is not given, None or NaN stays empty.

        Raises
        ------
        ValueError
            A key is not one of the columns.
        """
        unknown = sorted(set(row) - set(self.columns))
        if unknown:
            raise ValueError(f"{self.path}: {unknown[0]!r} is not a column of {self.columns}")
        line = io.StringIO(newline="")
        csv.writer(line, lineterminator="\n").writerow([_cell(row.get(column)) for column in self.columns])
        with self.path.open("a", encoding="utf-8") as file:
            file.write(line.getvalue())

    def truncate(self, step: int) -> None:
        """Keep the rows whose first column is at most `step`: what a resumed training has really done."""
        self._rewrite([row for row in self.rows() if row[self.columns[0]] and float(row[self.columns[0]]) <= step])

    def _text(self, rows: list[dict[str, str]]) -> str:
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, self.columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        return text.getvalue()

    def _rewrite(self, rows: list[dict[str, str]]) -> None:
        write_text(self.path, self._text(rows))


def _cell(value: Any) -> Any:
    """A value as it stands in the CSV: plain Python numbers, nothing for None and NaN."""
    if isinstance(value, numbers.Real) and not isinstance(value, numbers.Integral):
        value = float(value)
        return "" if math.isnan(value) else value
    return "" if value is None else value
