"""Candidates for copies: those that comparing every pair would find, at the cost of sorting."""

import numpy as np
import pytest

from ecglfm.data.manifest.duplicates.candidates import MOST_PARTNERS, candidate_pairs
from ecglfm.data.manifest.duplicates.fingerprints import SCALE, Fingerprints


@pytest.mark.parametrize("common", [0.0, 1.5])  # with much in common, signatures lie on one side of most planes
def test_sorted_neighbours_find_what_comparing_every_pair_finds(common):
    rng = np.random.default_rng(2)
    vectors = rng.standard_normal((20_000, 64))
    vectors += common
    near = vectors[-300:] + 0.3 * rng.standard_normal((300, 64))
    vectors = np.concatenate([vectors, near])
    vectors = np.rint(SCALE * vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).clip(-127, 127)
    n = len(vectors)
    prints = Fingerprints(np.arange(n), np.zeros(n, bool), np.zeros(n, np.float32), vectors.astype(np.int8))
    found = {tuple(pair) for pair in candidate_pairs(prints, cosine=0.93).tolist()}
    planted = {(19_700 + k, 20_000 + k) for k in range(300)}
    if common == 0.0:
        assert found <= planted
    # Cosines of 0.96. A recording has several windows; of single ones a few are missed (285 without the next block).
    assert len(found & planted) >= 288


def test_a_crowd_of_look_alikes_costs_no_more_than_its_size_and_hides_no_copy():
    rng = np.random.default_rng(3)
    vectors = rng.standard_normal(64) + 0.2 * rng.standard_normal((2000, 64))  # cosines of 0.96, pair by pair
    vectors[1000:1300] = vectors[:300] + 0.02 * rng.standard_normal((300, 64))
    vectors = np.rint(SCALE * vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).clip(-127, 127)
    prints = Fingerprints(np.arange(2000), np.zeros(2000, bool), np.zeros(2000, np.float32), vectors.astype(np.int8))
    pairs = candidate_pairs(prints, cosine=0.93)
    assert 2000 < len(pairs) <= 2000 * MOST_PARTNERS
    assert len({(k, 1000 + k) for k in range(300)} & {tuple(pair) for pair in pairs.tolist()}) >= 299
