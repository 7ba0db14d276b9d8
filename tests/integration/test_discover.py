"""`snakemake discover` on the demo: what is planted in the hearts of its people is found, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from ecglfm import load_model
from ecglfm.discovery.features.normal import rank_inverse_normal
from ecglfm.discovery.genotypes import read_bed
from ecglfm.discovery.summary import read_summary_statistics, write_summary_statistics
from ecglfm.provenance import read_json
from tests.dosages import write_dosages
from tests.integration.conftest import Clone, copy_clone
from tests.plink import need_plink

pytestmark = pytest.mark.slow

#: The measured trait that each planted one shows in.
TRAITS = {"voltage": "sokolow_lyon_mv", "PR": "pr_ms", "QTc": "qtc_fridericia_ms"}
#: Of each end of a feature, people whose ECG is explained, and whose beats are averaged.
FEW = {"features": 1, "records": 2, "beats": 10}


@pytest.fixture(scope="module")
def discovered(demo: Clone, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    need_plink()
    clone = copy_clone(demo, tmp_path_factory.mktemp("discover") / "clone")
    clone.edit("config/config.yaml", discover={"interpretation": FEW})  # pictures that nobody looks at here
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


@pytest.fixture(scope="module")
def studied(discovered: Clone, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A study with all that a user may name: imputed genotypes, features by attribution, outcomes, a second cohort."""
    clone = copy_clone(discovered, tmp_path_factory.mktemp("study") / "clone")
    data, folder = clone.root / "data", clone.results / "discover"
    for chromosome in ("1", "2"):
        genotypes = read_bed(folder / f"genotypes/chr{chromosome}")
        write_dosages(data / f"chr{chromosome}", imputed(genotypes.calls_nv), genotypes,
                      "--export", "bgen-1.2", "bits=16", "ref-first")  # fmt: skip
    people = pd.read_parquet(folder / "tiny/people.parquet").query("source == 'demo-ptbxl'")
    measured = pd.read_parquet(folder / "tiny/biomarkers.parquet").set_index("patient_id")["pr_ms"]
    number = np.arange(len(people))
    ids = people[["patient_id"]]
    ids.assign(IID=ids["patient_id"], array=number % 3)[["IID", "array"]].to_csv(data / "array.csv", index=False)
    (data / "withdrawn.txt").write_text(f"{people['patient_id'].iloc[0]}\n")
    pr = rank_inverse_normal(measured.reindex(people["patient_id"]).to_numpy())
    ids.assign(pr=pr).sample(frac=1, random_state=0).to_csv(data / "outcomes.csv", index=False)
    ids[number % 4 == 0].assign(code="I48.0").to_csv(data / "codes.csv", index=False)
    (data / "phenotypes.yaml").write_text("af: {include: [I48]}\nrare: {include: [Q24]}\n")
    ids.assign(years=1 + number % 9, died=number % 2).to_csv(data / "deaths.csv", index=False)
    theirs = read_summary_statistics(folder / "tiny/summary/sokolow_lyon_mv.tsv.zst")
    turned = theirs.rename(columns={"effect_allele": "other_allele", "other_allele": "effect_allele"})
    turned = turned.assign(beta=-theirs["beta"], effect_allele_frequency=1 - theirs["effect_allele_frequency"])
    write_summary_statistics(data / "theirs.tsv.gz", turned)
    (data / "genes.bed").write_text("1\t100\t200\tFAR\n2\t700000\t720000\tSCN5A\n2\t100\t200\tSCN10A\n")
    clone.edit("config/config.yaml", discover=STUDY)
    clone.snakemake("discover")
    return clone


