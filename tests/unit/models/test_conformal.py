"""Prediction sets: cut-offs by hand, and their promise on patients drawn from a known truth."""

from __future__ import annotations

import numpy as np
import pytest

from ecglfm.models.conformal import Conformal, fit_conformal, set_names


def test_cut_offs_by_hand() -> None:
    said = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1])
    patients = np.array(list("abcdefghi"))
    target = np.array([1.0] * 5 + [0.0] * 4)
    # of five positives the fourth, ceil(0.6 x 6), of four negatives the third
    found = fit_conformal(target[:, None], said[:, None], patients, 0.6)
    assert (found.present_from, found.absent_to) == ((0.6,), (0.3,))
    assert (found.positives, found.negatives) == ((5,), (4,))
    assert set_names([found], said[None, :, None])[:, 0].tolist() == ["present"] * 4 + ["neither"] * 2 + ["absent"] * 3
    wider = fit_conformal(target[:, None], 1 - said[:, None], patients, 0.6)
    names = set_names([wider], np.array([[[0.1], [0.45], [0.9]]]))
    assert (wider.present_from[0], wider.absent_to[0]) == pytest.approx((0.2, 0.8))
    assert names[:, 0].tolist() == ["absent", "either", "present"]


def test_a_patient_counts_once_whatever_the_number_of_recordings() -> None:
    said, patients = np.array([0.9, 0.8, 0.1, 0.2, 0.3, 0.4]), np.array(list("abcccc"))
    positive = np.ones((6, 1))
    # three patients of four with the new one: two and a quarter of c's records reach 0.55 x 4 = 2.2
    assert fit_conformal(positive, said[:, None], patients, 0.55).present_from == (0.4,)
    assert fit_conformal(positive, said[:, None], np.array(list("abcdef")), 0.55).present_from == (0.3,)  # 4 of 7
    again = fit_conformal(np.repeat(positive, 3, 0), np.repeat(said, 3)[:, None], np.repeat(patients, 3), 0.55)
    assert again.present_from == (0.4,)


def test_too_few_patients_have_no_set() -> None:
    said, patients = np.linspace(0.1, 0.9, 18)[:, None], np.arange(18).astype(str)
    target = np.array([1.0] * 8 + [np.nan] + [0.0] * 9)[:, None]
    found = fit_conformal(target, said, patients, 0.9)  # 9 patients are needed
    assert (found.positives, found.negatives) == ((8,), (9,))
    assert found.present_from == (None,)
    assert found.absent_to == (pytest.approx(0.9),)  # the worst of nine
    assert set(set_names([found], said[None])[:, 0]) == {"too few"}


def test_an_ensemble_has_the_union_of_its_sets() -> None:
    strict = Conformal(0.9, (0.8, 0.5), (0.2, 0.5), (20, 20), (20, 20))
    said = np.array([[[0.9, 0.6]], [[0.1, 0.6]]])
    assert set_names([strict, strict], said)[0].tolist() == ["either", "present"]
    assert set_names([strict], said[1:])[0].tolist() == ["absent", "present"]


def test_the_promise_holds_whatever_the_model_is_worth() -> None:
    """200 validation splits of 300 patients with up to four recordings alike; then one recording each of new ones."""
    rng = np.random.default_rng(0)

    def draw(patients: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        has = (np.arange(patients) % 3 == 0).astype(float)
        count = rng.integers(1, 5, patients)
        who = np.repeat(np.arange(patients), count)
        own = rng.normal(0, 1, patients) * count / 2  # whoever has many recordings is further off
        logit = 1.5 * has[who] + own[who] + rng.normal(0, 0.3, len(who)) - 1
        return has[who], 1 / (1 + np.exp(-logit)), who

    covered = {1: [], 0: []}
    for _ in range(200):
        target, said, who = draw(300)
        found = fit_conformal(target[:, None], said[:, None], who.astype(str), 0.8)
        target, said, who = draw(300)
        there, absent = (side[:, 0] for side in found.contains(said[:, None]))
        one = np.unique(who, return_index=True)[1]
        for truth, side in ((1, there), (0, absent)):
            covered[truth].append(side[one][target[one] == truth].mean())
    assert 0.795 < np.mean(covered[1]) < 0.82  # of 100 patients: up to 1 / 101 more, and the error of 200 splits
    assert 0.795 < np.mean(covered[0]) < 0.82
