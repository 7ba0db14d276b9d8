"""Shares by lead and part of the beat are those of the samples, and what cannot be explained is a sentence."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ecglfm.app.explanation import Explanation, explain
from ecglfm.app.prediction import Prepared
from ecglfm.config import LEADS, PreprocessConfig, UserError
from ecglfm.evaluation.attribution import Attribution
from ecglfm.evaluation.beats import PHASES
from ecglfm.models.encoders import make_encoder
from ecglfm.models.heads import ECGModel
from ecglfm.records import Record
from tests.unit.architectures import small
from tests.unit.evaluation.attribution.models import contracted_model, linear_model
from tests.unit.evaluation.beats.hearts import heart


def by_hand() -> Explanation:
    values = np.zeros((100, 12))
    values[:50, 0], values[50:, 0], values[:, 6] = 0.03, -0.01, 0.02  # I: 1.5 and -0.5, V1: 2
    phase = np.full(100, PHASES.index("rest"), np.int8)
    phase[:50] = PHASES.index("QRS")
    found = Attribution(values, np.arange(12.0), score=2.5, flat=-0.5, error=0.004, steps=80)
    return Explanation("AF", "log odds", list(LEADS), 100.0, np.zeros((100, 12)), found, phase, 3)


def test_shares_and_sums():
    one = by_hand()
    assert one.by_lead()["I"] == pytest.approx({"share": 0.5, "sum": 1.0, "occlusion": 0.0})
    assert one.by_lead()["V1"] == pytest.approx({"share": 0.5, "sum": 2.0, "occlusion": 6.0})
    assert one.by_phase()["QRS"] == pytest.approx({"share": 2.5 / 4, "sum": 2.5, "time": 0.5})
    assert one.by_phase()["rest"] == pytest.approx({"share": 1.5 / 4, "sum": 0.5, "time": 0.5})
    assert one.lines() == [
        "explained: log odds of AF, +2.50; of a flat line -0.50; orange adds to it, blue takes away; 0.4 % unexplained",
        "where: I 50 %, V1 50 %, II 0 %, III 0 %    when: QRS 62 %, rest 38 %, P 0 %",
    ]
    content = one.content()
    assert content["attribution"]["I"] == [0.03] * 50 + [-0.01] * 50
    assert content["method"] == "integrated gradients from a flat line to the recording"
    assert (content["completeness_error"], content["steps"]) == (0.004, 80)


def test_without_beats_there_are_no_parts():
    signal = np.random.default_rng(0).integers(-5, 5, (400, 12)).astype(np.int16)
    one = explain(linear_model(), Prepared("", None, signal * 0), "b")
    assert (one.beats, one.by_phase()) == (0, {})
    assert "no beat was found" in one.lines()[1]
    one.figure()


def test_of_an_encoder_that_standardises_the_method_says_so():
    torch.manual_seed(0)
    shape = small("wav2vec2", standardize=True)
    encoder = make_encoder(shape, list(LEADS), 100, PreprocessConfig(sampling_rate=100), 5.0)
    model = ECGModel(encoder, ["a"], "full", "multilabel").eval()
    signal = np.random.default_rng(0).integers(-500, 500, (500, 12)).astype(np.int16)
    method = "integrated gradients from a flat line to the standardised recording"
    assert explain(model, Prepared("", None, signal), "a").content()["method"] == method


def test_what_an_encoder_with_a_contract_reads_is_shown_in_mv_at_its_rate():
    model = contracted_model()
    signal = np.rint(heart(fs=100, seconds=5) * 1000).astype(np.int16)
    one = explain(model, Prepared("", None, signal), "c")
    assert (one.leads, one.sampling_rate, one.in_mv) == (list(reversed(LEADS)), 50.0, False)
    assert one.signal_mv.shape == one.attribution.values.shape == (250, 12)
    assert len(one.phase) == 250
    assert one.beats
    assert one.signal_mv[:, LEADS[::-1].index("I")].max() == pytest.approx(1.2, abs=0.1)  # R of lead I
    assert one.content()["method"].endswith("to the recording, both as the encoder's input makes them")
    one.figure()


def test_a_record_goes_the_way_of_the_pipeline():
    t = np.arange(2000) / 200
    signal = np.sin(2 * np.pi * 1.3 * t)[:, None] * np.linspace(0.5, 1.5, 12)
    model = linear_model()
    one = explain(model, Record(signal[:, ::-1], LEADS[::-1], 200.0), "a")  # another rate and order of leads
    assert one.signal_mv.shape == (1000, 12)
    np.testing.assert_allclose(one.signal_mv[100:900], signal[200:1800:2], atol=0.02)
    with pytest.raises(UserError, match="--label x: the model has a, b, c"):
        explain(model, Record(signal, LEADS, 200.0), "x")
    with pytest.raises(UserError, match="no answer to explain: amplitude"):
        explain(model, Record(signal * 0, LEADS, 200.0), "a")
