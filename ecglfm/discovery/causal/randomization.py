"""Mendelian randomization of one exposure on one outcome: instruments, estimates, and what speaks against them."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from ecglfm.discovery.causal.estimators import FEW, Instruments, egger, estimates, heterogeneity, leave_one_out
from ecglfm.discovery.causal.steiger import explained, of_liability, steiger
from ecglfm.discovery.summary import harmonise, variant_names

#: An F below which an instrument is called weak.
WEAK = 10
_ESTIMATES = ["exposure", "outcome", "method", "instruments", "beta", "standard_error", "p_value"]


class Randomization(NamedTuple):
    """What was found; every table has the columns `exposure` and `outcome`, and none has rows without instruments.

    Attributes
    ----------
    estimates : DataFrame
        `method instruments beta ci_low ci_high standard_error p_value`, a row a method, the first believed first.
    checks : DataFrame
        One row: F, Cochran's Q, Egger's intercept, Steiger's test, sample overlap, counts of harmonisation.
    instruments : DataFrame
        One row each: both effects for the same allele, F, share explained.
    left_out : DataFrame
        Estimate without each instrument.
    """

    estimates: pd.DataFrame
    checks: pd.DataFrame
    instruments: pd.DataFrame
    left_out: pd.DataFrame


def randomize(
    exposure: pd.DataFrame,
    outcome: pd.DataFrame,
    *,
    names: tuple[str, str],
    seed: int,
    palindromes: Literal["drop", "frequency", "keep"] = "drop",
    match: Literal["position", "rsid"] = "position",
    overlap: float | None = None,
    case_share: float | None = None,
    prevalence: float | None = None,
) -> Randomization:
    """Ask whether an exposure changes an outcome, of independent lead variants.

    Parameters
    ----------
    exposure : DataFrame
        Instruments alone: columns of GWAS-SSF with `n`, effects in standard deviations of the exposure.
    outcome : DataFrame
        Columns of GWAS-SSF, at least of the instruments; log odds ratios where it is a disease.
    names : tuple of str
        Of exposure and outcome.
    seed : int
        Of the weighted median.
    palindromes, match
        As in `harmonise`.
    overlap : float, optional
        Share of the outcome's people who are in the exposure's sample, from 0 to 1; None where nobody knows.
    case_share, prevalence : float, optional
        Cases in the outcome's sample, and in the population (else the same), for Steiger's test of a disease.

    Returns
    -------
    Randomization
    """
    table, counts = harmonise(exposure, outcome, palindromes=palindromes, match=match)
    usable = (table["standard_error"] > 0) & (table["standard_error_2"] > 0) & (table["beta"] != 0)
    table = table[usable].reset_index(drop=True)
    instruments = Instruments(
        variant_names(table).to_numpy(),
        *(table[name].to_numpy(np.float64) for name in ("beta", "standard_error", "beta_2", "standard_error_2")),
    )
    rows = (
        [(*names, one.method, len(table), *one[1:]) for one in estimates(instruments, seed=seed)] if len(table) else []
    )
    found = pd.DataFrame(rows, columns=_ESTIMATES)
    for column, sign in (("ci_high", 1), ("ci_low", -1)):
        found.insert(5, column, found["beta"] + sign * 1.959964 * found["standard_error"])
    shares = _shares(table, case_share, prevalence)
    checks = {**_strength(instruments), **_heterogeneity(instruments), **_direction(table, *shares)}
    checks |= _overlap(overlap, instruments.f_m) | {
        f"variants_{name}": count for name, count in counts._asdict().items()
    }
    return Randomization(
        found,
        _named(pd.DataFrame([checks]), names),
        _named(_instrument_table(instruments, table, *shares), names),
        _named(leave_one_out(instruments), names),
    )


def few(instruments: int) -> str:
    """The sentence that says what so few instruments cannot answer; nothing of three or more."""
    if instruments >= FEW:
        return ""
    what = {0: "no instrument is left", 1: "one instrument", 2: "two instruments"}[instruments]
    return f"{what}: {'no estimate' if not instruments else 'no MR-Egger and no weighted median'}"


def _shares(table: pd.DataFrame, case_share: float | None, prevalence: float | None) -> tuple[np.ndarray, np.ndarray]:
    """Shares of exposure and outcome that each instrument explains; NaN where a number of people is not known."""
    nothing = np.full(len(table), np.nan)
    x_r2, y_r2 = nothing, nothing
    if "n" in table:
        x_r2 = explained(*(table[name].to_numpy(np.float64) for name in ("beta", "standard_error", "n")))
    if "n_2" in table:
        y_r2 = explained(*(table[name].to_numpy(np.float64) for name in ("beta_2", "standard_error_2", "n_2")))
    if case_share is not None:
        y_r2 = of_liability(y_r2, case_share=case_share, prevalence=prevalence or case_share)
    return x_r2, y_r2


def _strength(instruments: Instruments) -> dict[str, float]:
    f_m = instruments.f_m
    some = len(f_m) > 0
    return {
        "instruments": len(f_m),
        "f_mean": float(f_m.mean()) if some else np.nan,
        "f_min": float(f_m.min()) if some else np.nan,
        "weak": int((f_m < WEAK).sum()),
    }


def _heterogeneity(instruments: Instruments) -> dict[str, float]:
    q, q_p = heterogeneity(instruments)
    found = {"q": q, "q_p": q_p}
    names = ("egger_intercept", "egger_intercept_se", "egger_intercept_p", "egger_q", "egger_i_squared_gx")
    values = egger(instruments)[1:] if len(instruments) >= FEW else [np.nan] * len(names)
    return found | dict(zip(names, values, strict=True))


def _direction(table: pd.DataFrame, x_r2: np.ndarray, y_r2: np.ndarray) -> dict[str, float | bool | None]:
    known = np.isfinite(x_r2) & np.isfinite(y_r2)
    if not known.any():
        return {"exposure_r2": np.nan, "outcome_r2": np.nan, "steiger_forward": None, "steiger_p": np.nan}
    people = (float(table.loc[known, name].astype(float).median()) for name in ("n", "n_2"))
    exposure_n, outcome_n = people
    found = steiger(x_r2[known], y_r2[known], exposure_n=exposure_n, outcome_n=outcome_n)
    return {
        "exposure_r2": found.exposure_r2,
        "outcome_r2": found.outcome_r2,
        "steiger_forward": found.forward,
        "steiger_p": found.p_value,
    }


def _overlap(overlap: float | None, f_m: np.ndarray) -> dict[str, float | str]:
    """Sample overlap, and the share of the confounded association that it lets through.

    About overlap / F of it (Burgess, Davies and Thompson 2016, doi:10.1002/gepi.21998).
    """
    if overlap is None:
        return {"overlap": np.nan, "overlap_bias": np.nan, "overlap_says": "sample overlap is not known"}
    said = "two samples without overlap" if overlap == 0 else f"{overlap:.0%} of the outcome's people gave the exposure"
    return {"overlap": overlap, "overlap_bias": overlap / f_m.mean() if len(f_m) else np.nan, "overlap_says": said}


def _instrument_table(
    instruments: Instruments, table: pd.DataFrame, x_r2: np.ndarray, y_r2: np.ndarray
) -> pd.DataFrame:
    found = pd.DataFrame({"variant": instruments.names})
    place = ["chromosome", "base_pair_location", "effect_allele", "other_allele"]
    found = pd.concat([found, table[place]], axis=1)
    return found.assign(
        exposure_beta=instruments.x_m,
        exposure_se=instruments.x_se_m,
        outcome_beta=instruments.y_m,
        outcome_se=instruments.y_se_m,
        f=instruments.f_m,
        exposure_r2=x_r2,
        outcome_r2=y_r2,
    )


def _named(table: pd.DataFrame, names: tuple[str, str]) -> pd.DataFrame:
    table.insert(0, "exposure", names[0])
    table.insert(1, "outcome", names[1])
    return table
