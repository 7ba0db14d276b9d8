"""Associations with outcomes of individual people."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ecglfm.config import UserError
from ecglfm.discovery.causal import outcome_associations

VARIANTS = pd.DataFrame(
    {
        "chromosome": [1, 1, 2],
        "base_pair_location": [1, 2, 3],
        "effect_allele": "A",
        "other_allele": "G",
        "rsid": ["rs1", "rs2", "rs3"],
    }
)


def test_a_two_by_two_table_gives_its_log_odds_ratio() -> None:
    """Carriers: 30 of 100 sick; others 10 of 100: log(30/70 / (10/90)), error sqrt(1/30 + 1/70 + 1/10 + 1/90)."""
    dosage = np.repeat([1.0, 0.0], 100)
    sick = np.concatenate([np.repeat([1.0, 0.0], (30, 70)), np.repeat([1.0, 0.0], (10, 90))])
    still = np.zeros(200)
    found = outcome_associations(
        VARIANTS, np.column_stack([still, dosage, dosage]), sick, np.empty((200, 0)), name="af"
    )
    assert found["rsid"].tolist() == ["rs2", "rs3"]  # the first does not vary
    assert found["beta"].tolist() == pytest.approx([np.log(30 / 70 * 9)] * 2)
    assert found["standard_error"].tolist() == pytest.approx([np.sqrt(1 / 30 + 1 / 70 + 1 / 10 + 1 / 90)] * 2)
    assert found[["effect_allele_frequency", "n"]].to_numpy().tolist() == [[0.25, 200]] * 2


def test_covariates_are_adjusted_for_and_people_without_a_value_left_out() -> None:
    generator = np.random.default_rng(0)
    dosage, age = generator.integers(0, 3, 300).astype(float), generator.normal(size=300)
    value = 0.5 * dosage + 2 * age  # exactly, once age is there
    value[:10], dosage[10:20] = np.nan, np.nan
    found = outcome_associations(VARIANTS.head(1), dosage[:, None], value, age[:, None], name="bmi")
    assert found["beta"].tolist() == pytest.approx([0.5])
    assert found["n"].tolist() == [280]


def test_who_is_separated_has_no_effect() -> None:
    dosage = np.repeat([1.0, 0.0], 50)
    found = outcome_associations(VARIANTS.head(1), dosage[:, None], dosage.copy(), np.empty((100, 0)), name="af")
    assert found.empty


def test_an_outcome_that_nobody_has() -> None:
    with pytest.raises(UserError, match="outcome af: 5 people have one, all of the same value"):
        outcome_associations(VARIANTS.head(1), np.zeros((5, 1)), np.zeros(5), np.empty((5, 0)), name="af")
