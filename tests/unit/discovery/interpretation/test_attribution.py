"""What makes a planted feature high is found in its leads and part of the beat, and adds up."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from ecglfm.config import LEADS
from ecglfm.discovery.interpretation.attribution import COLUMNS, attribution_table, explain_group, extremes
from ecglfm.evaluation.attribution import TOLERANCE, attribute
from ecglfm.evaluation.beats import PHASES
from tests.unit.evaluation.attribution.models import (
    ELEVATED,
    contracted_model,
    linear_model,
    patient,
    trained_model,
)

HIGH, LOW = ["1", "3", "5"], ["0", "2", "4"]


def read(name: str) -> np.ndarray:
    return patient(int(name), elevated=int(name) % 2 == 1)


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    model = trained_model()  # of an ST elevation in V2 to V4
    high, low = (explain_group(model, 0, names, read) for names in (HIGH, LOW))
    assert (high.records, high.left_out) == (3, 0)
    assert max(high.error, low.error) < TOLERANCE
    return attribution_table("edf_0001", high, low, LEADS)


def test_the_planted_part_makes_the_difference(table: pd.DataFrame):
    assert list(table) == COLUMNS
    assert len(table) == 12 * len(PHASES)
    assert table.groupby("phase")["difference"].sum().idxmax() == "ST"
    assert table["share"].sum() == pytest.approx(1.0)


def test_entries_add_up_to_the_difference_of_the_people(table: pd.DataFrame):
    model = trained_model()
    scores = {name: attribute(model, read(name), 0, occlude=False).score for name in HIGH + LOW}
    difference = np.mean([scores[name] for name in HIGH]) - np.mean([scores[name] for name in LOW])
    assert table["difference"].sum() == pytest.approx(difference, rel=TOLERANCE)
    assert table["high"].sum() - table["low"].sum() == pytest.approx(table["difference"].sum())


def test_of_an_encoder_with_a_contract_leads_and_parts_are_of_what_it_reads():
    """Backwards, at half the rate: parts of the beat are found in millivolts all the same, and all adds up."""
    model = contracted_model()
    found = explain_group(model, 2, HIGH, read)
    assert (found.records, found.table_lp.shape) == (3, (12, len(PHASES)))
    alone = [attribute(model, read(name), 2, occlude=False) for name in HIGH]
    assert found.table_lp.sum() == pytest.approx(np.mean([one.score - one.flat for one in alone]), rel=TOLERANCE)
    by_lead = np.mean([one.values.sum(axis=0) for one in alone], axis=0)
    np.testing.assert_allclose(found.table_lp.sum(axis=1), by_lead, atol=1e-6)


def test_of_a_mean_voltage_the_planted_leads_make_all_the_difference():
    """The feature is the mean voltage of V1 to V6; V2 to V4 of people who have much of it are elevated after QRS."""
    model = linear_model(seconds=5.0)
    with torch.no_grad():
        model.head.weight[0] = torch.tensor([0.0] * 6 + [1.0] * 6)
    many = [[str(seed) for seed in range(first, 24, 2)] for first in (1, 0)]
    found = attribution_table("x", *(explain_group(model, 0, names, read) for names in many), LEADS)
    by_lead = found.pivot(index="lead", columns="phase", values="difference")
    assert set(by_lead["ST"].sort_values().index[-3:]) == set(LEADS[ELEVATED])
    assert by_lead.loc[list(LEADS[:6])].abs().max().max() < 1e-6
    area = 0.25 * 0.035 * np.sqrt(2 * np.pi) / 0.8  # mV, of an elevation's Gaussian over the time between beats
    assert by_lead.loc[list(LEADS[ELEVATED])].sum(axis=1).mean() == pytest.approx(area, rel=0.35)


def test_a_sum_by_hand():
    model = linear_model(seconds=5.0)
    found = explain_group(model, 1, ["7"], read)
    signal, weight = read("7") / 1000.0, model.head.weight[1].detach().numpy()
    assert found.table_lp.sum(axis=1) == pytest.approx(signal.mean(axis=0) * weight, abs=1e-5)


def test_a_recording_without_beats_is_left_out():
    model = linear_model(seconds=5.0)
    found = explain_group(
        model, 0, ["flat", "1"], lambda name: np.zeros((500, 12), np.int16) if name == "flat" else read(name)
    )
    assert (found.records, found.left_out) == (1, 1)
    nobody = explain_group(model, 0, ["flat"], lambda _: np.zeros((500, 12), np.int16))
    assert nobody.records == 0
    assert np.isnan(nobody.table_lp).all()


def test_extremes_are_those_of_the_feature_whatever_the_order():
    edf = pd.Series(np.arange(40.0), index=[f"r{number}" for number in range(40)])
    high, low = extremes(edf, 0.1, 10)
    assert set(high) == {"r36", "r37", "r38", "r39"}
    assert set(low) == {"r0", "r1", "r2", "r3"}
    assert extremes(edf.sample(frac=1, random_state=0), 0.1, 10) == (high, low)
    assert extremes(edf, 0.1, 2) == (high[:2], low[:2])
