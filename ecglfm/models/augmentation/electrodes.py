"""Leads and electrodes: what each lead measures, which potentials leads tell, and the heart's vector behind them.

Potentials are against Wilson's central terminal, the mean of the three limbs; adding a constant to all changes no lead.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ecglfm.config import LEADS

ELECTRODES = ("RA", "LA", "LL", "V1", "V2", "V3", "V4", "V5", "V6")
#: Limb leads by Einthoven and Goldberger, chest leads against Wilson's terminal: rows are `LEADS`.
_LEADS_OF = np.zeros((12, 9))
_LEADS_OF[:6, :3] = np.array([[-1.0, 1, 0], [-1, 0, 1], [0, -1, 1], [1, -0.5, -0.5], [-0.5, 1, -0.5], [-0.5, -0.5, 1]])
_LEADS_OF[6:, :3] = -1 / 3
_LEADS_OF[6:, 3:] = np.eye(6)

#: Leads I, II, V1 to V6 of a vector (to the left, to the feet, to the back): Dower, Machado and Osborne,
#: Clin Cardiol 3:87, 1980. Its pseudo-inverse to three digits is the inverse Dower matrix of Edenbrandt and Pahlm,
#: J Electrocardiol 21:361, 1988.
DOWER = np.array([
    [0.632, -0.235, 0.059], [0.235, 1.066, -0.132], [-0.515, 0.157, -0.917], [0.044, 0.164, -1.387],
    [0.882, 0.098, -1.277], [1.213, 0.127, -0.601], [1.125, 0.127, -0.086], [0.831, 0.076, 0.230],
])  # fmt: skip


def leads_of_electrodes(leads: Sequence[str]) -> np.ndarray:
    """What leads make of the potentials of `ELECTRODES`, (leads, 9)."""
    return _LEADS_OF[[LEADS.index(lead) for lead in leads]]


def limb_basis(leads: Sequence[str]) -> list[int]:
    """Places of the two limb leads from which the limbs' potentials are taken: the first in the order of `LEADS`."""
    return [leads.index(lead) for lead in LEADS[:6] if lead in leads][:2]


def limbs_of_leads(leads: Sequence[str]) -> np.ndarray:
    """Potentials of RA, LA and LL by the leads of `limb_basis`, (3, 2); no two limb leads point the same way."""
    basis = [leads[place] for place in limb_basis(leads)]
    return np.linalg.pinv(leads_of_electrodes(basis)[:, :3])