STUDY: dict = {
    "features": {"kind": "attribution", "task": "diagnosis", "label": "AFIB", "count": 2, "sources": ["demo-ptbxl"]},
    "people": {
        "covariates": ["age", "sex", "array"], "table": "data/array.csv", "categorical": ["array"],
        "exclude": ["data/withdrawn.txt"], "measured": ["pr_ms", "sokolow_lyon_mv"],
    },
    "genotypes": {"files": "data/chr{chromosome}.bgen", "sample": "data/chr1.sample", "chromosomes": ["1", "2"]},
    "quality": {"min_info": 0.3, "min_hwe_p": 0},
    "structure": {"components": 3},
    "association": {"batch": 3, "loci": {"p": 1e-6, "genes": "data/genes.bed"}},
    "heritability": {"panel": ["results/discover/genotypes/chr1", "results/discover/genotypes/chr2"]},
    "interpretation": FEW,
    "mr": {
        "outcomes": {"pr": {"column": "pr"}, "theirs": {"statistics": "data/theirs.tsv.gz"}},
        "table": "data/outcomes.csv",
    },
    "replication": {"cohorts": {"second": {"sokolow_lyon_mv": "data/theirs.tsv.gz"}}},
    "phewas": {"codes": "data/codes.csv", "definitions": "data/phenotypes.yaml", "min_cases": 20},
    "survival": {"time": "years", "event": "died", "table": "data/deaths.csv", "bootstrap": 20},
}  # fmt: skip
BADLY = slice(0, 10)  # imputed variants


def imputed(calls_nv: np.ndarray) -> np.ndarray:
    """Dosages: of the first ten variants hardly more than the mean, MaCH r² 0.09; of the others 0.94."""
    dosage_nv = 0.97 * calls_nv + 0.03 * calls_nv.mean(axis=0)
    dosage_nv[:, BADLY] = 0.3 * calls_nv[:, BADLY] + 0.7 * calls_nv[:, BADLY].mean(axis=0)
    return dosage_nv


def test_features_by_attribution_are_of_the_models_own_vectors(studied: Clone) -> None:
    """Whose head makes the probabilities of evaluation of them; the two dimensions are those that it relies on most.

    Of the pretrained encoder's vectors it makes others, though it began as a probe of them.
    """
    about = read_json(studied.results / "discover/tiny/edf.json")
    model = load_model(studied.results / "finetune/tiny/diagnosis/full-s0")
    weight_d = model.head.weight[model.label_names.index("AFIB")].detach().numpy()
    vectors = pd.read_parquet(studied.results / "discover/tiny/embed/demo-ptbxl.parquet").set_index("record")
    names = [name for name in vectors if name.startswith("vector.")]
    said = pd.read_parquet(studied.results / "evaluate/tiny/diagnosis/full-s0/predictions.parquet")
    said = said[said["record_id"].isin(vectors.index)].set_index("record_id")["probability.AFIB"]
    assert spearmanr(vectors.loc[said.index, names].to_numpy() @ weight_d, said).statistic > 0.98
    encoders = pd.read_parquet(studied.results / "embed/tiny/demo-ptbxl.parquet").set_index("record")
    assert spearmanr(encoders.loc[said.index, names].to_numpy() @ weight_d, said).statistic < 0.9
    people = pd.read_parquet(studied.results / "discover/tiny/people.parquet")
    x_nd = vectors.loc[people["record_id"], names].to_numpy()
    share_d = np.abs((x_nd - x_nd.mean(axis=0)) * weight_d).mean(axis=0)
    most = np.argsort(-share_d)[:2]
    assert [one["dimension"] for one in about["features"]] == most.tolist()
    raw = pd.read_parquet(studied.results / "discover/tiny/edf_raw.parquet")
    np.testing.assert_allclose(raw[f"edf_{most[0]:04d}"], x_nd[:, most[0]], rtol=1e-6)
    explained = read_json(studied.results / "discover/tiny/interpretation.json")["features"]
    assert 0 <= explained[f"edf_{most[0]:04d}"]["completeness_error"] < 0.02


def test_badly_imputed_variants_are_left_out_and_info_is_told(studied: Clone) -> None:
    folder = studied.results / "discover/tiny"
    for chromosome in ("1", "2"):
        counts = read_json(folder / f"genotypes/{chromosome}/quality.json")
        assert counts.get("missing", 0) == 0
        assert counts["info"] == 10
    assert read_summary_statistics(folder / "summary/pr_ms.tsv.zst")["info"].median() == pytest.approx(0.94, abs=0.03)


