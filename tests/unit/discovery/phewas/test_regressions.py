"""Regressions of a PheWAS: planted effects, a covariate that explains one away, discoveries among nulls."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ecglfm.discovery.phewas.regressions import scan

PEOPLE = 2000


def world() -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    generator = np.random.default_rng(0)
    age = generator.normal(60, 10, PEOPLE)
    edf = pd.DataFrame({"edf_0001": generator.normal(size=PEOPLE), "edf_0002": (age - 60) / 10})
    edf["edf_0002"] += generator.normal(size=PEOPLE)

    def disease(risk: np.ndarray) -> np.ndarray:
        return (generator.random(PEOPLE) < 1 / (1 + np.exp(2 - risk))).astype(float)

    phenotypes = pd.DataFrame(
        {
            "planted": disease(0.7 * edf["edf_0001"].to_numpy()),
            "of age": disease(0.1 * (age - 60)),
            "bmi": 27 + 4 * (0.3 * edf["edf_0001"] + np.sqrt(0.91) * generator.normal(size=PEOPLE)),
            "rare": np.repeat([1.0, 0.0], (5, PEOPLE - 5)),
        }
        | {f"null {number}": disease(np.zeros(PEOPLE)) for number in range(20)}
    )
    phenotypes.loc[:99, "planted"] = np.nan
    return edf, phenotypes, pd.DataFrame({"age": age, "sex": 1.0})


def test_planted_effects_are_found_and_others_not() -> None:
    edf, phenotypes, covariates = world()
    table, left_out = scan(edf, phenotypes, covariates, chapters={"planted": "circulatory"}, min_cases=50)
    rows = table.set_index(["edf", "phenotype"])
    planted = rows.loc[("edf_0001", "planted")]
    assert abs(planted["beta"] - 0.7) < 3 * planted["standard_error"]
    assert (planted["n"], planted["cases"]) == (1900, phenotypes["planted"].sum())
    assert (planted["chapter"], planted["kind"]) == ("circulatory", "disease")
    assert rows.loc[("edf_0001", "bmi"), "beta"] == pytest.approx(0.3, abs=0.06)
    assert abs(rows.loc[("edf_0002", "of age"), "beta"]) < 3 * rows.loc[("edf_0002", "of age"), "standard_error"]
    assert set(table[table["q_value"] < 0.05]["phenotype"]) == {"planted", "bmi"}
    assert left_out == {"rare": "5 cases and 1995 controls; each needs 50"}
    assert len(table) == 2 * 23


def test_without_its_covariate_age_is_seen() -> None:
    edf, phenotypes, covariates = world()
    table, _ = scan(edf, phenotypes[["of age"]], covariates[["sex"]], chapters={}, min_cases=50)
    assert table.set_index("edf").loc["edf_0002", "p_value"] < 1e-8


def test_q_values_by_hand() -> None:
    """Benjamini and Hochberg: the smallest of p m / rank from there on."""
    edf, phenotypes, covariates = world()
    table, _ = scan(edf, phenotypes, covariates, chapters={}, min_cases=50)
    p = np.sort(table["p_value"].to_numpy())
    q = np.minimum.accumulate((p * len(p) / np.arange(1, len(p) + 1))[::-1])[::-1]
    assert np.sort(table["q_value"].to_numpy()) == pytest.approx(q)


def test_what_cannot_be_fitted_has_no_row() -> None:
    edf, _, covariates = world()
    separated = pd.DataFrame({"split": (edf["edf_0001"] > 0).astype(float), "flat": 1.5})
    table, left_out = scan(edf[["edf_0001"]], separated, covariates, chapters={}, min_cases=50)
    assert table.empty
    assert list(left_out) == ["flat"]
