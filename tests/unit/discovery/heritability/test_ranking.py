"""Ranks of dimensions, and the share of a value that is the device's."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ecglfm.discovery.heritability.ranking import rank_dimensions, share_explained


def test_a_planted_share_between_devices() -> None:
    generator = np.random.default_rng(0)
    device = np.repeat(["a", "b", "c", "d"], 5000)
    of_device = np.repeat(np.sqrt(0.3) * np.array([-1, 1, -1, 1]), 5000)
    value = of_device + np.sqrt(0.7) * generator.normal(size=20_000)
    assert share_explained(value, device) == pytest.approx(0.3, abs=0.01)
    assert share_explained(value, generator.permutation(device)) < 0.001


def test_a_share_by_hand() -> None:
    """1, 2 | 4, 5: SST 10, within 1, so between 9; (9 - 1 * 0.5) / 10."""
    value, group = np.array([1.0, 2, 4, 5, 100, np.nan]), np.array(["a", "a", "b", "b", None, "b"], dtype=object)
    assert share_explained(value, group) == pytest.approx(0.85)
    assert share_explained(np.array([1.0, 2, 2, 1]), np.array(list("aabb"))) == 0
    assert np.isnan(share_explained(value[:2], group[:2]))


def test_the_best_in_all_is_first_and_remarks_say_what_speaks_against_one() -> None:
    heritability = pd.DataFrame({"edf": ["a", "b", "c"], "h2": [0.3, 0.2, 0.0], "h2_se": 0.05, "h2_z": [6, 4, 0.1]})
    confounding = pd.DataFrame({"edf": ["a", "b", "c"], "device": [0.02, 0.5, 0.01], "site": [0.0, 0.1, np.nan]})
    found = rank_dimensions(
        ["c", "b", "a"], heritability=heritability, icc={"a": 0.9, "b": 0.95, "c": 0.2}, confounding=confounding
    )
    assert found["edf"].tolist() == ["a", "b", "c"]
    assert found["rank"].tolist() == [1, 2, 3]
    assert found["score"].tolist() == pytest.approx([(1 + 0.5 + 0.5) / 3, (0.5 + 1 + 0) / 3, (0 + 0 + 1) / 3])
    assert found["confounding"].tolist() == [0.02, 0.5, 0.01]
    assert found["remark"].tolist() == [
        "",
        "confounded (over 10% of its variance)",
        "heritability is not seen (h2 below 2 SE); unstable within a person (ICC below 0.4)",
    ]


def test_what_is_not_known_has_no_part() -> None:
    found = rank_dimensions(["a", "b"], icc={"a": 0.5})
    assert found["edf"].tolist() == ["a", "b"]
    assert "h2" not in found
    assert np.isnan(rank_dimensions(["a"])["score"][0])
