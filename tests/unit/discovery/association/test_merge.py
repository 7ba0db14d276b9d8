"""Tables of chromosomes become one file a feature; what is missing or damaged is told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from ecglfm.config import UserError
from ecglfm.discovery.association import Design, run_merge
from ecglfm.discovery.association.merge import read_association
from ecglfm.discovery.summary import read_summary_statistics
from ecglfm.provenance import read_json, write_json

HEAD = "#CHROM\tPOS\tID\tREF\tALT\tA1\tA1_FREQ\tOBS_CT\tBETA\tSE\tP\n"
ROWS = {
    "2": ["2\t70\trs7\tC\tA\tA\t0.3\t100\t0.5\t0.1\t5.7e-07\n", "2\t80\trs8\tC\tA\tA\t0.3\t99\t0.1\t0.1\t0.4549\n"],
    "X": ["X\t9\trs9\tC\tA\tA\t0.3\t100\t40\t1\t1.2e-340\n", "X\t10\trs10\tC\t*\t*\t0.3\t100\t0.1\t0.1\t0.4\n"],
    "1": ["1\t5\trs5\tG\tT\tG\t0.6\t98\t0.2\t0.1\t0.05\n", "1\t6\trs6\tG\tT\tT\t0.6\t98\tNA\tNA\tNA\n"],
}


def write(path: Path, rows: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with pa.CompressedOutputStream(str(path), "zstd") as file:
        file.write((HEAD + "".join(rows)).encode())


def design(*names: str) -> Design:
    traits = pd.DataFrame({name: np.random.default_rng(at).standard_normal(30) for at, name in enumerate(names)})
    counts = {"phenotyped": 30, "genotyped": 30, "both": 30, "used": 30}
    return Design(traits[[]], traits, traits[[]], {"edf_0009": "the same for everybody"}, counts)


def folders(tmp_path: Path, *names: str) -> list[Path]:
    made = []
    for chromosome, rows in ROWS.items():
        made.append(tmp_path / "association" / chromosome / "1of1")
        for name in names:
            write(made[-1] / f"{name}.zst", rows)
        write_json(made[-1] / "association.json", {"traits": list(names)})
    return made


@pytest.mark.parametrize("threads", [1, 2])
def test_chromosomes_are_one_file_in_order(tmp_path: Path, threads: int) -> None:
    names = ("edf_0001", "edf_0002")
    run_merge(folders(tmp_path, *names), design(*names), tmp_path / "out", threads=threads)
    for name in names:
        table = read_summary_statistics(tmp_path / f"out/summary/{name}.tsv.zst")
        assert table["rsid"].tolist() == ["rs5", "rs7", "rs8", "rs9"]  # rs6 was not tested, rs10 spells no bases
        assert table["chromosome"].tolist() == [1, 2, 2, 23]
        assert table["effect_allele"].tolist() == ["G", "A", "A", "A"]
        assert table["other_allele"].tolist() == ["T", "C", "C", "C"]
        assert table["n"].tolist() == [98, 100, 99, 100]
    inflation = pd.read_csv(tmp_path / "out/lambda.tsv", sep="\t")
    assert inflation["variants"].tolist() == [4, 4]
    assert inflation["significant"].tolist() == [1, 1]
    least = pd.read_csv(tmp_path / "out/lambda.tsv", sep="\t", dtype=str)["min_p"]
    assert least.tolist() == ["7.31179e-350"] * 2  # of 40 standard errors
    assert (tmp_path / "out/skipped.tsv").read_text() == "edf\treason\nedf_0009\tthe same for everybody\n"
    for name in ("lambda", "skipped"):
        text = pd.read_csv(tmp_path / f"out/{name}.tsv", sep="\t")
        pd.testing.assert_frame_equal(
            pd.read_parquet(tmp_path / f"out/{name}.parquet"), text, check_dtype=False, rtol=1e-5
        )
    tests = read_json(tmp_path / "out/tests.json")
    assert tests["features"] == 2
    assert tests["people"]["used"] == 30


def test_no_feature_is_no_file(tmp_path: Path) -> None:
    run_merge(folders(tmp_path), design(), tmp_path / "out")
    assert list((tmp_path / "out/summary").iterdir()) == []
    assert read_json(tmp_path / "out/tests.json")["corrected"] == 5e-8


def test_imputation_quality_is_at_most_one(tmp_path: Path) -> None:
    """Of chromosome 2, which has dosages; the other has none."""
    made = folders(tmp_path, "edf_0001")
    path = made[0] / "edf_0001.zst"
    with pa.CompressedOutputStream(str(path), "zstd") as file:
        rows = (row.replace("\n", f"\t{r2}\n") for row, r2 in zip(ROWS["2"], ("0.75", "1.04"), strict=True))
        file.write((HEAD.replace("\n", "\tMACH_R2\n") + "".join(rows)).encode())
    run_merge(made, design("edf_0001"), tmp_path / "out")
    table = read_summary_statistics(tmp_path / "out/summary/edf_0001.tsv.zst").set_index("rsid")
    assert table["info"].dropna().to_dict() == {"rs7": 0.75, "rs8": 1.0}
    assert len(table) == 4


def test_a_feature_that_was_not_tested_everywhere_is_told(tmp_path: Path) -> None:
    made = folders(tmp_path, "edf_0001")
    with pytest.raises(UserError, match="edf_0002: tested on 0 of 3 chromosomes; run the association again"):
        run_merge(made, design("edf_0001", "edf_0002"), tmp_path / "out")
    (made[1] / "edf_0001.zst").unlink()
    with pytest.raises(UserError, match="edf_0001: tested on 2 of 3 chromosomes"):
        run_merge(made, design("edf_0001"), tmp_path / "out")


def test_a_cut_table_is_told(tmp_path: Path) -> None:
    path = folders(tmp_path, "edf_0001")[0] / "edf_0001.zst"
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(UserError, match=r"edf_0001\.zst: cannot be read"):
        read_association(path)
    write(path, [])
    assert len(read_association(path)) == 0
