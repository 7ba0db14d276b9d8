"""Leads by electrodes, electrodes by leads, and the published matrices."""

from __future__ import annotations

import numpy as np
import pytest

from ecglfm.config import LEADS
from ecglfm.models.augmentation.electrodes import DOWER, leads_of_electrodes, limb_basis, limbs_of_leads

#: Of Edenbrandt and Pahlm 1988: columns I, II, V1 to V6.
INVERSE_DOWER = [
    [0.156, -0.010, -0.172, -0.074, 0.122, 0.231, 0.239, 0.194],
    [-0.227, 0.887, 0.057, -0.019, -0.106, -0.022, 0.041, 0.048],
    [0.022, 0.102, -0.229, -0.310, -0.246, -0.063, 0.055, 0.108],
]


def test_leads_of_potentials_by_hand() -> None:
    potentials = np.array([1.0, 2.0, 6.0, 10, 20, 30, 40, 50, 60])  # RA, LA, LL, V1 to V6; their terminal is at 3
    expected = [1, 5, 4, -3, -1.5, 4.5, 7, 17, 27, 37, 47, 57]
    np.testing.assert_allclose(leads_of_electrodes(LEADS) @ potentials, expected)
    np.testing.assert_allclose(leads_of_electrodes(LEADS) @ np.ones(9), 0, atol=1e-15)
    assert leads_of_electrodes(["V2", "aVF"]).tolist() == leads_of_electrodes(LEADS)[[7, 5]].tolist()


@pytest.mark.parametrize("leads", [["I", "II", "V1"], ["V6", "aVF", "aVL"], list(LEADS), ["III", "aVR"]])
def test_limbs_by_any_two_of_their_leads(leads: list[str]) -> None:
    measured = leads_of_electrodes(leads) @ np.array([1.0, 2.0, 6.0, 0, 0, 0, 0, 0, 0])
    np.testing.assert_allclose(limbs_of_leads(leads) @ measured[limb_basis(leads)], [-2, -1, 3], atol=1e-14)


def test_the_inverse_is_the_published_one() -> None:
    np.testing.assert_allclose(np.linalg.pinv(DOWER), INVERSE_DOWER, atol=5.01e-4)
