"""Partial rank correlations and slopes, against formulas by hand and against statsmodels."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import false_discovery_control, pearsonr, rankdata, spearmanr

from ecglfm.discovery.biomarkers.associate import COLUMNS, associate

sm = pytest.importorskip("statsmodels.api")


def people(n: int = 400, seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """EDF a is a biomarker's cause, b is noise; both it and PR go up with age, which is no cause between them."""
    rng = np.random.default_rng(seed)
    age, sex = rng.uniform(20, 90, n), rng.integers(0, 2, n).astype(float)
    a, b = rng.normal(size=(2, n))
    confounded = 0.05 * (age - 55) + rng.normal(size=n)
    edf = pd.DataFrame({"a": a, "b": b, "confounded": confounded})
    biomarkers = pd.DataFrame({
        "qrs_ms": 90 + 4 * a + 6 * sex + rng.normal(0, 6, n),
        "pr_ms": 155 + 0.5 * (age - 55) + rng.normal(0, 8, n),
    })  # fmt: skip
    return edf, biomarkers, pd.DataFrame({"age": age, "sex": sex})


def row(table: pd.DataFrame, edf: str, biomarker: str) -> pd.Series:
    return table.set_index(["edf", "biomarker"]).loc[(edf, biomarker)]


def test_planted_effects_are_found_and_confounded_ones_are_not():
    edf, biomarkers, covariates = people()
    found = associate(edf, biomarkers, covariates)
    assert list(found) == COLUMNS
    a = row(found, "a", "qrs_ms")
    assert a["effect_low"] < 4 * edf["a"].std() < a["effect_high"]
    assert a["q_value"] < 1e-10
    assert spearmanr(edf["confounded"], biomarkers["pr_ms"]).pvalue < 1e-10
    assert row(found, "confounded", "pr_ms")["q_value"] > 0.05


def test_rho_is_that_of_residuals_of_ranks():
    edf, biomarkers, covariates = people()
    one = row(associate(edf, biomarkers, covariates), "a", "qrs_ms")
    design = sm.add_constant(rankdata(covariates.to_numpy(), axis=0))
    x, y = (sm.OLS(rankdata(values), design).fit().resid for values in (edf["a"], biomarkers["qrs_ms"]))
    assert one["rho"] == pytest.approx(pearsonr(x, y).statistic, rel=1e-9)
    n, z = 400, np.arctanh(one["rho"])
    width = 1.959964 * np.sqrt((1 + one["rho"] ** 2 / 2) / (n - 3 - 2))
    assert one["rho_low"] == pytest.approx(np.tanh(z - width), rel=1e-6)
    assert one["rho_high"] == pytest.approx(np.tanh(z + width), rel=1e-6)


def test_one_covariate_by_the_textbook():
    edf, biomarkers, covariates = people()
    one = row(associate(edf, biomarkers, covariates[["age"]]), "confounded", "pr_ms")
    r = {pair: spearmanr(*pair_values).statistic for pair, pair_values in {
        "xy": (edf["confounded"], biomarkers["pr_ms"]), "xz": (edf["confounded"], covariates["age"]),
        "yz": (biomarkers["pr_ms"], covariates["age"]),
    }.items()}  # fmt: skip
    by_hand = (r["xy"] - r["xz"] * r["yz"]) / np.sqrt((1 - r["xz"] ** 2) * (1 - r["yz"] ** 2))
    assert one["rho"] == pytest.approx(by_hand, rel=1e-9)


def test_effect_is_least_squares():
    edf, biomarkers, covariates = people()
    one = row(associate(edf, biomarkers, covariates), "b", "pr_ms")
    fit = sm.OLS(biomarkers["pr_ms"], sm.add_constant(pd.concat([edf[["b"]], covariates], axis=1))).fit()
    scale = edf["b"].std()
    assert one["effect"] == pytest.approx(fit.params["b"] * scale, rel=1e-9)
    low, high = fit.conf_int().loc["b"]
    assert [one["effect_low"], one["effect_high"]] == pytest.approx([low * scale, high * scale], rel=1e-9)


def test_q_is_over_all_pairs_that_were_looked_at():
    edf, biomarkers, covariates = people()
    biomarkers["few"] = np.where(np.arange(400) < 15, 1.0 * np.arange(400), np.nan)
    found = associate(edf, biomarkers, covariates)
    known = found["p_value"].notna()
    assert known.sum() == 6
    assert found.loc[known, "q_value"].to_numpy() == pytest.approx(false_discovery_control(found.loc[known, "p_value"]))
    assert found.loc[~known, ["rho", "effect", "q_value"]].isna().all().all()


def test_missing_values_leave_out_that_person_alone():
    edf, biomarkers, covariates = people()
    covariates.loc[:9, "age"] = np.nan
    biomarkers.loc[5:29, "qrs_ms"] = np.nan
    found = associate(edf, biomarkers, covariates)
    assert row(found, "a", "qrs_ms")["n"] == 370
    assert row(found, "a", "pr_ms")["n"] == 390
    rest = slice(30, None)
    same = associate(edf[rest], biomarkers[["qrs_ms"]][rest], covariates[rest])
    assert row(found, "a", "qrs_ms")["rho"] == pytest.approx(row(same, "a", "qrs_ms")["rho"], rel=1e-12)


def test_people_of_one_sex_are_no_trouble_and_a_constant_has_no_correlation():
    edf, biomarkers, covariates = people()
    one_sex = associate(edf, biomarkers, covariates.assign(sex=1.0))
    assert row(one_sex, "a", "pr_ms")["rho"] == pytest.approx(
        row(associate(edf, biomarkers, covariates[["age"]]), "a", "pr_ms")["rho"], rel=1e-9
    )
    flat = associate(edf, biomarkers.assign(qrs_ms=90.0), covariates)
    assert np.isnan(row(flat, "a", "qrs_ms")["rho"])


def test_an_axis_is_cut_open_where_nobody_is():
    rng = np.random.default_rng(2)
    edf = pd.DataFrame({"a": rng.normal(size=300)})
    degrees = 175 + 10 * edf["a"] + rng.normal(0, 3, 300)  # half of them beyond 180
    wrapped = (degrees + 180) % 360 - 180
    covariates = pd.DataFrame({"age": rng.uniform(20, 90, 300)})
    found = associate(edf, pd.DataFrame({"qrs_axis": wrapped}), covariates)
    plain = associate(edf, pd.DataFrame({"degrees": degrees}), covariates)
    assert found.loc[0, "rho"] == pytest.approx(plain.loc[0, "rho"], rel=1e-12)
    assert found.loc[0, "effect"] == pytest.approx(plain.loc[0, "effect"], rel=1e-9)


def test_tables_of_other_people_are_refused():
    edf, biomarkers, covariates = people()
    with pytest.raises(ValueError, match="not of the same people"):
        associate(edf.iloc[::-1], biomarkers, covariates)
