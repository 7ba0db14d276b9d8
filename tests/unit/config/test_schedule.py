"""Schedules in the config: which need the length of the training, and which mean nothing."""

from __future__ import annotations

import pytest

from ecglfm.config import ScheduleConfig, UserError, parse


def test_only_schedules_with_an_end_depend_on_the_length():
    assert not ScheduleConfig(warmup=20).needs_length
    for options in ({"warmup": 0.1}, {"kind": "cosine"}, {"kind": "tri_stage"}):
        assert ScheduleConfig(**options).needs_length


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"kind": "cosine", "hold": 5}, "hold belongs to `kind: tri_stage`, not to 'cosine'"),
        ({"warmup": 2.5}, "schedule.yaml: warmup: 2.5 is neither a whole number of updates nor a share below 1"),
        ({"kind": "tri_stage", "final": 0}, "an exponential decay never reaches `final: 0`"),
        ({"kind": "polynomial"}, "kind: Input should be 'constant', 'cosine' or 'tri_stage', found 'polynomial'"),
    ],
)
def test_schedules_that_mean_nothing_are_refused(options, said):
    with pytest.raises(UserError) as error:
        parse(ScheduleConfig, options, "schedule.yaml")
    assert said in str(error.value)
