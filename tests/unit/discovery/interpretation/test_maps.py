"""Places of people on the map."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ecglfm.discovery.interpretation import maps
from ecglfm.discovery.interpretation.maps import people_map, principal_components


def vectors(n: int = 60, dim: int = 5) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        rng.normal(size=(n, dim)) * [9.0, 3.0, 1.0, 1.0, 1.0], index=[f"r{one:03d}" for one in range(n)]
    )


def test_components_are_those_of_the_covariance():
    x = vectors().to_numpy()
    scores = principal_components(x, 2)
    variance = np.linalg.eigvalsh(np.cov(x, rowvar=False))[::-1]
    assert scores.var(axis=0, ddof=1) == pytest.approx(variance[:2])
    assert abs(np.corrcoef(scores[:, 0], x[:, 0])[0, 1]) > 0.95
    assert principal_components(np.ones((5, 3)), 2).shape == (5, 0)


def test_the_order_of_rows_changes_no_place():
    table = vectors()
    found = people_map(table, method="pca", most=100, seed=0)
    again = people_map(table.sample(frac=1, random_state=3), method="pca", most=100, seed=0)
    pd.testing.assert_frame_equal(found, again)
    assert found["record_id"].tolist() == table.index.tolist()


def test_fewer_people_are_drawn_by_the_seed():
    some, same, other = (people_map(vectors(), method="pca", most=20, seed=seed) for seed in (0, 0, 1))
    assert len(some) == 20
    pd.testing.assert_frame_equal(some, same)
    assert some["record_id"].tolist() != other["record_id"].tolist()


def test_umap_is_given_fifty_components(monkeypatch):
    seen = []

    def embed(values: np.ndarray, seed: int) -> np.ndarray:
        seen.append((values.shape, seed))
        return values[:, 1:3]

    monkeypatch.setattr(maps, "embed", embed)
    rng = np.random.default_rng(0)
    wide = pd.DataFrame(rng.normal(size=(80, 70)), index=[f"r{one:03d}" for one in range(80)])
    found = people_map(wide, method="umap", most=100, seed=7)
    assert seen == [((80, 50), 7)]
    assert found["x"].std() > 0
