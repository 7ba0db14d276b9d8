"""GWAS-SSF: what is written is read again, and what breaks a rule is named with its line and column."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ecglfm.config import UserError
from ecglfm.discovery.summary import (
    number_chromosomes,
    read_summary_statistics,
    write_summary_statistics,
)

HEADER = "chromosome\tbase_pair_location\teffect_allele\tother_allele\tbeta\tstandard_error\teffect_allele_frequency\tp_value"
GOOD = "1\t100\tA\tG\t0.1\t0.02\t0.3\t5.7e-07"


def table() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "rsid": ["rs3", "rs1", None],
            "chromosome": [2, 1, 23],
            "base_pair_location": [5, 100, 7],
            "effect_allele": ["a", "A", "ACT"],
            "other_allele": ["C", "G", "A"],
            "beta": [-0.123456789, 0.1, 2e-9],
            "standard_error": [0.02, 0.03, 1e-9],
            "effect_allele_frequency": [0.3, 0.5, 0.01],
            "p_value": [6.7e-10, 8.6e-4, 0.0455],
            "n": [1000, 999, 1000],
        }
    )


def written(folder: Path, *lines: str, header: str = HEADER) -> Path:
    path = folder / "a.tsv"
    path.write_text("\n".join([header, *lines, ""]))
    return path


@pytest.mark.parametrize("name", ["a.tsv", "a.tsv.gz", "a.tsv.zst"])
def test_a_table_is_read_as_it_was_written_sorted_and_in_order(tmp_path: Path, name: str) -> None:
    write_summary_statistics(tmp_path / name, table())
    found = read_summary_statistics(tmp_path / name)
    assert list(found)[:8] == HEADER.split("\t")
    assert found["chromosome"].tolist() == [1, 2, 23]
    assert found["effect_allele"].tolist() == ["A", "A", "ACT"]
    assert found["beta"].tolist() == [0.1, -0.1234568, 2e-9]
    assert found["rsid"].fillna("none").tolist() == ["rs1", "rs3", "none"]
    assert found["n"].tolist() == [999, 1000, 1000]


def test_other_programs_read_what_is_compressed(tmp_path: Path) -> None:
    for name in ("a.tsv", "a.tsv.gz", "a.tsv.zst"):
        write_summary_statistics(tmp_path / name, table())
    plain = (tmp_path / "a.tsv").read_bytes()
    assert plain.decode().splitlines()[3] == "23\t7\tACT\tA\t2e-9\t1e-9\t0.01\t0.0455\t#NA\t1000"
    assert gzip.decompress((tmp_path / "a.tsv.gz").read_bytes()) == plain
    assert (tmp_path / "a.tsv.zst").read_bytes()[:4] == bytes.fromhex("28b52ffd")  # RFC 8878, section 3.1.1


def test_the_same_table_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.tsv.gz", "b.tsv.gz"):
        write_summary_statistics(tmp_path / name, table())
    assert (tmp_path / "a.tsv.gz").read_bytes() == (tmp_path / "b.tsv.gz").read_bytes()


@pytest.mark.parametrize(
    ("column", "value", "says"),
    [
        (0, "0", "line 3, column chromosome: '0' is not a whole number of at least 1 and at most 25"),
        (0, "X", "line 3, column chromosome: 'X' is not a whole number of at least 1 and at most 25"),
        (1, "1.5", "line 3, column base_pair_location: '1.5' is not a whole number of at least 1"),
        (2, "N", "line 3, column effect_allele: 'N' is not text of the form [ACGTacgt]+|LONG_STRING"),
        (3, "#NA", "line 3, column other_allele: is missing"),
        (4, "none", "line 3, column beta: 'none' is not a number"),
        (4, "inf", "line 3, column beta: 'inf' is not a number"),
        (5, "-0.1", "line 3, column standard_error: '-0.1' is not a number of at least 0"),
        (6, "1.01", "line 3, column effect_allele_frequency: '1.01' is not a number of at least 0 and at most 1"),
        (7, "0", "line 3, column p_value: '0' is not a number above 0 and at most 1"),
        (7, "", "line 3, column p_value: is missing"),
    ],
)
def test_a_broken_rule_is_named_with_line_and_column(tmp_path: Path, column: int, value: str, says: str) -> None:
    fields = GOOD.split("\t")
    fields[column] = value
    path = written(tmp_path, GOOD, "\t".join(fields), GOOD)
    with pytest.raises(UserError) as error:
        read_summary_statistics(path)
    assert str(error.value) == f"{path}: {says}"


def test_columns_stand_where_the_standard_has_them(tmp_path: Path) -> None:
    names = HEADER.split("\t")
    for header, says in (
        ("\t".join(names[1:]), "line 1: column 1 is 'base_pair_location', where GWAS-SSF has chromosome"),
        ("\t".join([*names[:4], "z", *names[5:]]), "column 5 is 'z', where GWAS-SSF has beta or odds_ratio or hazard"),
        ("\t".join(names[:7]), "column 8 is 'nothing', where GWAS-SSF has p_value or neg_log_10_p_value"),
        ("\t".join([*names, "n", "n"]), "column 'n' stands twice"),
    ):
        with pytest.raises(UserError) as error:
            read_summary_statistics(written(tmp_path, GOOD, header=header))
        assert says in str(error.value)


def test_a_line_of_another_length_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="line 3: 7 fields, where the header has 8"):
        read_summary_statistics(written(tmp_path, GOOD, GOOD.rpartition("\t")[0]))


def test_odds_ratios_and_logarithms_of_p(tmp_path: Path) -> None:
    header = HEADER.replace("beta", "odds_ratio").replace("p_value", "neg_log_10_p_value")
    found = read_summary_statistics(written(tmp_path, "1\t9\tA\tG\t2\t0.1\t0.3\t3", header=header))
    assert found["beta"].tolist() == [pytest.approx(0.693147, abs=1e-6)]
    assert found["p_value"].tolist() == [pytest.approx(1e-3)]


def test_p_below_what_a_double_holds_stays(tmp_path: Path) -> None:
    beyond = table().assign(beta=[50.0, 0.1, 2e-9], standard_error=1.0, p_value=[0, 0.92, 1.0])
    write_summary_statistics(tmp_path / "a.tsv", beyond)
    p_text = (tmp_path / "a.tsv").read_text().splitlines()[2].split("\t")[7]
    assert p_text.endswith("e-545")
    assert float(p_text[:-5]) == pytest.approx(2.1612, abs=1e-3)  # 10^(545 - 544.66531)
    assert read_summary_statistics(tmp_path / "a.tsv")["p_value"].tolist() == [0.92, 0.0, 1.0]


def test_an_rsid_that_is_none_is_another_name(tmp_path: Path) -> None:
    write_summary_statistics(tmp_path / "a.tsv", table().assign(rsid=["rs3", "1:100:A", None]))
    found = read_summary_statistics(tmp_path / "a.tsv").fillna({"rsid": "", "variant_id": ""})
    assert found[["variant_id", "rsid"]].to_numpy().tolist() == [["1_100_A", ""], ["", "rs3"], ["", ""]]


def test_what_breaks_a_rule_is_not_written(tmp_path: Path) -> None:
    for bad, says in (
        ({"effect_allele_frequency": [0.3, 1.2, 0.1]}, "line 2, column effect_allele_frequency: 1.2 is not a number"),
        ({"beta": [0.1, np.nan, 0.1]}, "line 2, column beta: is missing"),
        ({"base_pair_location": [5, 1.5, 7]}, "column base_pair_location: a value is not a whole number of at least 1"),
    ):
        with pytest.raises(UserError, match=says):
            write_summary_statistics(tmp_path / "a.tsv", table().assign(**bad))
    with pytest.raises(UserError, match="GWAS-SSF needs the column 'p_value'"):
        write_summary_statistics(tmp_path / "a.tsv", table().drop(columns="p_value"))
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "a.tsv.gz").write_bytes(b"not gzip")
    for name in ("a.tsv.gz", "none.tsv"):
        with pytest.raises(UserError, match="cannot be read"):
            read_summary_statistics(tmp_path / name)


def test_a_line_without_an_end_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "a.tsv.gz").write_bytes(gzip.compress(bytes(1 << 24)))
    with pytest.raises(UserError, match="a line of more than 1 MiB: no table of variants"):
        read_summary_statistics(tmp_path / "a.tsv.gz")


def test_chromosomes_by_name() -> None:
    names = pd.Series(["chr1", "X", "MT", "22", "PAR1", "PAR2"])
    assert number_chromosomes(names).tolist() == [1, 23, 25, 22, 23, 23]
    with pytest.raises(UserError, match="'Un' is no chromosome"):
        number_chromosomes(pd.Series(["1", "Un"]))
