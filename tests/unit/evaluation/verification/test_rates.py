"""EER, AUROC and FNMR at a false match rate: by hand, against scikit-learn and where the truth is planted."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtr
from sklearn.metrics import roc_auc_score, roc_curve

from ecglfm.evaluation.metrics.bootstrap import PatientWeights
from ecglfm.evaluation.verification import rates
from ecglfm.evaluation.verification.rates import MEASURES, Scores, measure, resampled_rates

EVERYBODY_ONCE = {"resamples": 20, "confidence": 0.95, "seed": 0, "min_patients": 5}


def of_patients(patient: np.ndarray, score: np.ndarray) -> Scores:
    """All pairs of some recordings; `score` has the symmetric table of their scores."""
    first, second = np.triu_indices(len(patient), 1)
    same = patient[first] == patient[second]
    values = score[first, second]
    return Scores(
        values[same],
        values[~same],
        patient[first[same]],
        np.stack([patient[first[~same]], patient[second[~same]]]),
        patient.max() + 1,
    )


def drawn(genuine: int, impostor: int, decimals: int, patients: int = 40) -> Scores:
    """Normal scores, those of genuine pairs one standard deviation higher."""
    rng = np.random.default_rng(genuine)
    first = rng.integers(patients, size=impostor)
    pairs = np.stack([first, (first + 1 + rng.integers(patients - 1, size=impostor)) % patients])
    scores = [rng.normal(mean, size=size).round(decimals) for mean, size in ((1, genuine), (0, impostor))]
    return Scores(scores[0], scores[1], rng.integers(patients, size=genuine), pairs, patients)


def once(scores: Scores) -> dict[str, float]:
    values = rates.error_rates(scores, np.ones((scores.patients, 1)))[:, 0]
    return dict(zip(MEASURES, values, strict=True))


def test_by_hand_with_ties() -> None:
    """Genuine 4 3 3 1, impostor 3 2 1 0. Thresholds 4, 3, 2, 1 have FMR 0, 1/4, 2/4, 3/4 and FNMR 3/4, 1/4, 1/4, 0.

    The polygon runs from (0, 3/4) straight to (1/4, 1/4), where both are equal. Of 16 comparisons genuine wins 4 (of 4)
    + 2 x 3.5 (of the 3s, one tie each) + 1.5 (of 1: above 0, a tie with 1).
    """
    scores = Scores(
        np.array([4, 3, 3, 1]), np.array([3, 2, 1, 0]), np.arange(4), np.array([[0, 1, 2, 3], [1, 2, 3, 0]]), 4
    )
    found = once(scores)
    assert found["eer"] == pytest.approx(0.25, abs=1e-12)
    assert found["auroc"] == pytest.approx((4 + 2 * 3.5 + 1.5) / 16, abs=1e-12)
    assert found["fnmr_at_fmr_1pct"] == found["fnmr_at_fmr_0_1pct"] == 0.75


def test_the_equal_error_rate_is_interpolated() -> None:
    """Genuine 2 1, impostor 1 0: from (0, 1/2) to (1/2, 0) through the tie at 1, so FMR = FNMR = 1/4."""
    scores = Scores(np.array([2, 1]), np.array([1, 0]), np.arange(2), np.array([[0, 1], [1, 0]]), 2)
    assert once(scores)["eer"] == pytest.approx(0.25, abs=1e-12)


@pytest.mark.parametrize("decimals", [9, 1, 0])
@pytest.mark.parametrize(("genuine", "impostor"), [(300, 5000), (5000, 300), (7, 40_000)])
def test_against_scikit_learn(genuine: int, impostor: int, decimals: int) -> None:
    scores = drawn(genuine, impostor, decimals)
    same = np.r_[np.ones(genuine), np.zeros(impostor)]
    values = np.r_[scores.genuine, scores.impostor]
    fmr, tmr, _ = roc_curve(same, values, drop_intermediate=False)
    found = once(scores)
    assert found["auroc"] == pytest.approx(roc_auc_score(same, values), abs=1e-12)
    grid = np.interp(0, fmr + tmr - 1, fmr)
    assert found["eer"] == pytest.approx(grid, abs=1e-12)
    assert found["fnmr_at_fmr_1pct"] == pytest.approx(1 - tmr[fmr <= 0.01].max(), abs=1e-12)
    assert found["fnmr_at_fmr_0_1pct"] == pytest.approx(1 - tmr[fmr <= 0.001].max(), abs=1e-12)


def test_perfect_and_useless_scores() -> None:
    pairs = np.array([[0, 1, 2], [1, 2, 0]])
    apart = once(Scores(np.ones(3), np.zeros(3), np.arange(3), pairs, 3))
    assert (apart["auroc"], apart["eer"]) == (1, 0)
    alike = once(Scores(np.ones(3), np.ones(3), np.arange(3), pairs, 3))
    assert (alike["auroc"], alike["eer"]) == (0.5, 0.5)
    reversed_ = once(Scores(np.zeros(3), np.ones(3), np.arange(3), pairs, 3))
    assert (reversed_["auroc"], reversed_["eer"]) == (0, 1)


def test_resamples_are_those_of_a_slow_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each pair is repeated as often as its patients say; every comparison of two pairs is made."""
    monkeypatch.setattr(rates, "_PAIRS_TOGETHER", 37)
    scores = drawn(30, 500, 1, patients=12)
    found = resampled_rates({"s": scores}, 40, seed=3)[0]
    weights = PatientWeights(np.arange(12), 3)(np.arange(40)).astype(int)
    for resample, weight in enumerate(weights.T):
        genuine = np.repeat(scores.genuine, weight[scores.genuine_patient])
        impostor = np.repeat(scores.impostor, weight[scores.impostor_patients[0]] * weight[scores.impostor_patients[1]])
        wins = (genuine[:, None] > impostor).mean() + (genuine[:, None] == impostor).mean() / 2
        assert found[0, resample] == pytest.approx(wins, abs=1e-12)
        thresholds = np.unique(np.r_[genuine, impostor])[::-1]
        fmr = np.r_[0, [(impostor >= t).mean() for t in thresholds]]
        fnmr = np.r_[1, [(genuine < t).mean() for t in thresholds]]
        assert found[1, resample] == pytest.approx(np.interp(0, fmr - fnmr, fmr), abs=1e-12)
        assert found[2, resample] == pytest.approx(fnmr[fmr <= 0.01].min(), abs=1e-12)


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    scores = drawn(300, 5000, 2)
    whole = resampled_rates({"s": scores}, 50, seed=0)
    monkeypatch.setattr(rates, "_PAIRS_TOGETHER", 11)
    monkeypatch.setattr(rates, "_RESAMPLES_TOGETHER", 7)
    np.testing.assert_array_equal(resampled_rates({"s": drawn(300, 5000, 2)}, 50, seed=0), whole)


