"""Which lead variants replicate in a second cohort: direction, P, and the power that it had.

A variant replicates where its effect has the same direction and the one-sided P is below alpha over the number of
variants that were tested. Power is that of this test for the effect as it was discovered, at the second cohort's
standard error: Phi(|b| / s - z_(1 - alpha)). Effects that were selected for their P are too large (winner's curse), so
the power is at most this.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import binom, norm

from ecglfm.discovery.summary import Counts, harmonise

#: What a lead's `reason` says of each of harmonisation's counts.
_REASONS = {
    "absent": "absent", "duplicates": "twice", "alleles_differ": "other alleles", "palindromes_dropped": "palindrome",
}  # fmt: skip


class Replicated(NamedTuple):
    """What the second cohort says.

    Attributes
    ----------
    table : DataFrame
        A row a lead variant: its columns, those of the second cohort under `{column}_2`, `tested`, `reason` (why not),
        `same_direction`, `p_one_sided`, `power`, `replicates`.
    counts : Counts
        Of harmonisation.
    threshold : float
        One-sided P below which a variant replicates; NaN where none was tested.
    expected : float
        How many would replicate by their power.
    sign_p : float
        P of so many or more in the same direction by chance.
    """

    table: pd.DataFrame
    counts: Counts
    threshold: float
    expected: float
    sign_p: float


def replicate(
    leads: pd.DataFrame,
    second: pd.DataFrame,
    *,
    alpha: float = 0.05,
    palindromes: Literal["drop", "frequency"] = "frequency",
    match: Literal["position", "rsid"] = "position",
    tests: int | None = None,
) -> Replicated:
    """Look lead variants up in a second cohort.

    Parameters
    ----------
    leads : DataFrame
        Columns of GWAS-SSF, and others, which are kept.
    second : DataFrame
        Columns of GWAS-SSF, of the same trait.
    alpha : float
        Over all variants that are tested.
    palindromes, match
        As in `harmonise`.
    tests : int, optional
        Tests to correct for, where these leads are some of many; by default those that are tested here.

    Returns
    -------
    Replicated
    """
    leads = leads.reset_index(drop=True)
    both, counts = harmonise(leads.assign(_lead=leads.index), second, palindromes=palindromes, match=match)
    both = both[both["standard_error_2"] > 0]
    threshold = alpha / (tests or len(both)) if len(both) else float("nan")
    forward_z = both["beta_2"] / both["standard_error_2"] * np.sign(both["beta"])
    both = both.assign(
        same_direction=forward_z > 0,
        p_one_sided=norm.sf(forward_z),
        power=norm.cdf(both["beta"].abs() / both["standard_error_2"] - norm.isf(threshold)),
    )
    both["replicates"] = both["p_one_sided"] < threshold
    made = [name for name in both if name not in leads]
    table = leads.join(both.set_index("_lead")[[name for name in made if name != "_lead"]])
    table.insert(len(leads.columns), "tested", table["power"].notna())
    reasons = [
        None if tested else _reason(leads.iloc[[row]], second, palindromes, match)
        for row, tested in enumerate(table["tested"])
    ]
    table.insert(len(leads.columns) + 1, "reason", pd.Series(reasons, table.index, dtype=object))
    same = int(both["same_direction"].sum())
    sign_p = float(binom.sf(same - 1, len(both), 0.5)) if len(both) else float("nan")
    return Replicated(table, counts, threshold, float(both["power"].sum()), sign_p)


def _reason(
    lead: pd.DataFrame,
    second: pd.DataFrame,
    palindromes: Literal["drop", "frequency"],
    match: Literal["position", "rsid"],
) -> str:
    """Why a lead variant was not tested: what became of it alone."""
    both, counts = harmonise(lead, second, palindromes=palindromes, match=match)
    if counts.kept:
        return "twice" if (both["standard_error_2"] > 0).all() else "no standard error"
    return next(words for name, words in _REASONS.items() if getattr(counts, name))


def says(table: pd.DataFrame) -> str:
    """One sentence: how many were tested, have the same direction, replicate, and would by their power."""
    tested = table[table["tested"].astype(bool)]
    same, replicated = (int(tested[name].astype(bool).sum()) for name in ("same_direction", "replicates"))
    return (
        f"{len(tested)} of {len(table)} lead variants were found in the second cohort: {same} have the same direction,"
        f" {replicated} replicate, where {tested['power'].sum():.1f} were expected by their power"
    )
