"""Tables of any size: read in pieces, sorted through a file, joined in step."""

from __future__ import annotations

from ecglfm.sources.tables.csv_table import MAX_WHOLE, fail_at, number_column, read_pieces, read_table, row_number
from ecglfm.sources.tables.record_table import (
    MAX_AGE,
    OLDEST,
    completed,
    filled_column,
    identifiers,
    parse_age,
    parse_column,
    parse_sex,
    stem,
    table_pieces,
    years_column,
)
from ecglfm.sources.tables.reorder import (
    NESTED,
    ORDER,
    ROWS_TOGETHER,
    Distinct,
    Sorter,
    batched,
    merge_join,
    natural_key,
    rechunked,
    sort,
    to_frame,
    to_table,
)

__all__ = [
    "MAX_AGE",
    "MAX_WHOLE",
    "NESTED",
    "OLDEST",
    "ORDER",
    "ROWS_TOGETHER",
    "Distinct",
    "Sorter",
    "batched",
    "completed",
    "fail_at",
    "filled_column",
    "identifiers",
    "merge_join",
    "natural_key",
    "number_column",
    "parse_age",
    "parse_column",
    "parse_sex",
    "read_pieces",
    "read_table",
    "rechunked",
    "row_number",
    "sort",
    "stem",
    "table_pieces",
    "to_frame",
    "to_table",
    "years_column",
]
