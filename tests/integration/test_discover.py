"""`snakemake discover` on the demo: what is planted in the hearts of its people is found, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ecglfm.discovery.genotypes import read_bed
from ecglfm.provenance import read_json
from tests.integration.conftest import Clone, copy_clone
from tests.plink import need_plink

pytestmark = pytest.mark.slow

#: The measured trait that each planted one shows in.
TRAITS = {"voltage": "sokolow_lyon_mv", "PR": "pr_ms", "QTc": "qtc_fridericia_ms"}


@pytest.fixture(scope="module")
def discovered(demo: Clone, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    need_plink()
    clone = copy_clone(demo, tmp_path_factory.mktemp("discover") / "clone")
    clone.snakemake("discover")
    return clone


def test_the_planted_loci_are_found_and_nothing_else(discovered: Clone) -> None:
    """Each by the trait that it acts on; a lead is the planted variant, or linked to it."""
    folder = discovered.results / "discover"
    planted = pd.read_csv(folder / "genotypes/planted.tsv", sep="\t", dtype={"chromosome": str}).set_index("trait")
    loci = pd.read_csv(folder / "tiny/loci.tsv", sep="\t", dtype={"chromosome": str})
    found = loci.set_index("edf")
    for trait, measured in TRAITS.items():
        assert list(found.index).count(measured) == 1
        assert _r2(folder / "genotypes", planted.loc[trait], found.loc[measured, "lead_rsid"]) > 0.5
    for _, row in loci.iterrows():
        near = planted[planted["chromosome"] == row["chromosome"]]
        assert len(near) == 1, row
        assert _r2(folder / "genotypes", near.iloc[0], row["lead_rsid"]) > 0.1, row


def test_the_page_says_what_was_planted_and_found(discovered: Clone) -> None:
    page = (discovered.results / "discover/tiny/index.html").read_text()
    assert "3 of 3 planted variants lie in a locus" in page
    assert re.findall(r'<h2 id="(\w+)"', page) == [
        "planted", "people", "traits", "quality", "tests", "loci", "sets", "heritability", "dimensions", "biomarkers",
        "interpretation",
    ]  # fmt: skip


def _r2(folder: Path, planted: pd.Series, rsid: str) -> float:
    genotypes = read_bed(folder / f"chr{planted['chromosome']}")
    names = genotypes.variants["rsid"].tolist()
    calls = genotypes.calls_nv[:, [names.index(planted["rsid"]), names.index(rsid)]]
    return float(np.corrcoef(calls, rowvar=False)[0, 1] ** 2)


def test_everybody_takes_part(discovered: Clone) -> None:
    """Of both databases, joined by id; the covariate that says who has no age is that of the database, and left out."""
    folder = discovered.results / "discover/tiny"
    counts = read_json(folder / "people.json")
    assert (counts["people"], counts["taking_part"], counts["missing"]) == (450, 450, {"age": 150, "sex": 150})
    assert set(counts["left_out"]) == {"age_missing", "sex_missing"}
    phenotypes = pd.read_csv(folder / "phenotypes.tsv", sep="\t")
    assert phenotypes["IID"].str.partition("/")[0].value_counts().to_dict() == {"demo-ptbxl": 300, "demo-mimic": 150}


def test_a_credible_set_holds_the_planted_variant(discovered: Clone) -> None:
    folder = discovered.results / "discover"
    planted = pd.read_csv(folder / "genotypes/planted.tsv", sep="\t").set_index("trait")["rsid"]
    sets = pd.read_parquet(folder / "tiny/credible_sets.parquet").groupby("edf")["variant"].agg(set)
    for trait, measured in TRAITS.items():
        assert planted[trait] in sets[measured]