def test_a_resample_without_a_pair_is_drawn_again() -> None:
    """One patient of three has two recordings: 8 of 27 resamples lack him and would say nothing."""
    scores = of_patients(np.array([0, 0, 1, 2]), np.arange(16.0).reshape(4, 4))
    assert not np.isnan(resampled_rates({"s": scores}, 200, seed=0)).any()


def test_a_planted_separation_is_in_the_interval() -> None:
    """Scores of pairs 1.5 standard deviations apart: AUROC is Phi(1.5 / sqrt 2), EER Phi(-0.75)."""
    rng = np.random.default_rng(5)
    patients, recordings = 120, 3
    patient = np.repeat(np.arange(patients), recordings)
    noise = rng.normal(size=(len(patient), len(patient)))
    scores = of_patients(patient, noise + 1.5 * (patient[:, None] == patient))
    found = measure({"s": scores}, resamples=300, confidence=0.99, seed=0, min_patients=5)["overall"]
    for name, truth in (("auroc", ndtr(1.5 / np.sqrt(2))), ("eer", ndtr(-0.75))):
        assert found[name]["ci_low"] < truth < found[name]["ci_high"], name
        assert found[name]["ci_high"] - found[name]["ci_low"] < 0.1


def test_rates_of_perfectly_parted_people_are_not_certain() -> None:
    """Six people with two recordings each, all told apart: the interval of the EER is Wilson's of 0 of 6."""
    patient = np.repeat(np.arange(6), 2)
    apart = of_patients(patient, 1.0 * (patient[:, None] == patient))
    found = measure({"s": apart}, **EVERYBODY_ONCE)["overall"]
    z2 = 1.959964**2
    assert found["eer"] == pytest.approx({"value": 0, "ci_low": 0, "ci_high": z2 / (6 + z2)}, abs=1e-6)
    assert (found["auroc"]["value"], found["auroc"]["ci_high"]) == (1, 1)
    assert 0.5 < found["auroc"]["ci_low"] < 0.9  # percentiles of resamples would be 1
    few = measure({"s": apart}, **EVERYBODY_ONCE | {"min_patients": 7})
    for part in (few["overall"], few["sources"]["s"]):
        reason = "too few: 6 patients with pairs of one person, 7 are wanted"
        assert part["eer"] == {"value": 0, "ci_low": None, "ci_high": None, "reason": reason}


