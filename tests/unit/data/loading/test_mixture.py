"""Sources have their shares of the draws, to one draw after every update, and patients their turns."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from ecglfm.config import UserError
from ecglfm.data.loading.mixture import Mixed, apportion, mixed
from ecglfm.data.loading.pairs import PairSampler
from ecglfm.data.loading.pretraining import Mixture, PretrainBatches
from tests.unit.data.loading.batches_of import LENGTH


@pytest.mark.parametrize(
    ("weights", "size", "updates"),
    [
        ([1, 1], 3, 50), ([0.7, 0.3], 10, 40), ([5, 3, 1], 7, 100), ([0.5, 0.25, 0.125, 0.125], 6, 64),
        ([0.013, 0.987], 16, 300), ([1, 1, 1, 1, 1, 2], 5, 77), ([0.496, 0.248, 0.124, 0.066, 0.066], 9, 222), ([4.0], 5, 3),
    ],
)  # fmt: skip
def test_after_every_update_each_source_has_had_its_share_to_one_draw(
    weights: list[float], size: int, updates: int
) -> None:
    counts = apportion(weights, size=size, updates=updates)
    assert (counts >= 0).all()
    assert (counts.sum(axis=1) == size).all()
    owed = np.arange(1, updates + 1)[:, None] * size * np.array(weights) / sum(weights)
    assert np.abs(np.cumsum(counts, axis=0) - owed).max() < 1


def test_shares_by_hand() -> None:
    assert apportion([1, 1], size=3, updates=2).tolist() == [[2, 1], [1, 2]]  # 1.5 and 1.5 places: a b a, b a b
    assert apportion([3, 1], size=4, updates=2).tolist() == [[3, 1], [3, 1]]
    assert apportion([0.3, 0.7], size=10, updates=1).tolist() == [[3, 7]]
    # 1, 2, 3, … tenths of the places: 0.1 of 1 to 5 places are none or one
    assert np.cumsum(apportion([0.1, 0.9], size=1, updates=20)[:, 0])[[8, 9, 19]].tolist() == [1, 1, 2]


SOURCE_P = np.repeat([0, 1, 2], [100, 30, 4])  # 134 patients


def drawn(order: Mixed, epoch: int, size: int = 10, updates: int = 13) -> np.ndarray:
    """Patients of an epoch, (updates, size)."""
    return np.stack([order.patients(epoch, index, range(size)) for index in range(updates)])


def test_draws_of_an_epoch_and_how_often_each_patient_is_drawn() -> None:
    order = Mixed(SOURCE_P, [2, 5, 3], size=10, updates=13, key=[7, 1])
    assert order.draws.tolist() == [26, 65, 39]  # of 130: a fifth, a half, three tenths
    walked = []
    for epoch in range(4):
        patients = drawn(order, epoch)
        assert [np.bincount(SOURCE_P[batch], minlength=3).tolist() for batch in patients] == order.counts.tolist()
        times = Counter(patients.ravel().tolist())
        large, middle, small = (sorted(times[p] for p in np.flatnonzero(np.equal(SOURCE_P, k))) for k in range(3))
        assert large == [0] * 74 + [1] * 26  # subsampled: nobody twice
        assert middle == [2] * 25 + [3] * 5  # 65 of 30
        assert small == [9] + [10] * 3  # 39 of 4
        walked.append({p for p in times if SOURCE_P[p] == 0})
    assert not walked[0] & walked[1]  # three epochs of 26 go into 100: everybody once before anybody twice
    assert not (walked[0] | walked[1]) & walked[2]
    assert walked[3] & (walked[0] | walked[1] | walked[2])


def test_a_batch_is_a_function_of_seed_epoch_and_step_and_its_places_are_mixed() -> None:
    def order(seed: int = 7) -> Mixed:
        return Mixed(SOURCE_P, [2, 5, 3], size=10, updates=13, key=[seed, 1])

    whole = drawn(order(), 5)
    np.testing.assert_array_equal(order().patients(5, 9, range(10)), whole[9])  # whatever was asked for before
    np.testing.assert_array_equal(order().patients(5, 9, range(3, 7)), whole[9, 3:7])
    assert (drawn(order(), 6) != whole).mean() > 0.8
    assert (drawn(order(8), 5) != whole).mean() > 0.8
    of = SOURCE_P[np.concatenate([drawn(order(), epoch) for epoch in range(40)])]
    shares = np.stack([(of == k).mean(axis=0) for k in range(3)])  # at each place of a batch, in 520 batches
    np.testing.assert_allclose(
        shares, np.broadcast_to([[0.2], [0.5], [0.3]], (3, 10)), atol=0.08
    )  # 3.6 standard errors


def test_names_order_nothing_and_mistakes_are_told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    names = np.array(["b", "a", "c"])[SOURCE_P]
    options = {"size": 10, "updates": 13, "key": [7, 1]}
    one = mixed(names, {"a": 0.5, "b": 0.2, "c": 0.3}, **options)
    other = mixed(names, {"c": 3, "b": 2, "a": 5}, **options)
    np.testing.assert_array_equal(drawn(one, 3), drawn(other, 3))
    assert (
        "mixture: b has 20 % of the draws, 26 of 130 an epoch, from 100 patients: each is drawn 0.26 times"
        in caplog.text
    )
    assert "more than once" not in caplog.text  # 3 of the 4 patients of c, at most 4
    with pytest.raises(UserError, match=r"pretrain\.mixture: d: no patient of it makes pairs; leave it out"):
        mixed(names, {"a": 1, "b": 1, "c": 1, "d": 1}, **options)
    with pytest.raises(UserError, match=r"c: 0\.001 of 1\.001 is none of the 130 draws of an epoch; give it more"):
        mixed(names, {"a": 0.5, "b": 0.5, "c": 0.001}, **options)
    mixed(names, {"a": 1, "b": 1, "c": 3}, **options)
    assert "a batch draws 6 times of c, which has 4 patients: a person stands in it more than once" in caplog.text


def test_ranks_share_the_batch_of_a_single_process(cohort) -> None:
    records, signals = cohort
    one = records["patient_id"].str.contains("one|two[0-2]").to_numpy()  # 4 + 3 of the 12 that make pairs
    sources = np.where(one, "small", "large")
    mixture = Mixture(sources, {"small": 0.25, "large": 0.75})

    def batches(**options) -> PretrainBatches:
        return PretrainBatches(
            signals, PairSampler(records, split="train", length=LENGTH), seed=7, mixture=mixture, **options
        )

    whole = batches(batch_size=12)
    ranks = [batches(batch_size=3, accumulate=2, rank=rank, world_size=2) for rank in range(2)]
    for step in range(5):
        rows = np.concatenate([ranks[r].crops(2 * step + micro).rows for micro in range(2) for r in range(2)])
        np.testing.assert_array_equal(rows, whole.crops(step).rows)
        assert Counter(sources[rows[::2]]) == {"small": 3, "large": 9}
