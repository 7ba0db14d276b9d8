"""Which recordings are compared, and how alike they are."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

from ecglfm.evaluation.verification import identity_pairs
from ecglfm.evaluation.verification.identity_pairs import Pairs, choose_pairs, cosines, is_copy


def table(**patients: list[int]) -> pd.DataFrame:
    """Recordings of each patient of some sources, sorted as `choose_pairs` wants them."""
    rows = [
        {"source": source, "patient_id": f"{source}/{patient}"}
        for source, counts in sorted(patients.items())
        for patient, count in enumerate(counts)
        for _ in range(count)
    ]
    return pd.DataFrame(rows, columns=["source", "patient_id"])


def as_set(pairs: Pairs) -> set[tuple[int, int]]:
    found = set(zip(pairs.first.tolist(), pairs.second.tolist(), strict=True))
    assert len(found) == len(pairs)
    return found


RECORDS = table(a=[3, 1, 2], b=[1, 4])


def expected(same: bool) -> set[tuple[int, int]]:
    rows = list(RECORDS.itertuples(index=False))
    return {
        (i, j)
        for (i, x), (j, y) in itertools.combinations(enumerate(rows), 2)
        if x.source == y.source and (x.patient_id == y.patient_id) == same
    }


def test_every_pair_once_and_impostors_of_one_source() -> None:
    genuine, impostor = choose_pairs(RECORDS, 1000, 0)
    assert as_set(genuine) == expected(True)
    assert as_set(impostor) == expected(False)
    assert (genuine.possible, impostor.possible) == (3 + 1 + 6, 3 + 6 + 2 + 4)


def test_of_many_pairs_a_sample_by_seed() -> None:
    samples = [choose_pairs(RECORDS, 4, seed) for seed in range(100)]
    for genuine, impostor in samples:
        assert (len(genuine), len(impostor)) == (4, 4)
        assert as_set(genuine) < expected(True)
        assert as_set(impostor) < expected(False)
    np.testing.assert_array_equal(choose_pairs(RECORDS, 4, 7)[1].second, samples[7][1].second)
    drawn = pd.Series([pair for _, impostor in samples for pair in as_set(impostor)]).value_counts()
    assert len(drawn) == 15  # each is drawn 100 x 4 / 15 = 27 times, with a standard deviation of 4.4
    assert drawn.between(27 - 18, 27 + 18).all()


@pytest.mark.parametrize(("counts", "sizes"), [({}, (0, 0)), ({"a": [1]}, (0, 0)), ({"a": [1], "b": [2]}, (1, 0))])
def test_few_recordings(counts: dict[str, list[int]], sizes: tuple[int, int]) -> None:
    genuine, impostor = choose_pairs(table(**counts), 10, 0)
    assert (len(genuine), len(impostor)) == sizes


def test_copies_are_found_in_either_order() -> None:
    pairs = choose_pairs(RECORDS, 1000, 0)[0]
    names = np.array([f"r{row}" for row in range(len(RECORDS))], object)
    copies = is_copy(pairs, names, [("r2", "r0"), ("r4", "r5"), ("r0", "elsewhere"), ("r0", "r3")])
    assert as_set(Pairs(pairs.first[copies], pairs.second[copies], 2)) == {(0, 2), (4, 5)}
    kept = pairs.without(copies)
    assert (len(kept), kept.possible) == (8, 8)


def test_cosines_are_those_of_numpy_whatever_the_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(len(RECORDS), 7)) * rng.lognormal(size=(len(RECORDS), 1))
    vectors[3] = 0
    pairs = choose_pairs(RECORDS, 1000, 0)[1]
    whole = cosines(vectors, pairs)
    for (first, second), score in zip(zip(pairs.first, pairs.second, strict=True), whole, strict=True):
        a, b = vectors[first], vectors[second]
        lengths = np.linalg.norm(a) * np.linalg.norm(b)
        assert score == pytest.approx(a @ b / lengths if lengths else 0, abs=1e-6)
    monkeypatch.setattr(identity_pairs, "_TOGETHER", 2)
    np.testing.assert_array_equal(cosines(vectors, pairs), whole)
    some = Pairs(pairs.first[4:7], pairs.second[4:7], 15)
    np.testing.assert_array_equal(cosines(vectors, some), whole[4:7])