@pytest.mark.parametrize(
    ("patients", "reason"),
    [
        ([0, 1, 2, 3], "no recordings of one patient of the test split, copies left out, can be compared"),
        ([0, 0, 0, 0], "no source has recordings of two patients in the test split"),
    ],
)
def test_without_pairs_there_is_a_reason(patients: list[int], reason: str) -> None:
    found = measure({"s": of_patients(np.array(patients), np.ones((4, 4)))}, **EVERYBODY_ONCE)
    nothing = {"value": None, "ci_low": None, "ci_high": None, "reason": reason}
    assert found == {"overall": dict.fromkeys(MEASURES, nothing), "sources": {}}


def test_rates_at_low_fmr_need_enough_impostors() -> None:
    """30 false matches at 1 % are 3000 pairs, at 0.1 % 30,000."""
    few = measure({"s": drawn(50, 2999, 9)}, **EVERYBODY_ONCE)["overall"]
    assert few["fnmr_at_fmr_1pct"]["value"] is None
    assert few["fnmr_at_fmr_1pct"]["reason"] == "fewer than 3000 impostor pairs, which 30 false matches need"
    enough = measure({"s": drawn(50, 3000, 9)}, **EVERYBODY_ONCE)["overall"]
    assert enough["fnmr_at_fmr_1pct"]["value"] is not None
    assert enough["fnmr_at_fmr_0_1pct"]["value"] is None
    assert enough["auroc"]["value"] is not None


def test_sources_are_measured_one_by_one() -> None:
    """Patients 0 to 39 are of one source, 40 to 79 of the other; all of its scores are higher."""
    first, second = drawn(30, 4000, 9), drawn(90, 400, 9)
    both = Scores(
        np.r_[first.genuine, second.genuine + 100],
        np.r_[first.impostor, second.impostor + 100],
        np.r_[first.genuine_patient, second.genuine_patient + 40],
        np.c_[first.impostor_patients, second.impostor_patients + 40],
        80,
    )
    found = measure(both.by_source(np.repeat(["a", "b"], 40)), **EVERYBODY_ONCE)
    values = {}
    for name, scores in (("a", first), ("b", second)):
        values[name] = roc_auc_score(
            np.r_[np.ones(len(scores.genuine)), np.zeros(len(scores.impostor))], np.r_[scores.genuine, scores.impostor]
        )
        assert found["sources"][name]["auroc"]["value"] == pytest.approx(values[name], abs=1e-9)
    assert found["overall"]["auroc"]["value"] == pytest.approx((30 * values["a"] + 90 * values["b"]) / 120, abs=1e-9)
    assert found["overall"]["fnmr_at_fmr_1pct"] == found["sources"]["a"]["fnmr_at_fmr_1pct"]  # b has too few pairs
    assert found["sources"]["b"]["fnmr_at_fmr_1pct"]["value"] is None
