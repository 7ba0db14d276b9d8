"""The page of `discover`: numbers of the tables, in their order; escaped; only what was made."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest

from ecglfm.cli import main
from ecglfm.config import UserError
from ecglfm.discovery.report import run_discovery_report
from ecglfm.provenance import write_json

HOSTILE = "<script>alert('rs1')</script>"
LOCI = f"""\
edf\tlocus\tchromosome\tlead_rsid\tbase_pair_location\tbeta\tp_value\tstart\tend\tnearest_gene
pr_ms\t1\t2\trs862\t730784\t0.573426\t6.41031e-23\t715294\t735681\tSCN5A
edf_0001\t2\tX\t{HOSTILE}\t99\t-0.25\t3e-9\t99\t99\t<b>GENE & "co"</b>
"""
PNG = b"\x89PNG not really"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """As steps leave it: loci, inflation, MR with two forest plots; nothing of survival or replication."""
    found = tmp_path / "results/discover/tiny"
    write_json(found / "people.json", {"people": 450, "samples": 460, "taking_part": 440, "covariates": ["<i>age</i>"]})
    (found / "loci.tsv").write_text(LOCI)
    (found / "loci.parquet").write_bytes(b"")
    (found / "lambda.tsv").write_text("edf\tvariants\tlambda\tmin_p\nedf_0001\t2000\t1.01253\t0.00149368\n")
    (found / "mr.tsv").write_text("exposure\toutcome\tbeta\tp_value\npr_ms\t<u>af</u>\t0.25\t0.0123\n")
    (found / "mr").mkdir()
    for name in ("pr_ms.af", "edf_0001.af"):
        (found / f"mr/{name}.forest.png").write_bytes(PNG)
    (found / "manhattan.png").write_bytes(PNG)
    return found


def page(folder: Path, **options: object) -> str:
    run_discovery_report(folder, folder / "index.html", **options)
    return (folder / "index.html").read_text()


def cells(text: str, title: str) -> list[list[str]]:
    """Rows of the table below a heading."""
    table = text.split(f"<h3>{title}</h3>")[1].split("</table>")[0]
    rows = re.findall(r"<tr>(.*?)</tr>", table)
    return [[html.unescape(one) for one in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row)] for row in rows]


def test_numbers_are_those_of_the_tables(folder: Path) -> None:
    text = page(folder)
    assert cells(text, "Lead variants") == [
        ["Trait", "Locus", "Chromosome", "Position", "Lead variant", "Effect", "P", "Nearest gene"],
        ["pr_ms", "1", "2", "730784", "rs862", "0.5734", "6.4e-23", "SCN5A"],
        ["edf_0001", "2", "X", "99", HOSTILE, "-0.25", "3e-09", '<b>GENE & "co"</b>'],
    ]
    assert cells(text, "Each trait over all variants")[1] == ["edf_0001", "2000", "1.013", "0.0015"]
    assert "<div><b>2</b>loci</div>" in text
    assert "<dt>With features</dt><dd>450</dd>" in text
    for file in ("loci.tsv", "loci.parquet", "lambda.tsv", "mr.tsv", "people.json"):
        assert f'href="{file}"' in text


def test_sections_are_in_order_and_only_those_that_were_made(folder: Path) -> None:
    text = page(folder)
    assert re.findall(r'<h2 id="(\w+)"', text) == ["people", "tests", "loci", "mr"]
    assert text.count("<b>Not shown:</b>") == 4
    assert text.count("data:image/png;base64,") == 3
    assert re.findall(r'<h2 id="(\w+)"', page(folder, without=["mr"])) == ["people", "tests", "loci"]


def test_what_comes_from_outside_is_escaped(folder: Path) -> None:
    text = page(folder)
    for escaped in ("&lt;script&gt;alert(", "&lt;u&gt;af", "&lt;i&gt;age", "&lt;b&gt;GENE &amp; &#34;co&#34;"):
        assert escaped in text
    for raw in ("<script", "<u>", "<i>", "<b>GENE"):
        assert raw not in text


def test_planted_variants_come_first(folder: Path) -> None:
    planted = folder.parent / "genotypes/planted.tsv"
    planted.parent.mkdir()
    planted.write_text("trait\trsid\tchromosome\tbase_pair_location\tbeta\nPR\trs862\t2\t730784\t1.2651\n")
    text = page(folder, planted=planted)
    assert re.findall(r'<h2 id="(\w+)"', text)[0] == "planted"
    assert 'href="../genotypes/planted.tsv"' in text
    assert "1 of 1 planted variants lie in a locus" in text
    assert "Loci where nothing was planted" in text


def test_the_same_files_give_the_same_bytes(folder: Path) -> None:
    first = page(folder)
    assert page(folder) == first
    assert main(["discover", "report", "--folder", str(folder), "--output", str(folder / "index.html")]) == 0
    assert (folder / "index.html").read_text() == first


def test_mistakes_are_named(folder: Path) -> None:
    with pytest.raises(UserError, match="--without gwas: no such section; there are people, traits"):
        page(folder, without=["gwas"])
    with pytest.raises(UserError, match="no such folder; `snakemake discover` makes it"):
        run_discovery_report(folder / "absent", folder / "index.html")
