"""Two tables of the same variants, brought to the same effect allele.

What can be told apart is told apart by letters: the same pair, the pair the other way round, and both of the other
strand. A palindrome (A/T, C/G) reads the same on both strands: it is left out, or believed where its frequency is far
enough from a half in both tables to say which strand is meant (Hartwig et al. 2016, doi:10.1093/ije/dyw321).
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from ecglfm.config import UserError

_OTHER_STRAND = str.maketrans("ACGT", "TGCA")
#: What of each table is carried along, beside the alleles.
_VALUES = ("beta", "standard_error", "effect_allele_frequency", "p_value", "n")
_FAR = 0.2  # of two frequencies of one allele: other people, or another allele


class Counts(NamedTuple):
    """What became of the variants of the first table.

    Attributes
    ----------
    asked : int
        Variants of the first table.
    absent : int
        The second table has none at that place (or of that rsid).
    duplicates : int
        One of the tables has the same pair of alleles twice there.
    alleles_differ : int
        Other alleles, on both strands.
    palindromes_dropped, palindromes_resolved : int
        Left out, and believed, by their frequency or the strand of the same files.
    turned : int
        Kept, after the effect was turned round.
    other_strand : int
        Kept, letters read on the other strand.
    frequencies_apart : int
        Kept, though the frequencies of the effect allele differ by more than 0.2.
    kept : int
    """

    asked: int
    absent: int
    duplicates: int
    alleles_differ: int
    palindromes_dropped: int
    palindromes_resolved: int
    turned: int
    other_strand: int
    frequencies_apart: int
    kept: int


def harmonise(
    first: pd.DataFrame,
    second: pd.DataFrame,
    *,
    palindromes: Literal["drop", "frequency", "keep"] = "drop",
    ambiguous: float = 0.42,
    match: Literal["position", "rsid"] = "position",
) -> tuple[pd.DataFrame, Counts]:
    """Set the rows of two tables side by side, effects of the second for the effect allele of the first.

    Parameters
    ----------
    first, second : DataFrame
        Columns of GWAS-SSF (`read_summary_statistics`).
    palindromes : str
        `drop` them, or resolve by `frequency`: kept where the lesser allele is rarer than `ambiguous` in both. `keep`
        takes letters as they are: both tables are of the same genotype files.
    ambiguous : float
        A lesser frequency from which on a palindrome says nothing; 0.42 as in TwoSampleMR.
    match : str
        `position` needs the same genome build on both sides; `rsid` does not.

    Returns
    -------
    table : DataFrame
        Columns of the first table in its order of rows, and those of the second under `{column}_2`.
    counts : Counts

    Raises
    ------
    UserError
        `match: rsid` of a table without that column, or palindromes by a frequency that is not there.
    """
    place = ["rsid"] if match == "rsid" else ["chromosome", "base_pair_location"]
    for which, table in (("first", first), ("second", second)):
        absent = [name for name in place if name not in table]
        if absent:
            raise UserError(f"match: {match}: the {which} table has no column {absent[0]}")
    left = first.assign(_row=np.arange(len(first)))
    if match == "rsid":
        left, second = left[left["rsid"].notna()], second[second["rsid"].notna()]
    values = [name for name in _VALUES if name in second]
    right = second[[*place, "effect_allele", "other_allele", *values]]
    both = left.merge(right, on=place, suffixes=("", "_2"))
    both = both.rename(columns={name: f"{name}_2" for name in values if name not in first})
    relation = _relate(both)
    matched = pd.concat([both, relation], axis=1)[relation["fits"]]
    twice = matched["_row"].duplicated(keep=False) | _repeated(matched, place)
    single = matched[~twice]
    palindrome = single["palindrome"].to_numpy(bool)
    turned, resolved = _strand_by_frequency(single, palindromes, ambiguous)
    kept = single.assign(turned=turned)[~palindrome | resolved]
    table = _turn(kept)
    found = both["_row"].nunique()
    apart = (table["effect_allele_frequency"] - table["effect_allele_frequency_2"]).abs() > _FAR
    counts = Counts(
        asked=len(first),
        absent=len(first) - found,
        duplicates=matched.loc[twice, "_row"].nunique(),
        alleles_differ=found - matched["_row"].nunique(),
        palindromes_dropped=int((palindrome & ~resolved).sum()),
        palindromes_resolved=int(resolved.sum()),
        turned=int(kept["turned"].sum()),
        other_strand=int(kept["other_strand"].sum()),
        frequencies_apart=int(apart.sum()),
        kept=len(table),
    )
    extra = ["_row", "palindrome", "other_strand", "turned", "fits"]
    return table.sort_values("_row").drop(columns=extra).reset_index(drop=True), counts


def _relate(both: pd.DataFrame) -> pd.DataFrame:
    """How the pairs of alleles of each row are related; of insertions and deletions the strand is taken as said."""
    effect, other = both["effect_allele"], both["other_allele"]
    effect_2, other_2 = both["effect_allele_2"], both["other_allele_2"]
    letters = (effect.str.len() == 1) & (other.str.len() == 1)
    read_effect, read_other = effect_2.str.translate(_OTHER_STRAND), other_2.str.translate(_OTHER_STRAND)
    same, swapped = (effect == effect_2) & (other == other_2), (effect == other_2) & (other == effect_2)
    strand = letters & (effect == read_effect) & (other == read_other)
    strand_swapped = letters & (effect == read_other) & (other == read_effect)
    as_said = same | swapped
    return pd.DataFrame(
        {
            "palindrome": letters & (effect == other.str.translate(_OTHER_STRAND)),
            "fits": (as_said | strand | strand_swapped) & (effect != "LONG_STRING") & (other != "LONG_STRING"),
            "turned": swapped | (~as_said & strand_swapped),
            "other_strand": ~as_said & (strand | strand_swapped),
        }
    ).astype(bool)


def _repeated(matched: pd.DataFrame, place: list[str]) -> pd.Series:
    """Rows of the first table that name one variant: the same place and the same two alleles, in any order."""
    pair = matched["effect_allele"].where(
        matched["effect_allele"] < matched["other_allele"], matched["other_allele"]
    ) + matched["effect_allele"].where(matched["effect_allele"] >= matched["other_allele"], matched["other_allele"])
    return matched.assign(_pair=pair).duplicated([*place, "_pair"], keep=False)


def _strand_by_frequency(single: pd.DataFrame, palindromes: str, ambiguous: float) -> tuple[np.ndarray, np.ndarray]:
    """Which rows are turned, and which palindromes are believed."""
    turned, palindrome = single["turned"].to_numpy(bool), single["palindrome"].to_numpy(bool)
    if palindromes != "frequency":
        return turned, palindrome & (palindromes == "keep")
    own = single["effect_allele_frequency"].to_numpy(np.float64)
    other = single["effect_allele_frequency_2"].to_numpy(np.float64)
    clear = palindrome & (np.minimum(own, 1 - own) < ambiguous) & (np.minimum(other, 1 - other) < ambiguous)
    by_frequency = (own < 0.5) != (other < 0.5)
    return np.where(clear, by_frequency, turned), clear


def _turn(kept: pd.DataFrame) -> pd.DataFrame:
    turned = kept["turned"].to_numpy(bool)
    table = kept.assign(
        effect_allele_2=kept["effect_allele"],
        other_allele_2=kept["other_allele"],
        beta_2=np.where(turned, -kept["beta_2"], kept["beta_2"]),
        effect_allele_frequency_2=np.where(
            turned, 1 - kept["effect_allele_frequency_2"], kept["effect_allele_frequency_2"]
        ),
    )
    return table
