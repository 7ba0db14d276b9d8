"""The nearest gene, of every form of annotation."""

from __future__ import annotations

import gzip
from pathlib import Path

import pandas as pd
import pytest

from ecglfm.config import UserError
from ecglfm.discovery.association.genes import nearest_genes, read_genes

GENES = [("1", 101, 200, "A"), ("1", 301, 400, "B"), ("23", 11, 20, "C")]
BED = "track name=x\nchr1 100 200 A\nchr1\t300\t400\tB\nchrX\t10\t20\tC\nchrUn_1\t1\t2\tD\n"
GFF = (
    "##gff-version 3\n1\te\tgene\t101\t200\t.\t+\t.\tID=gene:1;Name=A\n1\te\tmRNA\t1\t2\t.\t+\t.\tID=t;Name=no\n"
    "1\te\tgene\t301\t400\t.\t+\t.\tgene=B\nX\te\tgene\t11\t20\t.\t+\t.\tID=2;Name=C;biotype=x\n"
)
GTF = (
    'chr1\te\tgene\t101\t200\t.\t+\t.\tgene_id "1"; gene_name "A";\nchr1\te\tgene\t301\t400\t.\t+\t.\tgene_name "B"\n'
    'chrX\te\tgene\t11\t20\t.\t+\t.\tgene_id "3"; gene_name "C";\n'
)
TSV = "name\tchromosome\tstart\tend\nA\t1\t101\t200\nB\t1\t301\t400\nC\tX\t11\t20\n"


@pytest.mark.parametrize(
    ("name", "text"),
    [("g.bed", BED), ("g.gff3", GFF), ("g.gtf", GTF), ("g.tsv", TSV), ("g.csv", TSV.replace("\t", ","))],
)
def test_every_form_gives_the_same_genes(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    with gzip.open(tmp_path / f"{name}.gz", "wt") as file:
        file.write(text)
    for path in (tmp_path / name, tmp_path / f"{name}.gz"):
        rows = read_genes(path).to_numpy().tolist()
        assert [(str(row[0]), *row[1:]) for row in rows] == GENES


def test_the_nearest_is_found() -> None:
    genes = pd.DataFrame(GENES, columns=["chromosome", "start", "end", "name"]).astype({"chromosome": int})
    places = [(1, 150), (1, 100), (1, 250), (1, 251), (1, 900), (2, 5), (23, 40)]
    found = nearest_genes(pd.DataFrame(places, columns=["chromosome", "base_pair_location"]), genes)
    assert found["nearest_gene"].fillna("-").tolist() == ["A", "A", "A", "B", "B", "-", "C"]
    assert found["distance"].fillna(-1).tolist() == [0, 1, 50, 50, 500, -1, 20]


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        (
            "g.tsv",
            "gene\tchromosome\nA\t1\n",
            "not BED, GFF3 or GTF, and no table with columns chromosome, start, end, name",
        ),
        ("g.bed", "1\t2\n", "not BED, GFF3 or GTF"),
        ("g.bed", "scaffold_7\t2\t3\tA\n", "no gene on a chromosome"),
        ("g.gtf.gz", "no gzip", "cannot be read: Not a gzipped file"),
        ("g.tsv", "", "not BED, GFF3 or GTF"),
    ],
)
def test_what_is_no_annotation(tmp_path: Path, name: str, text: str, says: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(UserError, match=says):
        read_genes(tmp_path / name)
    with pytest.raises(UserError, match="cannot be read: No such file"):
        read_genes(tmp_path / "none.bed")
