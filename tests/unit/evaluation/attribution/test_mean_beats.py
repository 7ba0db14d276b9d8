"""Groups are those of the thresholds, and a mean beat is the mean of the beats, with what each part adds."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ecglfm.evaluation.attribution import choose_records, draw_mean_beats, mean_beat
from tests.unit.evaluation.attribution.models import FS, contracted_model, linear_model
from tests.unit.evaluation.beats.hearts import heart


def test_groups_by_hand():
    table = pd.DataFrame(
        {
            "record_id": list("abcdefg"),
            "target.AF": [1, 1, 0, 0, 1, 1, np.nan],
            "probability.AF": [0.9, 0.3, 0.8, 0.1, 0.7, 0.7, 0.9],
            "threshold.AF": [0.5, 0.5, 0.5, 0.5, 0.7, 0.8, 0.5],
        }
    )
    found = choose_records(table, "AF", 5)
    assert {group: (sorted(names), of) for group, (names, of) in found.items()} == {
        "True positives": (["a", "e"], 2), "False positives": (["c"], 1), "Misses": (["b", "f"], 2),
    }  # fmt: skip
    some = choose_records(table, "AF", 1)["True positives"]
    assert some == (choose_records(table[::-1], "AF", 1)["True positives"][0], 2)  # whatever the order of rows
    assert len(some[0]) == 1


def test_a_mean_beat_by_hand():
    model = linear_model(seconds=5.0)
    weights = model.head.weight[2].detach().numpy()
    one = np.rint(heart(fs=FS, seconds=8) * 1000).astype(np.int16)
    signals = {"a": one, "b": 2 * one, "flat": 0 * one}  # the last has no beat
    found = mean_beat(model, 2, ["a", "b", "flat"], signals.__getitem__, of=7)
    assert found is not None
    assert (found.records, found.of) == (2, 7)
    assert found.signal_mv.shape == (80, 12)
    assert found.signal_mv[:, 0].max() == pytest.approx(1.5 * 1.2, abs=0.06)  # R is 1.2 mV in lead I
    peak = int(np.argmax(found.signal_mv[:, 0]))
    assert peak == pytest.approx(30, abs=2)  # 0.3 s after the start
    # what a sample adds is weight x mV / samples of a window, before levels are taken off
    np.testing.assert_allclose(found.values[peak, 0], weights[0] * 1.8 / 500, rtol=0.06)
    assert mean_beat(model, 2, ["flat"], signals.__getitem__, of=1) is None
    figure = draw_mean_beats({"Misses": found}, model.encoder.leads, FS)
    assert figure.axes[0].texts[0].get_text() == "Misses: 2 of 7 records"
    drawn = [line for line in figure.axes[0].lines if line.get_gid() == "Misses-V6"]
    np.testing.assert_allclose(drawn[0].get_ydata(), found.signal_mv[:, 11])


def test_the_mean_beat_of_an_encoder_with_a_contract_is_in_mv_at_its_rate():
    """Of its first window, of 2 s, in the order of its leads; what a sample adds is over the lead's deviation."""
    model = contracted_model()
    weight = float(model.head.weight[2, -1].detach())
    one = np.rint(heart(fs=FS, seconds=8) * 1000).astype(np.int16)
    found = mean_beat(model, 2, ["a"], {"a": one}.__getitem__, of=1)
    assert found is not None
    assert found.signal_mv.shape == found.values.shape == (40, 12)  # 0.8 s at 50 Hz
    assert found.signal_mv[:, -1].max() == pytest.approx(1.2, abs=0.1)  # R of lead I, the last
    peak = int(np.argmax(found.signal_mv[:, -1]))
    assert peak == pytest.approx(15, abs=1)
    np.testing.assert_allclose(found.values[peak, -1], weight * 1.2 / 12 / 100, rtol=0.1)
