"""What the JSON files of other steps say, as lines of a name and a value, and tables that are made of several files."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from ecglfm.discovery.report.tables import Shown, read_table, shown
from ecglfm.evaluation.report import read_if_there
from ecglfm.provenance import read_json

#: Lines of the page, name and value.
Lines = list[tuple[str, str]]
_NAMED = 5  # phenotypes that are left out, on the page


def read_some(path: Path) -> dict[str, Any]:
    """A JSON file; nothing where there is none."""
    found: dict[str, Any] = read_if_there(path, read_json) or {}
    return found


def headline(folder: Path) -> Lines:
    """How much there is of everything, as numbers and what they count."""
    tests, loci = read_some(folder / "tests.json"), folder / "loci.tsv"
    table = read_table(loci) if loci.is_file() else None
    quality = [read_some(path)["kept"] for path in _quality_files(folder)]
    numbers = [
        ("people", tests.get("people", {}).get("used")),
        ("traits", tests.get("features")),
        ("variants", sum(quality) if quality else None),
        ("loci", None if table is None else table["locus"].nunique()),
        ("traits with a locus", None if table is None else table["edf"].nunique()),
    ]
    return _said(numbers)


def people_lines(folder: Path) -> Lines:
    """Who has features, who is genotyped, who stays."""
    counts, used = read_some(folder / "people.json"), read_some(folder / "tests.json").get("people", {})
    lines = [
        ("With features", counts.get("people")),
        ("In the genotype files", counts.get("samples")),
        ("In both, and on no list of those left out", counts.get("taking_part")),
        ("In the association, after quality control", used.get("used")),
        ("Covariates", ", ".join(counts.get("covariates", []))),
        ("Covariate not known of", _counted(counts.get("missing", {}))),
        ("Left out of the covariates", _counted(counts.get("left_out", {}))),
        ("Lists of people", _counted(counts.get("listed", {}))),
    ]
    return _said(lines)


def trait_lines(folder: Path) -> Lines:
    """How features are made of vectors."""
    about = read_some(folder / "edf.json")
    dropped = about.get("dropped", [])
    lines = [
        ("Kind", about.get("kind")),
        ("Features", len(about["features"]) if about else None),
        ("Record of a person", about.get("record")),
        ("Transform", about.get("transform")),
        ("Dropped", "; ".join(_described(one) for one in dropped) if dropped else ("none" if about else None)),
    ]
    return _said(lines)


def trait_tables(folder: Path) -> list[Shown]:
    """A row a feature."""
    file = folder / "edf.json"
    features = pd.DataFrame(read_some(file).get("features", []))
    if features.empty:
        return []
    first = ["name", *(name for name in features if name != "name")]
    return [shown(features[first].rename(columns={"name": "edf"}), "Features", file)]


def quality_lines(folder: Path) -> Lines:
    """How many variants and people there were, and are."""
    counts = [read_some(path) for path in _quality_files(folder)]
    if not counts:
        return []
    people = {count["people"] for count in counts if "people" in count}
    dropped = folder / "structure/dropped.tsv"
    left_out = len(read_table(dropped)) if dropped.is_file() else None
    lines = [
        ("Variants", f"{sum(one['kept'] for one in counts)} of {sum(one['variants'] for one in counts)} stay"),
        ("People whose genotypes were read", " or ".join(map(str, sorted(people)))),
        ("Left out: calls missing, or related to another", left_out),
    ]
    return _said(lines)


def quality_tables(folder: Path) -> list[Shown]:
    """Variants left out by chromosome and reason, and eigenvalues of the genetic components."""
    files = _quality_files(folder)
    rows = [{"chromosome": path.parent.name, **read_some(path)} for path in files]
    found = []
    if rows:
        table = pd.DataFrame(rows)
        last = [name for name in ("kept", "renamed", "people") if name in table]
        reasons = [name for name in map(str, table) if name not in ("chromosome", "variants", *last)]
        order = ["chromosome", "variants", *sorted(reasons), *last]
        found.append(shown(table[order], "Variants by chromosome, and why some were left out", *files))
    components = folder / "structure/eigenvalues.tsv"
    if components.is_file():
        pca = folder / "structure/pca.tsv"
        found.append(shown(read_table(components), "Genetic components", components, pca, most=10))
    return found


def _quality_files(folder: Path) -> list[Path]:
    """In the order of chromosomes, 2 before 10 and both before X."""
    names = {path.parent.name: path for path in folder.glob("genotypes/*/quality.json")}
    return [names[name] for name in sorted(names, key=lambda name: (not name.isdecimal(), name.zfill(9)))]


def threshold_lines(folder: Path) -> Lines:
    """How many tests, and which thresholds they ask for."""
    tests = read_some(folder / "tests.json")
    if not tests:
        return []
    lines = [
        ("Traits", tests["features"]),
        ("Effective number of traits", f"{tests['effective_number']:.4g} ({tests['method']})"),
        ("Genome-wide threshold", f"{tests['genome_wide']:.2g}"),
        ("Corrected for the effective number", f"{tests['corrected']:.2g}"),
        ("Regressed beside each variant", ", ".join(tests["covariates"])),
    ]
    return _said(lines)


def planted_lines(folder: Path, planted: Path) -> Lines:
    """How many of the planted variants lie in a locus, and how many loci lie elsewhere."""
    table, loci = read_table(planted), read_table(folder / "loci.tsv")
    hits = [_at(loci, row) for _, row in table.iterrows()]
    explained = pd.concat([loci.iloc[:0], *hits]).index.unique()
    return [
        ("Found", f"{sum(not hit.empty for hit in hits)} of {len(table)} planted variants lie in a locus"),
        ("Loci where nothing was planted", f"{len(loci) - len(explained)} of {len(loci)}"),
    ]


def planted_tables(folder: Path, planted: Path) -> list[Shown]:
    """Beside each planted variant the strongest locus that holds it."""
    loci = read_table(folder / "loci.tsv")
    rows = []
    for _, row in read_table(planted).iterrows():
        hit = _at(loci, row).sort_values("p_value", kind="stable").head(1)
        one = hit.iloc[0] if len(hit) else None
        rows.append({
            "acts on": row["trait"], "rsid": row["rsid"], "chromosome": row["chromosome"],
            "base_pair_location": row["base_pair_location"], "planted effect": row["beta"],
            "found": one is not None, "by": None if one is None else one["edf"],
            "lead_rsid": None if one is None else one["lead_rsid"], "p_value": None if one is None else one["p_value"],
        })  # fmt: skip
    return [shown(pd.DataFrame(rows), "Planted variants, and the strongest locus that holds each", planted)]


def _at(loci: pd.DataFrame, planted: pd.Series) -> pd.DataFrame:
    place = planted["base_pair_location"]
    return loci[(loci["chromosome"] == planted["chromosome"]) & (loci["start"] <= place) & (place <= loci["end"])]


def biomarker_lines(folder: Path) -> Lines:
    """Who was measured, by whom, and how many pairs stand out."""
    about = read_some(folder / "biomarkers.json")
    whose = {
        f"{what.replace('_', ' ')} {who}": n for what, of in about.get("whose", {}).items() for who, n in of.items()
    }
    agreement = "; ".join(
        f"{name}: ours less the machine's {one['bias_ms']:.4g} ms, SD {one['sd_ms']:.4g} ms ({one['records']} records)"
        for name, one in sorted(about.get("agreement", {}).items())
    )
    lines = [
        ("People", about.get("people")),
        ("Adjusted for", ", ".join(about.get("adjusted_for", []))),
        ("Without age or sex, and so in no correlation", about.get("without_age_or_sex")),
        ("Pairs with q below 0.05", f"{about['significant_pairs']} of {about['pairs']}" if about else None),
        ("Measured by", _counted(whose)),
        ("Agreement with the machine", agreement),
    ]
    return _said(lines)


def phewas_lines(folder: Path) -> Lines:
    """Whom a PheWAS is of, and what it leaves out."""
    about = read_some(folder / "phewas.json")
    left_out = [f"{name} ({why})" for name, why in about.get("left_out", {}).items()]
    more = len(left_out) - _NAMED
    found = f"{about['significant_pairs']} of {about['pairs']}" if "pairs" in about else None
    lines = [
        ("People", about.get("people")),
        ("Without age or sex, and so in no regression", about.get("without_age_or_sex")),
        ("Without genetic components, and so in no regression", about.get("without_components")),
        ("Adjusted for", ", ".join(about.get("covariates", []))),
        (f"Pairs with q of at most {about.get('fdr')}", found),
        ("Phenotypes left out", ", ".join([*left_out[:_NAMED], *([f"and {more} more"] if more > 0 else [])])),
    ]
    return _said(lines)


def survival_lines(folder: Path) -> Lines:
    """How many people and events there are."""
    about = read_some(folder / "survival.json")
    if not about:
        return []
    lines = [
        ("People", about["people"]),
        ("Events", f"{about['events']} ({about['event']})"),
        (
            "Left out",
            f"{about['without_follow_up']} without follow-up, {about['without_age_or_sex']} without age or sex",
        ),
        ("Adjusted for", ", ".join(about["adjusted_for"])),
        ("Features with q below 0.05", f"{about['significant']} of {about['features']}"),
    ]
    return _said(lines)


def interpretation_lines(folder: Path) -> Lines:
    """Of how many people each feature is explained, and how exactly."""
    about = read_some(folder / "interpretation.json")
    lines: list[tuple[str, Any]] = []
    for name, one in about.get("features", {}).items():
        error = one["completeness_error"]
        exact = "could not be explained" if error is None else f"largest error of the sum {100 * error:.2g} %"
        ends = f"{one['high']['explained']} people with much, {one['low']['explained']} with little"
        lines.append((name, f"{ends}; {exact}"))
    return _said(lines)


def _said(lines: Iterable[tuple[str, Any]]) -> Lines:
    return [(name, str(value)) for name, value in lines if value is not None and value != ""]


def _counted(counts: dict[str, Any]) -> str:
    return "; ".join(f"{name}: {value}" for name, value in counts.items())


def _described(one: Any) -> str:
    return ", ".join(map(str, one.values())) if isinstance(one, dict) else str(one)
