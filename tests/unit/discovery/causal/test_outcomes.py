"""Associations with outcomes of individual people."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ecglfm.config import UserError
from ecglfm.discovery.causal.outcomes import outcome_associations

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


def test_an_outcome_of_one_database_alone() -> None:
    """A covariate says of which one people are: the same for all who have the outcome, and no fit is lost by it."""
    generator = np.random.default_rng(0)
    dosage, age = generator.integers(0, 3, 400).astype(float), generator.normal(size=400)
    source = np.repeat([1.0, 0.0], 200)
    sick = (generator.random(400) < 1 / (1 + np.exp(1 - dosage))).astype(float)
    sick[source == 0] = np.nan
    of_all = np.column_stack([age, source, 1 - source])
    found, alone = (
        outcome_associations(VARIANTS.head(1), dosage[:, None], sick, covariates, name="af")
        for covariates in (of_all, age[:, None])
    )
    assert len(found) == 1
    assert found[["beta", "standard_error"]].to_numpy() == pytest.approx(alone[["beta", "standard_error"]].to_numpy())


def test_who_is_separated_has_no_effect_and_that_is_said(caplog: pytest.LogCaptureFixture) -> None:
    dosage = np.repeat([1.0, 0.0], 50)
    both = np.column_stack([dosage, np.ones(100)])
    found = outcome_associations(VARIANTS.head(2), both, dosage.copy(), np.empty((100, 0)), name="af")
    assert found.empty
    assert caplog.messages == [
        "outcome af: 2 of 2 instruments are left out: 1 do not vary among its people, 1 have no fit (cases and controls"
        " are separated)"
    ]


def test_an_outcome_that_nobody_has() -> None:
    with pytest.raises(UserError, match="outcome af: 5 people have one, all of the same value"):
        outcome_associations(VARIANTS.head(1), np.zeros((5, 1)), np.zeros(5), np.empty((5, 0)), name="af")
