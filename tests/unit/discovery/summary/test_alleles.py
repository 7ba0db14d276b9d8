"""Alleles of two tables: what is turned, read on the other strand, resolved, left out, and counted."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ecglfm.config import UserError
from ecglfm.discovery.summary import harmonise


def rows(*variants: tuple[int, str, str, float, float]) -> pd.DataFrame:
    place, effect, other, beta, frequency = zip(*variants, strict=True)
    return pd.DataFrame(
        {
            "chromosome": 1,
            "base_pair_location": place,
            "effect_allele": effect,
            "other_allele": other,
            "beta": beta,
            "standard_error": 0.1,
            "effect_allele_frequency": frequency,
            "p_value": 0.5,
            "rsid": [f"rs{number}" for number in place],
        }
    )


FIRST = rows(
    (1, "A", "G", 1.0, 0.2),
    (2, "A", "G", 1.0, 0.2),
    (3, "A", "G", 1.0, 0.2),
    (4, "A", "G", 1.0, 0.2),
    (5, "A", "T", 1.0, 0.2),
    (6, "A", "T", 1.0, 0.2),
    (7, "C", "G", 1.0, 0.45),
    (8, "A", "ACT", 1.0, 0.2),
    (9, "A", "G", 1.0, 0.2),
    (10, "A", "G", 1.0, 0.2),
    (11, "A", "G", 1.0, 0.2),
)
SECOND = rows(
    (1, "A", "G", 0.5, 0.21),  # as it is
    (2, "G", "A", 0.5, 0.79),  # turned
    (3, "T", "C", 0.5, 0.21),  # the other strand
    (4, "C", "T", 0.5, 0.79),  # the other strand, turned
    (5, "A", "T", 0.5, 0.81),  # a palindrome: by its frequency the T of the other strand
    (6, "T", "A", 0.5, 0.79),  # a palindrome that is turned, on the same strand
    (7, "C", "G", 0.5, 0.45),  # nobody can say
    (8, "ACT", "A", 0.5, 0.79),  # an insertion, turned
    (9, "A", "C", 0.5, 0.21),  # another allele
    (10, "A", "G", 0.5, 0.21),
    (10, "G", "A", 0.5, 0.79),  # twice
)


def test_effects_are_those_of_the_first_tables_allele() -> None:
    found, counts = harmonise(FIRST, SECOND)
    assert found["base_pair_location"].tolist() == [1, 2, 3, 4, 8]
    assert found["beta_2"].tolist() == [0.5, -0.5, 0.5, -0.5, -0.5]
    assert found["effect_allele_frequency_2"].tolist() == pytest.approx([0.21] * 4 + [0.21])
    assert counts._asdict() == {
        "asked": 11, "absent": 1, "duplicates": 1, "alleles_differ": 1, "palindromes_dropped": 3,
        "palindromes_resolved": 0, "turned": 3, "other_strand": 2, "frequencies_apart": 0, "kept": 5,
    }  # fmt: skip


def test_palindromes_by_frequency() -> None:
    found, counts = harmonise(FIRST, SECOND, palindromes="frequency")
    kept = found.set_index("base_pair_location")
    assert kept.loc[[5, 6], "beta_2"].tolist() == [-0.5, -0.5]
    assert kept.loc[[5, 6], "effect_allele_frequency_2"].tolist() == pytest.approx([0.19, 0.21])
    assert (counts.palindromes_resolved, counts.palindromes_dropped) == (2, 1)


def test_palindromes_of_the_same_files() -> None:
    found, counts = harmonise(FIRST, SECOND, palindromes="keep")
    kept = found.set_index("base_pair_location")
    assert kept.loc[[5, 6, 7], "beta_2"].tolist() == [0.5, -0.5, 0.5]
    assert (counts.palindromes_resolved, counts.palindromes_dropped) == (3, 0)


def test_other_people_are_noticed() -> None:
    _, counts = harmonise(FIRST, SECOND.assign(effect_allele_frequency=0.5))
    assert counts.frequencies_apart == counts.kept == 5


def test_the_same_variant_twice_in_the_first_table_is_left_out() -> None:
    first = pd.concat([FIRST.head(2), rows((1, "G", "A", -1.0, 0.8))])
    found, counts = harmonise(first, SECOND)
    assert found["base_pair_location"].tolist() == [2]
    assert (counts.asked, counts.duplicates, counts.kept) == (3, 2, 1)


def test_another_build_is_matched_by_rsid() -> None:
    lifted = SECOND.assign(base_pair_location=SECOND["base_pair_location"] + 1000)
    assert harmonise(FIRST, lifted)[1].kept == 0
    found, _ = harmonise(FIRST, lifted, match="rsid")
    assert found["beta_2"].tolist() == [0.5, -0.5, 0.5, -0.5, -0.5]
    with pytest.raises(UserError, match="the second table has no column rsid"):
        harmonise(FIRST, SECOND.drop(columns="rsid"), match="rsid")


def test_any_turning_and_strand_of_the_second_table_gives_the_same() -> None:
    generator = np.random.default_rng(0)
    letters = np.array([("A", "G"), ("G", "A"), ("T", "C"), ("A", "C"), ("G", "T")])[generator.integers(5, size=300)]
    frequencies = generator.uniform(0.05, 0.95, 300)
    first = rows(*((i + 1, *letters[i], 0.1, frequencies[i]) for i in range(300)))
    second = first.assign(beta=generator.normal(size=300))
    turned, strand = generator.random((2, 300)) < 0.5
    other = second.copy()
    names = ["effect_allele", "other_allele"]
    other.loc[turned, names] = second.loc[turned, names[::-1]].to_numpy()
    other["beta"] = np.where(turned, -second["beta"], second["beta"])
    other["effect_allele_frequency"] = np.where(turned, 1 - frequencies, frequencies)
    for name in names:
        other[name] = other[name].where(~strand, other[name].str.translate(str.maketrans("ACGT", "TGCA")))
    plain, scrambled = harmonise(first, second)[0], harmonise(first, other.sample(frac=1, random_state=0))[0]
    assert len(plain) == 300
    pd.testing.assert_frame_equal(plain, scrambled)
