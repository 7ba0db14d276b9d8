"""Whether an event came within a time, from which day it is counted, and risks where another event rules it out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ecglfm.data.labels.follow_up import Losses, came_within, days_made, followed_to_end
from ecglfm.evaluation.metrics.survival import kaplan_meier_interval
from ecglfm.models.baseline_hazard import fit_baseline

NAN = np.nan


def test_within_two_years_by_hand() -> None:
    cases = [
        (2.0, 1, 1), (0.1, 1, 1), (2.1, 1, 0),  # came by then, or later
        (2.0, 0, 0), (5.0, 0, 0), (1.9, 0, NAN),  # seen for so long without it, or not
        (0.0, 1, NAN), (-1.0, 0, NAN), (NAN, 1, NAN), (1.0, NAN, NAN), (3.0, NAN, NAN),
    ]  # fmt: skip
    time, event, expected = (np.array(column, float) for column in zip(*cases, strict=True))
    np.testing.assert_array_equal(came_within(time, event, 2.0), expected)


def test_days_of_a_date_and_of_a_time_that_stands_apart(tmp_path: Path) -> None:
    index = pd.DataFrame(
        {
            "record_id": ["a", "b", "c"], "native.AcquisitionDate": ["01-02-1970", None, "12-31-1970"],
            "native.AcquisitionTime": ["06:00:00", "06:00:00", None],
        }
    )  # fmt: skip
    index.to_parquet(tmp_path / "s.parquet")
    found = days_made(tmp_path / "s.parquet", list(index), "AcquisitionDate", "task")
    assert found.index.tolist() == ["a", "b", "c"]
    np.testing.assert_array_equal(found, [1.25, NAN, 364])


def test_ruled_out_by_hand() -> None:
    cases = [
        # time, event, ruled out at, end of follow-up; time and event then
        (2.0, 0, 2, 8, 8, 0),  # died: without the event until follow-up ends
        (NAN, 0, 2, 8, 8, 0),
        (2.0, 1, 3, 8, 2, 1),  # had it, and died later, or at once
        (2.0, 1, 2, 8, 2, 1),
        (3.0, 1, 2, 8, 8, 0),  # coded after the death
        (5.0, 0, NAN, 8, 5, 0),  # lost
        (9.0, 0, 9, 8, 8, 0),  # died when follow-up was over
        (2.0, 0, -1, 8, -1, 0), (2.0, 0, 0, 8, 0, 0),  # before the recording: nothing to predict
        (2.0, 0, 2, NAN, NAN, 0), (2.0, NAN, 2, 8, 2, NAN),  # unknown until when, or whether
    ]  # fmt: skip
    *given, time, event = (np.array(column, float) for column in zip(*cases, strict=True))
    np.testing.assert_array_equal(followed_to_end(*given), [time, event])


def test_what_is_observed_is_aalen_and_johansens_cumulative_incidence() -> None:
    """Lifelines 0.30.3: AalenJohansenFitter(calculate_variance=False).fit(time, cause, event_of_interest=1).predict(at).

    Nobody is lost before 8. Kaplan and Meier, to whom deaths are losses, say a half at 6.5 instead of a third.
    """
    time = np.array([1.0, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 5.5, 6.0, 7.0, 8.0, 8.0])
    cause = np.array([2, 1, 2, 1, 2, 2, 1, 2, 1, 2, 0, 0])
    gone, end = np.where(cause == 2, time, NAN), np.full(12, 8.0)
    followed = followed_to_end(time, (cause == 1).astype(float), gone, end)
    found = [1 - kaplan_meier_interval(*followed, at)[0] for at in (1.5, 2.2, 3.2, 5.2, 6.5)]
    lifelines = [0.0, 0.08333333333333334, 0.16666666666666669, 0.25, 0.3333333333333333]
    assert found == pytest.approx(lifelines, abs=1e-12)
    assert kaplan_meier_interval(time, cause == 1, 6.5)[0] == pytest.approx(10 / 11 * 8 / 9 * 5 / 6 * 3 / 4)


def test_who_came_later_is_followed_less_long() -> None:
    """By hand: of seven, six and three at risk one each has the event; the dead are at risk until 6 and 4.5."""
    time = np.array([1, 2, 3, 3.5, 4, 5, 7.0])
    event, gone = np.array([1, 0, 1, 0, 0, 1, 0.0]), np.array([NAN, 2, NAN, NAN, 4, NAN, NAN])
    followed = followed_to_end(time, event, gone, np.array([9, 6, 9, 3.5, 4.5, 9, 7]))
    assert kaplan_meier_interval(*followed, 5)[0] == pytest.approx(6 / 7 * 5 / 6 * 2 / 3)


def test_losses_by_hand() -> None:
    """Lost at 2 (of 9 at risk), 4 (two of 5: who died at 4 was gone before) and 7 (of 1); the unknown do not count."""
    time = np.array([1, 2, 3, 3, 4, 4, 4, 6, 7, 8, NAN, 9, -1])
    event = np.array([1, 0, 1, 0, 0, 0, 0, 1, 0, 1, 0, NAN, 0])
    gone = np.array([NAN, NAN, 3.5, 3, NAN, NAN, 4, NAN, NAN, 5, NAN, 9, -1])  # coded at 8, after a death at 5
    found = Losses.of(time, event, gone)
    np.testing.assert_array_equal(found.times, [2, 4, 7])
    np.testing.assert_allclose(found.kept, [8 / 9, 8 / 9 * 3 / 5, 0])
    assert found.last == 7


def test_who_would_have_been_lost_when() -> None:
    """Of those who die at 3 a half is lost at 4, the rest goes on until the last is seen at 9; nobody is lost before dying."""
    losses = Losses(np.array([2.0, 4.0]), np.array([0.8, 0.4]), 9.0)
    patients = pd.Series([f"s/{number}" for number in range(4000)])
    gone = np.repeat([3.0, 4.0, 5.0, 10.0], 1000)
    gone[-1] = NAN
    end = losses.followed_until(gone, patients)
    assert np.mean(end[:2000] == 4) == pytest.approx(0.5, abs=0.03)
    assert set(end[:1000]) == set(end[1000:2000]) == {4, 9}  # a death comes before a loss of the same day
    assert (set(end[2000:3000]), set(end[3000:-1])) == ({9}, {10})
    assert np.isnan(end[-1])
    np.testing.assert_array_equal(losses.followed_until(gone[::-1], patients[::-1]), end[::-1])  # the patient's own
    nobody = Losses.of(np.array([3.0]), np.array([0.0]), np.array([3.0]))
    assert nobody.followed_until(np.array([3.0, 2.0]), patients[:2]).tolist() == [3, 3]


def test_where_the_living_are_lost_risks_are_those_of_a_world_in_which_people_die() -> None:
    """15 % in ten years, two deaths for each event, a tenth of the living lost a year: 18 % where the dead are lost."""
    rng, n, most = np.random.default_rng(1), 40_000, 12.0
    hazard = 0.15 / (1 - np.exp(-0.0606 * 10)) * 0.0606  # of the event; both together 0.0606 a year
    first, is_event = rng.exponential(1 / 0.0606, n), rng.uniform(size=n) < hazard / 0.0606
    seen = np.fmin(rng.exponential(1 / 0.1, n), most)
    time, event = np.fmin(first, seen), ((first <= seen) & is_event).astype(float)
    gone = np.where((first <= seen) & ~is_event, first, NAN)
    until = Losses.of(time, event, gone).followed_until(gone, pd.Series([f"s/{row}" for row in range(n)]))
    observed = {
        name: 1 - kaplan_meier_interval(*followed, 10)[0]
        for name, followed in {
            "drawn": followed_to_end(time, event, gone, until),
            "to the end": followed_to_end(time, event, gone, np.full(n, most)),
            "lost": (time, event),
        }.items()
    }
    assert observed["drawn"] == pytest.approx(0.15, abs=0.005)
    assert observed["to the end"] < 0.143
    assert observed["lost"] > 0.175


def test_a_models_probability_is_the_planted_cumulative_incidence() -> None:
    """Fine and Gray's own simulation: 1 - (1 - p (1 - exp(-t)))^exp(b x) have had the event until t, others have died."""
    rng, p, b = np.random.default_rng(0), 0.4, 0.7
    x = rng.normal(0, 1, 20_000)
    relative, u = np.exp(b * x), rng.uniform(0, 1, len(x))
    with np.errstate(invalid="ignore"):
        came = -np.log(1 - (1 - (1 - u) ** (1 / relative)) / p)  # NaN of those who die of something else
    died, end = np.where(np.isnan(came), rng.exponential(1, len(x)), NAN), rng.uniform(0.5, 4, len(x))
    event, gone = (came <= end).astype(float), np.where(died <= end, died, NAN)
    last = np.fmin(np.fmin(came, died), end)
    people, at = np.array([-1, 0, 1.0]), 1.5
    planted = 1 - (1 - p * (1 - np.exp(-at))) ** np.exp(b * people)
    model = fit_baseline(*followed_to_end(last, event, gone, end), x)
    assert model is not None
    assert model.slope == pytest.approx(b, abs=0.03)
    assert model.probability(people, at) == pytest.approx(planted, abs=0.015)
    lost = fit_baseline(last, event, x)
    assert lost is not None
    assert (lost.probability(people, at) > planted + 0.05).all()
