"""Outcomes of the people of the study: joined by id, effect alleles counted whichever PLINK calls the first."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ecglfm.config import UserError
from ecglfm.discovery.causal.people import People
from ecglfm.discovery.genotypes import Genotypes

VARIANTS = pd.DataFrame(
    {
        "chromosome": [1, 1],
        "base_pair_location": [100, 200],
        "effect_allele": ["A", "G"],
        "other_allele": ["G", "C"],
        "rsid": ["rs1", "rs2"],
    }
)


def people(count: int = 200) -> tuple[People, np.ndarray]:
    """The second variant has its effect allele as allele 2; some calls are missing; ids are in another order."""
    generator = np.random.default_rng(0)
    dosage = generator.binomial(2, 0.4, (count, 2))
    calls = np.column_stack([dosage[:, 0], 2 - dosage[:, 1]]).astype(np.int8)
    calls[0] = -1
    variants = pd.DataFrame(
        {
            "chromosome": "1", "rsid": ["rs1", "rs2"], "centimorgan": 0, "position": [100, 200],
            "allele_1": ["A", "C"], "allele_2": ["G", "G"],
        }
    )  # fmt: skip
    iids = [f"i{number}" for number in range(count)]
    ids = pd.DataFrame({"patient_id": [f"a/{iid}" for iid in iids], "IID": iids}).sample(frac=1, random_state=1)
    covariates = pd.DataFrame({"age": generator.normal(size=count)}, index=iids)
    covariates.loc["i1", "age"] = np.nan
    genotypes = Genotypes(calls, variants, pd.DataFrame({"iid": iids}))
    return People([genotypes], ids, covariates), dosage


def test_effects_are_found_by_id_and_allele(tmp_path: Path) -> None:
    who, dosage = people()
    value = 0.5 * dosage[:, 0] - 0.25 * dosage[:, 1]
    table = pd.DataFrame({"patient_id": [f"a/i{number}" for number in range(200)], "x": value, "d": value > 0.5})
    table.iloc[2, 1] = np.nan
    table.astype({"d": int}).sample(frac=1, random_state=2).to_csv(tmp_path / "t.tsv", sep="\t", index=False)
    found, share = who.associations(VARIANTS, "x", str(tmp_path / "t.tsv"))
    assert share is None
    assert found["n"].tolist() == [197, 197]  # without a call, a covariate, an outcome
    slopes = [np.polyfit(dosage[3:, column], value[3:], 1)[0] for column in (0, 1)]
    assert found["beta"].tolist() == pytest.approx(slopes, abs=0.02)
    assert slopes[0] > 0.4 > 0 > slopes[1]
    _, share = who.associations(VARIANTS, "d", str(tmp_path / "t.tsv"))
    assert share == pytest.approx(np.delete(value > 0.5, 1).mean())


def test_what_does_not_fit_is_said(tmp_path: Path) -> None:
    who, _ = people()
    (tmp_path / "t.tsv").write_text("patient_id\tx\na/i3\tyes\n")
    with pytest.raises(UserError, match="column 'x': 'yes' is no number"):
        who.associations(VARIANTS, "x", str(tmp_path / "t.tsv"))
    (tmp_path / "t.tsv").write_text("patient_id\tx\na/i3\t-9\na/i4\t5\n")
    with pytest.raises(UserError, match="column 'x' has -9 in 1 row, .*discover.mr.missing_codes"):
        who.associations(VARIANTS, "x", str(tmp_path / "t.tsv"))
    (tmp_path / "t.tsv").write_text("patient_id\tx\nb/i3\t1\n")
    with pytest.raises(UserError, match="nobody of the study has x"):
        who.associations(VARIANTS, "x", str(tmp_path / "t.tsv"))
    (tmp_path / "t.tsv").write_text("patient_id\tx\na/i3\t1\na/i3\t0\n")
    with pytest.raises(UserError, match="a/i3 stands twice"):
        who.associations(VARIANTS, "x", str(tmp_path / "t.tsv"))
