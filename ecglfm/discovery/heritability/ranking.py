"""Which dimensions are worth a GWAS: heritable, stable within a person, and not of the device."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

_CONFOUNDED = 0.1  # of a feature's variance between devices, sites or databases
_UNSTABLE = 0.4  # an ICC that Cicchetti 1994 (doi:10.1037/1040-3590.6.4.284) calls poor


def share_explained(value_n: np.ndarray, group_n: np.ndarray) -> float:
    """Share of a value's variance that lies between groups, corrected for what chance puts there.

    Epsilon squared of a one-way analysis of variance (Kelley 1935, doi:10.1073/pnas.21.9.554), of k groups
    (SSB - (k - 1) MSW) / SST, at least 0. NaN of one group, or where nothing is left within groups.

    Parameters
    ----------
    value_n : ndarray, shape (n,)
    group_n : ndarray of str, shape (n,)
        A device, a site; None or NaN where it is not known: these rows are left out.
    """
    known_n = ~pd.isna(group_n) & np.isfinite(value_n)
    value_n, group_n = value_n[known_n], np.asarray(group_n)[known_n].astype(str)
    names, of_n, count_k = np.unique(group_n, return_inverse=True, return_counts=True)
    free = len(value_n) - len(names)
    if len(names) < 2 or free < 1:
        return float("nan")
    mean_k = np.bincount(of_n, value_n) / count_k
    within = np.sum((value_n - mean_k[of_n]) ** 2)
    total = np.sum((value_n - value_n.mean()) ** 2)
    between = total - within
    return float(max(0.0, (between - (len(names) - 1) * within / free) / total)) if total > 0 else float("nan")


def rank_dimensions(
    features: list[str],
    *,
    heritability: pd.DataFrame | None = None,
    icc: Mapping[str, float] | None = None,
    confounding: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Rank features by what is known of them.

    Parameters
    ----------
    features : list of str
    heritability : DataFrame, optional
        `edf h2 h2_se h2_z`, as `heritabilities` gives it.
    icc : mapping of str to float, optional
        Intraclass correlation of serial ECGs (`ecglfm.evaluation.serial`).
    confounding : DataFrame, optional
        `edf` and a column per variable, such as `device`: the share of variance that it explains.

    Returns
    -------
    DataFrame
        `rank edf h2 h2_se h2_z icc {variable}_share … confounding score remark`, the best first. `confounding` is the
        largest share. `score` is the mean of the places, from 0 (last) to 1 (first), in what is known of h2 / SE, ICC
        and the smallness of confounding. `remark` says what speaks against a feature.
    """
    table = pd.DataFrame({"edf": features})
    if heritability is not None:
        table = table.merge(heritability[["edf", "h2", "h2_se", "h2_z"]], on="edf", how="left")
    if icc is not None:
        table["icc"] = table["edf"].map(dict(icc)).astype(float)
    if confounding is not None:
        shares = confounding.set_index("edf").add_suffix("_share")
        table = table.join(shares, on="edf")
        table["confounding"] = table[list(shares)].max(axis=1)
    good = [table[name] * sign for name, sign in (("h2_z", 1), ("icc", 1), ("confounding", -1)) if name in table]
    places = [(one.rank() - 1) / max(1, one.notna().sum() - 1) for one in good]
    table["score"] = pd.concat(places, axis=1).mean(axis=1) if places else np.nan
    table["remark"] = [_remark(row) for row in table.to_dict("records")]
    table = table.sort_values(["score", "edf"], ascending=[False, True], kind="stable", ignore_index=True)
    table.insert(0, "rank", np.arange(1, len(table) + 1))
    return table


def _remark(row: Mapping[Any, Any]) -> str:
    said = []
    if row.get("h2_z", np.nan) < 2:
        said.append("heritability is not seen (h2 below 2 SE)")
    if row.get("icc", np.nan) < _UNSTABLE:
        said.append(f"unstable within a person (ICC below {_UNSTABLE})")
    if row.get("confounding", np.nan) > _CONFOUNDED:
        said.append(f"confounded (over {_CONFOUNDED:.0%} of its variance)")
    return "; ".join(said)
