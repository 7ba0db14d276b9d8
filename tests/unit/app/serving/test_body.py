"""A body becomes recordings, or the sentence that says why not."""

from __future__ import annotations

import numpy as np
import pytest

from ecglfm.app.serving.body import BodyError, records_of

GOOD = {"signal": [[1.0, 2, None], [4, 5, 6]], "leads": ["v1", "II"], "sampling_rate": 400}


def test_leads_unit_and_missing_samples():
    first, second = records_of([GOOD, GOOD | {"unit": "uV", "patient": "x"}])
    assert (first.leads, first.sampling_rate) == (("V1", "II"), 400.0)
    np.testing.assert_array_equal(first.signal, [[1, 4], [2, 5], [np.nan, 6]])
    np.testing.assert_allclose(second.signal, [[0.001, 0.004], [0.002, 0.005], [np.nan, 0.006]])


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"sampling_rate": None}, "recording 1: `sampling_rate` lacking; say signal, leads, sampling_rate"),
        ({"sampling_rate": float("nan"), "leads": None}, "`leads` and `sampling_rate` lacking"),
        ({"sampling_rate": 0}, "`sampling_rate` is 0; say a number of Hz"),
        ({"sampling_rate": True}, "`sampling_rate` is True"),
        ({"sampling_rate": "500"}, "`sampling_rate` is '500'"),
        ({"sampling_rate": float("inf")}, "`sampling_rate` is inf"),
        ({"unit": "T"}, "`unit` is 'T'; say one of V, mV, uV, nV"),
        ({"leads": "V1"}, "`leads` is 'V1'; say a list of names"),
        ({"leads": ["V1"]}, "`signal` has 2 leads and `leads` 1 names"),
        ({"leads": [1] * 99}, "…; say a list of names"),
        ({"signal": [[1, 2], [3]]}, "`signal` is no list of leads with equally many numbers each"),
        ({"signal": [[1, "2"], [3, 4]]}, "`signal` is no list"),
        ({"signal": [[1, "2"], [3, None]]}, "`signal` is no list"),
        ({"signal": [[True, False], [True, True]]}, "`signal` is no list"),
        ({"signal": [[[1]], [[2]]]}, "`signal` is no list"),
        ({"signal": [1, 2]}, "`signal` is no list"),
        ({"signal": []}, "`signal` is no list"),
        ({"signal": [[10**400, 1], [1, 2]]}, "`signal` is no list"),
    ],
)
def test_what_is_wrong_is_a_sentence(change: dict, sentence: str):
    with pytest.raises(BodyError) as told:
        records_of([GOOD, GOOD | change])
    assert sentence in str(told.value)
    assert str(told.value).startswith("recording 1: ")
    assert len(str(told.value)) < 200


def test_a_database_is_no_request(monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(BodyError, match="0 recordings; send 1 to 256 at a time"):
        records_of([])
    with pytest.raises(BodyError, match="257 recordings"):
        records_of([GOOD] * 257)
    monkeypatch.setattr("ecglfm.app.serving.body.MOST_SAMPLES", 11)
    with pytest.raises(BodyError, match="more than 11 samples; send fewer"):
        records_of([GOOD, GOOD])
    assert len(records_of([GOOD])) == 1
