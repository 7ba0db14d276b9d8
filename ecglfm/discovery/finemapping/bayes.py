"""Approximate Bayes factors and credible sets, for one causal variant a locus.

Of an estimate b with variance V and a prior N(0, W) of effects, the factor for an association is

    sqrt(1 - r) exp(r z^2 / 2),    r = W / (V + W), z = b / sqrt(V)

(Wakefield 2009, doi:10.1002/gepi.20359). With one causal variant and each as likely beforehand, a variant's posterior
is its factor over the sum of all (Maller et al. 2012, doi:10.1038/ng.2435); the credible set takes variants by
posterior until they reach the coverage. It is only right where the causal variant was measured, and alone.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import logsumexp

from ecglfm.discovery.summary import variant_names

#: Standard deviation of effects beforehand, in standard deviations of the trait: that of `coloc` for quantities.
PRIOR_SD = 0.15


def log_bayes_factors(beta: np.ndarray, standard_error: np.ndarray, *, prior_sd: float = PRIOR_SD) -> np.ndarray:
    """Natural logarithm of each variant's approximate Bayes factor for an association."""
    shrink = prior_sd**2 / (prior_sd**2 + standard_error**2)
    return 0.5 * (np.log1p(-shrink) + shrink * (beta / standard_error) ** 2)


def posteriors(locus: pd.DataFrame, *, prior_sd: float = PRIOR_SD, coverage: float = 0.95) -> pd.DataFrame:
    """Variants of a locus by their posterior probability of being causal, the likeliest first.

    Parameters
    ----------
    locus : DataFrame
        Columns of GWAS-SSF: all variants of one locus.
    prior_sd : float
        Standard deviation of effects beforehand.
    coverage : float
        Of the credible set.

    Returns
    -------
    DataFrame
        The columns of `locus`, `variant`, `log_bayes_factor`, `posterior`, `cumulative`, and whether it is `in_set`.
    """
    locus = locus[locus["standard_error"] > 0]
    factor = log_bayes_factors(
        locus["beta"].to_numpy(np.float64), locus["standard_error"].to_numpy(np.float64), prior_sd=prior_sd
    )
    posterior = np.exp(factor - logsumexp(factor)) if len(factor) else factor
    table = locus.assign(variant=variant_names(locus), log_bayes_factor=factor, posterior=posterior)
    table = table.sort_values("posterior", ascending=False, kind="stable", ignore_index=True)
    table["cumulative"] = table["posterior"].cumsum()
    table["in_set"] = table["cumulative"].shift(fill_value=0.0) < coverage
    return table


def credible_sets(
    statistics: pd.DataFrame,
    loci: pd.DataFrame,
    *,
    window: int = 500_000,
    prior_sd: float = PRIOR_SD,
    coverage: float = 0.95,
) -> tuple[pd.DataFrame, dict[str, pd.DataFrame]]:
    """Credible set of each locus of one trait.

    Parameters
    ----------
    statistics : DataFrame
        Columns of GWAS-SSF, of the whole trait.
    loci : DataFrame
        `locus chromosome base_pair_location effect_allele other_allele` and, where clumps say it, `start end`.
    window : int
        Base pairs to either side of the lead variant; a clump that is longer is taken whole.
    prior_sd, coverage
        As `posteriors`.

    Returns
    -------
    sets : DataFrame
        Variants in the set of each locus: `locus`, the lead variant as `lead`, how many variants are in the set and in
        the locus (`set_size`, `variants`), and the columns of `posteriors`.
    whole : dict of str to DataFrame
        By lead variant: all variants of its locus, as `posteriors` gives them. Of leads that share a name, alleles
        are part of it.
    """
    sets, whole = [], {}
    names = _lead_names(statistics, loci)
    for row, lead in zip(loci.to_dict("records"), names, strict=True):
        place = int(row["base_pair_location"])
        start, end = (row[name] if pd.notna(row.get(name)) else place for name in ("start", "end"))
        near = statistics["base_pair_location"].between(min(start, place - window), max(end, place + window))
        found = posteriors(
            statistics[near & (statistics["chromosome"] == int(row["chromosome"]))],
            prior_sd=prior_sd, coverage=coverage,
        )  # fmt: skip
        whole[lead] = found
        inside = found[found["in_set"]]
        of_locus = {"locus": row["locus"], "lead": lead, "set_size": len(inside), "variants": len(found)}
        sets.append(pd.DataFrame(of_locus, index=inside.index).join(inside.drop(columns="in_set")))
    return pd.concat(sets, ignore_index=True) if sets else pd.DataFrame(), whole


def _lead_names(statistics: pd.DataFrame, loci: pd.DataFrame) -> list[str]:
    """A name of its own for each lead variant, which place and alleles tell apart."""
    key = ["chromosome", "base_pair_location", "other_allele", "effect_allele"]
    at_leads = statistics[statistics["base_pair_location"].isin(loci["base_pair_location"])]
    there = at_leads.assign(name=variant_names(at_leads)).drop_duplicates(key)
    leads = loci[key].astype({"chromosome": statistics["chromosome"].dtype}).merge(there, on=key, how="left")
    names = leads["name"].where(leads["name"].notna(), variant_names(leads[key])).astype(str)
    alleles = "_" + leads["other_allele"] + "_" + leads["effect_allele"]
    return list(names.where(~names.duplicated(keep=False), names + alleles))
