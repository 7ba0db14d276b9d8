"""LD scores: of a panel by hand, within a window, over tiles, and as LDSC writes them."""

from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ecglfm.config import UserError
from ecglfm.discovery.genotypes import Genotypes, read_bed, write_bed
from ecglfm.discovery.heritability.ld_scores import ld_scores, panel_ld_scores, read_ldsc_scores

CALLS = np.array([[0, 0, 2, 0], [1, 1, 1, 2], [2, 2, 0, 1], [1, 1, 1, 0], [0, 0, 2, 1], [1, 2, 0, -1]], np.int8)
POSITION = np.array([100, 200, 300, 2000])


def by_hand(window: int) -> list[float]:
    filled = CALLS.astype(float)
    filled[5, 3] = np.delete(filled[:, 3], 5).mean()
    r2 = np.corrcoef(filled.T) ** 2
    adjusted = r2 - (1 - r2) / 4
    near = np.abs(POSITION[:, None] - POSITION) <= window
    return (adjusted * near).sum(axis=1).tolist()


@pytest.mark.parametrize("window", [50, 100, 5000])
def test_sums_of_squared_correlations_within_a_window(window: int) -> None:
    assert ld_scores(CALLS, POSITION, window=window).tolist() == pytest.approx(by_hand(window), abs=1e-5)


def test_tiles_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ecglfm.discovery.heritability.ld_scores._TOGETHER", 1)
    assert ld_scores(CALLS, POSITION, window=1000).tolist() == pytest.approx(by_hand(1000), abs=1e-5)


def panel(folder: Path, chromosome: str) -> Path:
    variants = pd.DataFrame(
        {
            "chromosome": chromosome, "rsid": [f"rs{chromosome}{i}" for i in range(5)], "centimorgan": 0,
            "position": [*POSITION, 2100], "allele_1": "A", "allele_2": "G",
        }
    )  # fmt: skip
    people = pd.DataFrame(
        {"fid": list("abcdef"), "iid": list("abcdef"), "father": 0, "mother": 0, "sex": 0, "phenotype": -9}
    )
    calls = np.column_stack([CALLS, np.zeros(6, np.int8)])  # the last does not vary
    write_bed(folder / f"chr{chromosome}", Genotypes(calls, variants, people))
    return folder / f"chr{chromosome}"


def test_a_panel_of_several_files(tmp_path: Path) -> None:
    found = panel_ld_scores([panel(tmp_path, "1"), panel(tmp_path, "X")], window=100)
    assert found.table["chromosome"].tolist() == [1] * 4 + [23] * 4
    assert found.table["rsid"].tolist()[3:5] == ["rs13", "rsX0"]
    assert found.table["ld_score"].tolist() == pytest.approx(by_hand(100) * 2, abs=1e-5)
    assert found.variants == 8
    with pytest.raises(UserError, match="no variant has a frequency of 0.6 or more"):
        panel_ld_scores([tmp_path / "chr1"], min_frequency=0.6)


def test_a_variant_at_which_everybody_is_heterozygous_is_left_out(tmp_path: Path) -> None:
    """Its frequency is a half and its variance 0; one is not known."""
    prefix = panel(tmp_path, "1")
    genotypes = read_bed(prefix)
    calls = genotypes.calls_nv.copy()
    calls[:, 4] = [1, 1, -1, 1, 1, 1]
    write_bed(prefix, replace(genotypes, calls_nv=calls))
    found = panel_ld_scores([prefix], window=5000)
    assert found.table["ld_score"].tolist() == pytest.approx(by_hand(5000), abs=1e-5)
    assert found.variants == 4


def test_scores_of_ldsc(tmp_path: Path) -> None:
    for chromosome in (1, 2):
        text = f"CHR\tSNP\tBP\tL2\n{chromosome}\trs{chromosome}\t500\t12.5\n"
        (tmp_path / f"{chromosome}.l2.ldscore.gz").write_bytes(gzip.compress(text.encode()))
        (tmp_path / f"{chromosome}.l2.M_5_50").write_text("1000\n")
    found = read_ldsc_scores(tmp_path)
    assert found.variants == 2000
    assert found.table.to_numpy().tolist() == [[1, 500, "rs1", 12.5], [2, 500, "rs2", 12.5]]
    (tmp_path / "2.l2.M_5_50").unlink()
    with pytest.raises(UserError, match="2 files .* and 1 "):
        read_ldsc_scores(tmp_path)
