"""The heat map shows what is alike beside each other, the same in every run."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ecglfm.discovery.biomarkers.figure import MOST, clustered, heat_map
from ecglfm.evaluation.plots import png


def table(edfs: int = 4, biomarkers: int = 6) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    rows = [
        {"edf": f"edf_{e:04d}", "biomarker": f"b{b}", "rho": float(rng.uniform(-0.5, 0.5)), "q_value": 0.5}
        for b in range(biomarkers) for e in range(edfs)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_alike_rows_stand_together():
    order = clustered(np.array([[0.9, 0.1], [-0.8, 0.0], [0.88, 0.12], [-0.82, 0.02]])).tolist()
    assert {frozenset(order[:2]), frozenset(order[2:])} == {frozenset({0, 2}), frozenset({1, 3})}


def test_the_strongest_are_shown_and_those_that_hold_have_a_dot():
    found = table(edfs=MOST + 5)
    found.loc[found["edf"] == "edf_0003", "rho"] = 0.95
    found.loc[(found["edf"] == "edf_0003") & (found["biomarker"] == "b2"), "q_value"] = 0.001
    found.loc[found["biomarker"] == "b5", "rho"] = np.nan  # nobody has it
    axes = heat_map(found).axes[0]
    columns, rows = (
        [label.get_text() for label in labels] for labels in (axes.get_xticklabels(), axes.get_yticklabels())
    )
    assert len(columns) == MOST
    assert set(rows) == {"b0", "b1", "b2", "b3", "b4"}
    (dots,) = axes.collections
    assert dots.get_offsets().tolist() == [[columns.index("edf_0003"), rows.index("b2")]]


def test_the_same_table_is_the_same_picture():
    assert png(heat_map(table())) == png(heat_map(table()))
