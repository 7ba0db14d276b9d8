"""Cells of the page's tables, and which rows are there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ecglfm.config import UserError
from ecglfm.discovery.report.tables import cell, head, read_table, shown


@pytest.mark.parametrize(
    ("column", "value", "text"),
    [
        ("beta", 0.123456, "0.1235"),
        ("p_value", 6.41031e-23, "6.4e-23"),
        ("p_value", 0.0, "< 1e-307"),
        ("q_value", 1.0, "1"),
        ("n", 450000.0, "450000"),  # a column with a gap is one of floats
        ("base_pair_location", np.int64(248956422), "248956422"),
        ("effect", 12345.67, "12346"),
        ("replicates", np.bool_(True), "yes"),
        ("replicates", False, "no"),
        ("rg", float("nan"), "–"),
        ("by", None, "–"),
        ("rsid", "rs7", "rs7"),
    ],
)
def test_a_cell_is_the_value(column: str, value: object, text: str) -> None:
    assert cell(column, value) == text


def test_rows_are_the_smallest_and_all_are_counted(tmp_path: Path) -> None:
    table = pd.DataFrame({"edf": ["a", "b", "c", "d"], "rg_p": [0.5, np.nan, 0.001, 0.02], "more": 1})
    found = shown(table, "Pairs", tmp_path, columns=("edf", "rg_p", "absent"), by="rg_p", most=2)
    assert found.rows == [["c", "0.001"], ["d", "0.02"]]
    assert (found.heads, found.numeric, found.total) == (["Trait", "P"], [False, True], 4)


def test_heads_are_words() -> None:
    assert [head(name) for name in ("lead_rsid", "nearest_gene")] == ["Lead variant", "Nearest gene"]


def test_names_stay_names_and_only_na_is_missing(tmp_path: Path) -> None:
    """A gene named `None`, a chromosome 01."""
    path = tmp_path / "loci.tsv"
    path.write_text("chromosome\tnearest_gene\tbeta\n01\tNone\tNA\nX\tNA\t0.5\n")
    table = read_table(path)
    assert table["chromosome"].tolist() == ["01", "X"]
    assert table["nearest_gene"].tolist()[0] == "None"
    assert table["nearest_gene"].isna().tolist() == [False, True]
    assert table["beta"].isna().tolist() == [True, False]


def test_an_empty_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "mr.tsv").write_text("")
    with pytest.raises(UserError, match=r"mr\.tsv: cannot be read"):
        read_table(tmp_path / "mr.tsv")
