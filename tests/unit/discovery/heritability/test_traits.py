"""Which variants are regressed, and tables of all traits and pairs."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ecglfm.config import UserError
from ecglfm.discovery.heritability.ld_scores import LdScores
from ecglfm.discovery.heritability.traits import heritabilities, regression_rows

COUNT, PEOPLE = 1000, 10_000
LD = np.linspace(1, 50, COUNT)
SCORES = LdScores(
    pd.DataFrame(
        {
            "chromosome": 1,
            "base_pair_location": np.arange(COUNT) * 1000 + 1,
            "rsid": [f"rs{i}" for i in range(COUNT)],
            "ld_score": LD,
        }
    ),
    50_000.0,
)


def trait(h2: float, sign: np.ndarray | float = 1.0) -> pd.DataFrame:
    """Summary statistics with the chi-square that is expected, and no noise."""
    z = np.sqrt(1 + PEOPLE * h2 * LD / SCORES.variants) * sign
    return SCORES.table.drop(columns="ld_score").assign(
        effect_allele="A", other_allele="G", beta=z / 100, standard_error=0.01, effect_allele_frequency=0.3,
        p_value=0.5, n=PEOPLE,
    )  # fmt: skip


def test_variants_without_a_score_and_huge_effects_are_left_out() -> None:
    table = trait(0.2)
    table.loc[3, "beta"] = 1.0  # chi-square 10,000
    table.loc[4, "rsid"] = "rs_unknown"
    found = regression_rows(table.sample(frac=1, random_state=0), SCORES)
    assert found["SNP"].tolist() == [f"rs{i}" for i in range(COUNT) if i not in (3, 4)]
    assert list(found) == ["SNP", "A1", "A2", "Z", "N", "ld_score"]


def test_variants_without_rsid_are_matched_by_their_place() -> None:
    assert len(regression_rows(trait(0.2).drop(columns="rsid"), SCORES)) == COUNT
    assert len(regression_rows(trait(0.2).assign(rsid=None), SCORES)) == COUNT


def test_tables_of_traits_and_pairs() -> None:
    """Two traits of the same z, one with its alleles turned: their correlation is 1, whatever allele is counted."""
    turned = trait(0.2, -1.0).rename(columns={"effect_allele": "other_allele", "other_allele": "effect_allele"})
    traits = {"a": trait(0.2), "b": turned, "none": trait(0.0)}
    rows = {name: regression_rows(table, SCORES) for name, table in traits.items()}
    found, pairs = heritabilities(rows, SCORES, blocks=20)
    assert found["h2"].tolist() == pytest.approx([0.2, 0.2, 0], abs=1e-9)
    assert found["intercept"].tolist() == pytest.approx([1, 1, 1])
    assert found["ratio"][0] == pytest.approx(0, abs=1e-9)
    assert found["lambda_gc"][2] == pytest.approx(1 / 0.4549364)
    assert pairs[["edf_1", "edf_2"]].to_numpy().tolist() == [["a", "b"], ["a", "none"], ["b", "none"]]
    assert pairs["rg"][0] == pytest.approx(1)
    assert pairs["covariance"][0] == pytest.approx(0.2)


def test_other_rsids_are_noticed() -> None:
    table = regression_rows(trait(0.2).assign(rsid=[f"rs{i}" for i in range(5000, 6000)]), SCORES)
    with pytest.raises(
        UserError, match="edf_0001: 0 of its variants have an LD score .*, at least 200 are needed: are rsids"
    ):
        heritabilities({"edf_0001": table}, SCORES)
