"""What JSON files say, counted by hand."""

from __future__ import annotations

from pathlib import Path

from ecglfm.discovery.report.facts import (
    biomarker_lines,
    headline,
    interpretation_lines,
    people_lines,
    phewas_lines,
    planted_lines,
    planted_tables,
    quality_lines,
    quality_tables,
    survival_lines,
    threshold_lines,
    trait_lines,
    trait_tables,
)
from ecglfm.provenance import write_json

#: A locus of PR that spans its variant by linkage, and one between two planted variants, which it does not hold.
LOCI = """\
edf\tchromosome\tlead_rsid\tp_value\tstart\tend
edf_1\t2\trs8\t1e-9\t90\t120
pr_ms\t2\trs9\t1e-12\t80\t100
edf_1\t1\trs1\t4e-8\t100\t100
"""
PLANTED = """\
trait\trsid\tchromosome\tbase_pair_location\teffect_allele\tother_allele\tbeta
PR\trs7\t2\t100\tA\tG\t1.25
QTc\trs5\t1\t99\tA\tG\t1.5
voltage\trs6\t1\t101\tA\tG\t1.5
"""


def test_planted_variants_are_found_where_a_locus_spans_them(tmp_path: Path) -> None:
    (tmp_path / "loci.tsv").write_text(LOCI)
    (tmp_path / "planted.tsv").write_text(PLANTED)
    assert dict(planted_lines(tmp_path, tmp_path / "planted.tsv")) == {
        "Found": "1 of 3 planted variants lie in a locus",
        "Loci where nothing was planted": "1 of 3",
    }
    (table,) = planted_tables(tmp_path, tmp_path / "planted.tsv")
    assert table.rows == [
        ["PR", "rs7", "2", "100", "1.25", "yes", "pr_ms", "rs9", "1e-12"],
        ["QTc", "rs5", "1", "99", "1.5", "no", "–", "–", "–"],
        ["voltage", "rs6", "1", "101", "1.5", "no", "–", "–", "–"],
    ]


def test_people_are_counted_down_to_the_association(tmp_path: Path) -> None:
    counts = {"people": 500, "samples": 900, "taking_part": 450, "covariates": ["age", "sex"], "missing": {"age": 7}}
    write_json(tmp_path / "people.json", counts | {"left_out": {}, "listed": {"withdrawn.csv": 3}})
    write_json(tmp_path / "tests.json", {"people": {"used": 440}})
    assert list(dict(people_lines(tmp_path)).values()) == [
        "500", "900", "450", "440", "age, sex", "age: 7", "withdrawn.csv: 3",
    ]  # fmt: skip


def test_variants_are_summed_over_chromosomes_in_their_order(tmp_path: Path) -> None:
    for name, kept in (("10", 5), ("2", 7), ("X", 1)):
        count = {"variants": 10, "maf": 10 - kept, "kept": kept, "people": 450}
        write_json(tmp_path / f"genotypes/{name}/quality.json", count)
    (tmp_path / "structure").mkdir()
    (tmp_path / "structure/dropped.tsv").write_text("#FID\tIID\treason\na\ta\trelated\n")
    assert list(dict(quality_lines(tmp_path)).values()) == ["13 of 30 stay", "450", "1"]
    (table,) = quality_tables(tmp_path)
    assert table.heads == ["Chromosome", "Variants", "MAF", "Kept", "People"]
    assert [row[:4] for row in table.rows] == [["2", "10", "3", "7"], ["10", "10", "5", "5"], ["X", "10", "9", "1"]]


def test_traits_and_thresholds(tmp_path: Path) -> None:
    features = [{"component": 1, "explained": 0.5943, "name": "edf_0001", "variance": 4.0}]
    dropped = [{"name": "edf_0002", "reason": "constant"}]
    about = {"kind": "components", "record": "first", "transform": "ranks", "features": features, "dropped": dropped}
    write_json(tmp_path / "edf.json", about)
    assert dict(trait_lines(tmp_path))["Dropped"] == "edf_0002, constant"
    assert trait_tables(tmp_path)[0].rows == [["edf_0001", "1", "0.5943", "4"]]
    tests = {"features": 13, "effective_number": 12.25, "method": "Li and Ji 2005", "genome_wide": 5e-8}
    write_json(tmp_path / "tests.json", tests | {"corrected": 5e-8 / 12.25, "covariates": ["age", "PC1"]})
    assert list(dict(threshold_lines(tmp_path)).values()) == [
        "13", "12.25 (Li and Ji 2005)", "5e-08", "4.1e-09", "age, PC1",
    ]  # fmt: skip


