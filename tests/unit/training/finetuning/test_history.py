"""Which epoch is the best and when a training ends, also where scores are equal."""

from __future__ import annotations

import pytest

from ecglfm.training.finetuning.history import EarlyStopping


@pytest.mark.parametrize(
    ("values", "larger", "improved", "last"),
    [
        ([3, 2, 2, 1, 5], False, [1, 2, 4], None),  # an equal loss is no improvement
        ([0.5, 0.6, 0.6, 0.6], True, [1, 2], 4),  # patience 2: epochs 3 and 4
        ([0.5, 0.4, 0.6, 0.5, 0.5], True, [1, 3], 5),
        ([1, 2, 3], False, [1], 3),
    ],
)
def test_scores_by_hand(values: list[float], larger: bool, improved: list[int], last: int | None) -> None:
    stopping = EarlyStopping(patience=2, larger_is_better=larger)
    epochs = list(enumerate(values, start=1))
    found, over = [], []
    for epoch, value in epochs:
        if stopping.improves(epoch, value):
            found.append(epoch)
        if stopping.is_over(epoch):
            over.append(epoch)
    assert found == improved
    assert stopping.epoch == improved[-1]
    assert stopping.value == values[improved[-1] - 1]
    assert over == ([] if last is None else [last])
