"""Leads by name: standard order, derived limb leads, missing and foreign ones."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from ecglfm.config import LEADS
from ecglfm.records import SENTINEL, Record, RecordError, to_microvolts

LIMB = LEADS[:6]


def recording() -> np.ndarray:
    """Twelve leads in mV that satisfy Einthoven's and Goldberger's definitions."""
    signal = np.random.default_rng(0).normal(size=(50, 12))
    right, left, foot = np.random.default_rng(1).normal(size=(3, 50))  # electrode potentials
    signal[:, 0], signal[:, 1], signal[:, 2] = left - right, foot - right, foot - left
    signal[:, 3] = right - (left + foot) / 2
    signal[:, 4] = left - (right + foot) / 2
    signal[:, 5] = foot - (right + left) / 2
    return signal


def record_of(*names: str) -> Record:
    signal = np.column_stack([recording()[:, LEADS.index(name)] if name in LEADS else np.zeros(50) for name in names])
    return Record(signal, names, 500.0, ("Age: 1",))


def test_full_set_is_reordered_by_name():
    standard = record_of("V6", *LEADS[:11]).standard()
    np.testing.assert_array_equal(standard.signal, recording())
    assert (standard.lead_mask, standard.derived, standard.ignored) == (4095, (), ())
    assert (standard.sampling_rate, standard.comments) == (500.0, ("Age: 1",))


@pytest.mark.parametrize("pair", itertools.combinations(LIMB, 2), ids="+".join)
def test_any_two_limb_leads_give_the_six(pair: tuple[str, str]):
    standard = record_of(*reversed(pair), *LEADS[6:]).standard()
    np.testing.assert_allclose(standard.signal, recording(), atol=1e-14)
    assert standard.lead_mask == 4095
    assert standard.derived == tuple(lead for lead in LIMB if lead not in pair)


def test_third_limb_lead_is_an_exact_difference():
    standard = record_of("I", "II").standard()
    np.testing.assert_array_equal(standard.signal[:, 2], recording()[:, 1] - recording()[:, 0])


def test_missing_leads_are_nan_and_their_bits_off():
    standard = record_of("V1", "II").standard()
    assert standard.lead_mask == 0b1000010
    assert standard.derived == ()
    assert np.flatnonzero(~np.isnan(standard.signal).all(axis=0)).tolist() == [1, 6]
    stored = record_of("V1", "II").microvolts()
    np.testing.assert_array_equal(stored.signal[:, 6], np.rint(recording()[:, 6] * 1000))
    assert (stored.signal[:, 0] == SENTINEL).all()


def test_foreign_leads_are_ignored_and_named():
    standard = record_of("vx", *LEADS, "vy").standard()
    np.testing.assert_array_equal(standard.signal, recording())
    assert standard.ignored == ("vx", "vy")


@pytest.mark.parametrize(
    ("names", "reason", "named"),
    [(("vx", "vy"), "lead_missing", "vx vy"), ((*LEADS, "V5"), "lead_repeated", "V5"), ((), "lead_missing", "V6")],
)
def test_leads_that_cannot_be_told(names: tuple[str, ...], reason: str, named: str):
    with pytest.raises(RecordError, match=named) as error:
        Record(np.zeros((5, len(names))), names, 500.0).standard()
    assert error.value.reason == reason


def test_leads_are_named_by_a_person():
    record = record_of("C1", "ii", "x")
    assert record.named({"c1": "V1", "X": "V2"}).leads == ("V1", "ii", "V2")
    assert record.named({}, ["I", "Lead II", "resp"]).leads == ("I", "II", "resp")
    assert record.named({"resp": "V6"}, ["I", "Lead II", "resp"]).leads == ("I", "II", "V6")
    with pytest.raises(RecordError, match="lead_count: `file_leads` names 1 leads, the file has 3: C1 ii x"):
        record.named({}, ["I"])


def test_unit_of_a_lead_counts_only_where_it_is_used():
    foreign = Record(recording(), LEADS, 500.0, foreign={3: "NU"})
    with pytest.raises(RecordError, match="unit_unknown: lead aVR is in 'NU', not in nV, uV, mV or V"):
        foreign.standard()
    other = Record(np.zeros((50, 13)), (*LEADS, "ART"), 500.0, foreign={12: "mmHg"})
    assert other.standard().lead_mask == 4095


def test_recorded_limb_leads_are_not_computed_for_their_spelling():
    assert record_of("I", "II", "III filt", "aVR-x").standard().derived == ("aVL", "aVF")
    assert record_of("I", "II", "-aVR").standard().derived == ("III", "aVR", "aVL", "aVF")


def test_microvolts_are_rounded_and_what_cannot_be_held_is_the_sentinel():
    found = to_microvolts(np.array([0.0014, -0.0016, 32.767, 32.768, -32.767, -32.768, np.nan, np.inf]))
    assert found.tolist() == [1, -2, 32767, SENTINEL, -32767, SENTINEL, SENTINEL, SENTINEL]