def test_phenotypes(tmp_path: Path) -> None:
    whose = {"intervals_from": {"machine": 150, "ecglfm": 300}}
    agreement = {"pr_ms": {"bias_ms": -45.035, "sd_ms": 9.225, "records": 111}}
    about = {"people": 450, "adjusted_for": ["age"], "without_age_or_sex": 150, "pairs": 490, "significant_pairs": 178}
    write_json(tmp_path / "biomarkers.json", about | {"whose": whose, "agreement": agreement})
    assert list(dict(biomarker_lines(tmp_path)).values())[3:] == [
        "178 of 490", "intervals from ecglfm: 300; intervals from machine: 150",
        "pr_ms: ours less the machine's -45.03 ms, SD 9.225 ms (111 records)",
    ]  # fmt: skip
    about = {"people": 90, "events": 20, "event": "death", "without_follow_up": 5, "without_age_or_sex": 4}
    write_json(tmp_path / "survival.json", about | {"adjusted_for": ["age", "sex"], "significant": 1, "features": 10})
    assert list(dict(survival_lines(tmp_path)).values()) == [
        "90", "20 (death)", "5 without follow-up, 4 without age or sex", "age, sex", "1 of 10",
    ]  # fmt: skip
    about = {"people": 450, "without_age_or_sex": 150, "without_components": 2, "covariates": ["age", "PC1"]}
    left_out = {f"p{number}": "3 cases and 9 controls; each needs 50" for number in range(7)}
    write_json(
        tmp_path / "phewas.json", about | {"left_out": left_out, "pairs": 20, "significant_pairs": 1, "fdr": 0.05}
    )
    *lines, (name, said) = phewas_lines(tmp_path)
    assert [value for _, value in lines] == ["450", "150", "2", "age, PC1", "1 of 20"]
    assert lines[-1][0] == "Pairs with q of at most 0.05"
    assert name == "Phenotypes left out"
    assert said.endswith(", p4 (3 cases and 9 controls; each needs 50), and 2 more")
    end = {"explained": 6}
    features = {"a": {"high": end, "low": end, "completeness_error": 0.0123}}
    features["b"] = {"high": {"explained": 0}, "low": end, "completeness_error": None}
    write_json(tmp_path / "interpretation.json", {"features": features})
    assert interpretation_lines(tmp_path) == [
        ("a", "6 people with much, 6 with little; largest error of the sum 1.2 %"),
        ("b", "0 people with much, 6 with little; could not be explained"),
    ]


def test_the_headline_counts(tmp_path: Path) -> None:
    """Of three rows two features share a locus."""
    (tmp_path / "loci.tsv").write_text("edf\tlocus\na\t1\nb\t1\nb\t2\n")
    write_json(tmp_path / "tests.json", {"people": {"used": 440}, "features": 13})
    for name, kept in (("1", 500), ("2", 400)):
        write_json(tmp_path / f"genotypes/{name}/quality.json", {"kept": kept})
    assert headline(tmp_path) == [
        ("people", "440"), ("traits", "13"), ("variants", "900"), ("loci", "2"), ("traits with a locus", "2"),
    ]  # fmt: skip


def test_without_files_nothing_is_said(tmp_path: Path) -> None:
    for lines in (
        people_lines, trait_lines, quality_lines, threshold_lines, biomarker_lines, survival_lines, phewas_lines
    ):  # fmt: skip
        assert lines(tmp_path) == []
    assert headline(tmp_path) == []
    assert interpretation_lines(tmp_path) == trait_tables(tmp_path) == quality_tables(tmp_path) == []
