"""PLINK 1 files: our bytes are PLINK's, and damaged ones are one sentence."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ecglfm.config import UserError
from ecglfm.discovery.genotypes import Genotypes, read_bed, write_bed
from ecglfm.discovery.genotypes.bed import join_beds
from tests.plink import need_plink


def genotypes(calls_nv: list[list[int]], chromosome: str = "1") -> Genotypes:
    people, variants = np.shape(calls_nv)
    names = [f"p{number}" for number in range(people)]
    return Genotypes(
        np.array(calls_nv, np.int8),
        pd.DataFrame(
            {
                "chromosome": chromosome, "rsid": [f"rs{chromosome}{n}" for n in range(variants)], "centimorgan": "0",
                "position": range(100, 100 + variants), "allele_1": "A", "allele_2": "G",
            }
        ),
        pd.DataFrame({"fid": names, "iid": names, "father": "0", "mother": "0", "sex": 1, "phenotype": "-9"}),
    )  # fmt: skip


CALLS = [[0, 2], [1, -1], [2, 0], [-1, 1], [0, 0]]  # five people: the second byte of a variant is not full


def test_bytes_are_those_of_the_format(tmp_path: Path) -> None:
    """By hand: 11 no copy, 10 one, 00 two, 01 missing; the first person in the lowest bits."""
    write_bed(tmp_path / "x", genotypes(CALLS))
    expected = bytes([0x6C, 0x1B, 0x01, 0b01001011, 0b00000011, 0b10110100, 0b00000011])
    assert (tmp_path / "x.bed").read_bytes() == expected


def test_what_is_written_is_read(tmp_path: Path) -> None:
    written = genotypes(CALLS)
    write_bed(tmp_path / "x", written)
    read = read_bed(tmp_path / "x")
    assert read.calls_nv.dtype == np.int8
    np.testing.assert_array_equal(read.calls_nv, CALLS)
    pd.testing.assert_frame_equal(read.variants, written.variants, check_dtype=False)
    pd.testing.assert_frame_equal(read.people, written.people, check_dtype=False)
    second = read_bed(tmp_path / "x", 1, 2)
    np.testing.assert_array_equal(second.calls_nv[:, 0], np.array(CALLS)[:, 1])
    assert second.variants["rsid"].tolist() == ["rs11"]


def test_plink_counts_the_same_copies(tmp_path: Path) -> None:
    need_plink()
    calls_nv = np.random.default_rng(0).integers(-1, 3, (50, 20))
    write_bed(tmp_path / "x", genotypes(calls_nv.tolist()))
    command = ["plink2", "--bfile", "x", "--geno-counts", "--out", "x", "--threads", "1"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    counted = pd.read_csv(tmp_path / "x.gcount", sep="\t")
    columns = ["HOM_REF_CT", "HET_REF_ALT_CTS", "TWO_ALT_GENO_CTS", "MISSING_CT"]  # the alternate one is allele 1
    assert counted[columns].to_numpy().tolist() == [
        [int((column == copies).sum()) for copies in (0, 1, 2, -1)] for column in calls_nv.T
    ]


def test_files_of_the_same_people_are_joined(tmp_path: Path) -> None:
    write_bed(tmp_path / "a", genotypes(CALLS))
    write_bed(tmp_path / "b", genotypes([[2], [2], [1], [0], [-1]], "2"))
    join_beds([tmp_path / "a", tmp_path / "b"], tmp_path / "both")
    both = read_bed(tmp_path / "both")
    assert both.calls_nv[:, 2].tolist() == [2, 2, 1, 0, -1]
    assert both.variants["chromosome"].tolist() == ["1", "1", "2"]
    write_bed(tmp_path / "c", genotypes([[2], [2], [1], [0]], "2"))
    with pytest.raises(UserError, match=r"c.fam: other people, or another order, than .*a.fam"):
        join_beds([tmp_path / "a", tmp_path / "c"], tmp_path / "both")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda content: content[:-1], r"x.bed: cut off: 6 bytes, where 5 people and 2 variants .* make 7"),
        (lambda content: content + b"\0", r"x.bed: too long: 8 bytes"),
        (lambda content: b"\x6c\x1b\x00" + content[3:], r"x.bed: person after person"),
        (lambda content: b"PK\x03" + content[3:], r"x.bed: no PLINK 1 .bed, which begins with the bytes 6c 1b 01"),
    ],
)
def test_damaged_calls(tmp_path: Path, change: object, said: str) -> None:
    write_bed(tmp_path / "x", genotypes(CALLS))
    path = tmp_path / "x.bed"
    path.write_bytes(change(path.read_bytes()))  # type: ignore[operator]
    with pytest.raises(UserError, match=said):
        read_bed(tmp_path / "x")


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("x.bim", "", r"x.bim: empty"),
        ("x.bim", "1 rs1 0 100 A\n", r"x.bim: 5 columns, where chromosome rsid"),
        ("x.bim", "1 rs1 0 100 A G\n1 rs2 0 x A G\n", r"x.bim:2: position 'x' is no number"),
        ("x.bim", "1 rs1 0 100 A G\n1 rs2 0 100 A G G\n", r"x.bim: not a table of 6 columns"),
        ("x.fam", None, r"x.fam: no such file; .bed, .bim and .fam belong together"),
        ("x.bed", None, r"x.bed: no such file"),
    ],
)
def test_damaged_tables(tmp_path: Path, name: str, text: str | None, said: str) -> None:
    write_bed(tmp_path / "x", genotypes(CALLS))
    if text is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_text(text)
    with pytest.raises(UserError, match=said):
        read_bed(tmp_path / "x")