def test_features_go_in_batches_and_loci_have_genes_of_the_users_file(studied: Clone) -> None:
    folder = studied.results / "discover/tiny"
    assert {"1of2", "2of2"} <= {path.name for path in (folder / "association/1").iterdir()}
    loci = pd.read_csv(folder / "loci.tsv", sep="\t").set_index("edf")
    assert loci.loc["pr_ms", ["lead_rsid", "nearest_gene", "distance"]].tolist() == ["rs862", "SCN5A", 10784]


def test_a_second_cohort_replicates_under_its_own_names(studied: Clone) -> None:
    """Its alleles are the other ones; it is the study itself, with more people. It has one of both traits."""
    table = pd.read_parquet(studied.results / "discover/tiny/replication.parquet").set_index("edf")
    assert table["reason"].fillna("").to_dict() == {"pr_ms": "no file", "sokolow_lyon_mv": ""}
    assert table.loc["sokolow_lyon_mv", ["tested", "same_direction", "replicates"]].tolist() == [True] * 3


def test_an_outcome_that_is_the_exposure_has_its_effect(studied: Clone) -> None:
    """Of the people's own dosages 1; of the second cohort, of more people, what its turned file says of the variant."""
    folder = studied.results / "discover/tiny"
    beta = pd.read_parquet(folder / "mr.parquet").set_index(["exposure", "outcome"])["beta"]
    assert beta["pr_ms", "pr"] == pytest.approx(1, abs=1e-3)
    found = pd.read_parquet(folder / "mr_instruments.parquet").set_index(["exposure", "outcome"])["variant"]
    own, theirs = (
        read_summary_statistics(path).set_index("rsid")["beta"][found["sokolow_lyon_mv", "theirs"]]
        for path in (folder / "summary/sokolow_lyon_mv.tsv.zst", studied.root / "data/theirs.tsv.gz")
    )
    assert beta["sokolow_lyon_mv", "theirs"] == pytest.approx(-theirs / own, rel=1e-4)
    assert -theirs / own > 0.5
    assert abs(beta["sokolow_lyon_mv", "pr"]) < 0.4
    checks = pd.read_parquet(folder / "mr_checks.parquet").set_index(["exposure", "outcome"])
    assert checks.loc[("pr_ms", "theirs"), "variants_palindromes_dropped"] == 1


def test_people_are_counted_on_the_page(studied: Clone) -> None:
    folder = studied.results / "discover/tiny"
    about = read_json(folder / "phewas.json")
    assert (about["people"], about["without_age_or_sex"], about["without_components"]) == (300, 0, 1)
    assert about["left_out"] == {"rare": "0 cases and 299 controls; each needs 20"}
    assert pd.read_parquet(folder / "phewas.parquet")[["n", "cases"]].to_numpy().tolist() == [[299, 74]] * 2
    assert read_json(folder / "survival.json")["events"] == 150
    page = (folder / "index.html").read_text()
    assert re.findall(r'<h2 id="(\w+)"', page) == [
        "people", "traits", "quality", "tests", "loci", "sets", "heritability", "dimensions", "mr", "replication",
        "phewas", "biomarkers", "survival", "interpretation",
    ]  # fmt: skip
    assert "Without genetic components, and so in no regression" in page


def test_regenie_has_its_two_steps(studied: Clone) -> None:
    """It is not to be had here: rules and their commands are planned, in the place of PLINK 2's regression."""
    config = "discover={association: {engine: regenie, batch: 3}}"
    shown = studied.snakemake("-n", "-p", "discover", "--config", config)
    assert re.search(r"discover predict --config \S+ --phenotypes \S+phenotypes\.tsv .* --batch 1/2", shown)
    assert len(re.findall(r"discover associate .* --predictions results/discover/tiny/predictions/1of2", shown)) == 2
