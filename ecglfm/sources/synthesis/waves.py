"""The waves of a beat: P, Q, R, S, ST and T of a normal heart, of each condition, and of what looks like one.

Each wave of a beat is a Gaussian in time along a fixed direction in the body (McSharry et al. 2003,
doi:10.1109/TBME.2003.808805, in 3-D as Sameni et al. 2007, doi:10.1155/2007/43407). Axes are Frank's: x to the
patient's left, y to the feet, z to the back.
"""

from __future__ import annotations

from functools import cache

import numpy as np

Shares = tuple[tuple[str, float], ...]  # of the forms that a beat can have, 0 to 1

# Each wave: centre relative to the R peak (ms), width sigma (ms), dipole (mV along x, y, z). The centres of
# the P waves stand for PR_MS, those of ST and T for QTC_MS at 60 per minute; `heart.dipole` shifts them.
_P = [(-162.0, 18.0, (0.030, 0.065, -0.045)), (-137.0, 20.0, (0.065, 0.070, 0.045))]
_T = [(215.0, 52.0, (0.14, 0.11, -0.07)), (262.0, 34.0, (0.26, 0.18, -0.12))]
_NO_ST = [(115.0, 38.0, (0.0, 0.0, 0.0))]
_QRS = [
    (-26.0, 7.0, (-0.13, -0.04, -0.16)),  # septum: small q left, small r in V1
    (0.0, 11.0, (1.05, 0.85, 0.22)),  # free wall of the left ventricle
    (24.0, 10.0, (0.02, -0.18, 0.52)),  # base: S in V1-V3
]
_LBBB_QRS = [  # no septal q; slow spread leftwards and backwards, notched
    (-24.0, 17.0, (0.55, 0.25, 0.35)),
    (8.0, 21.0, (0.75, 0.30, 0.75)),
    (44.0, 19.0, (0.85, 0.18, 0.60)),
]
_LBBB_ST = [(125.0, 45.0, (-0.14, -0.05, -0.16))]  # against the QRS
_LBBB_T = [(235.0, 55.0, (-0.20, -0.06, -0.20)), (285.0, 38.0, (-0.24, -0.07, -0.22))]
_AMI_QRS = [  # dead anterior wall: first forces backwards, R lost in V2-V4
    (-22.0, 12.0, (-0.05, 0.03, 0.60)),
    (2.0, 11.0, (0.80, 0.75, 0.45)),
    (24.0, 10.0, (0.02, -0.15, 0.50)),
]
_AMI_ST = [(120.0, 42.0, (0.02, 0.00, -0.24))]  # injury current towards V1-V4
_IMI_QRS = [  # dead inferior wall: first forces upwards
    (-22.0, 12.0, (0.05, -0.55, -0.08)),
    (2.0, 11.0, (1.05, 0.55, 0.22)),
    (24.0, 10.0, (0.02, -0.12, 0.48)),
]
_IMI_ST = [(120.0, 42.0, (-0.04, 0.25, 0.03))]  # towards II III aVF, away from I and aVL
_SVT_ST = [(95.0, 28.0, (-0.05, -0.06, 0.02))]  # retrograde P in the ST segment
# What has no label here, and looks like what has one: `Look.shares` has them, as it has conditions.
_LVH_QRS = [  # hypertrophy: more of the left ventricle, and later
    (-26.0, 8.0, (-0.10, -0.04, -0.14)),
    (2.0, 14.0, (1.75, 0.80, 1.00)),
    (28.0, 12.0, (0.25, -0.12, 0.85)),
]
_LVH_ST = [(120.0, 42.0, (-0.09, -0.03, -0.14))]  # strain: against the QRS
_LVH_T = [(225.0, 52.0, (-0.06, -0.02, -0.12)), (270.0, 36.0, (-0.10, -0.02, -0.16))]
_RBBB_QRS = [  # normal until the left ventricle is done; then a slow end to the right and to the front
    (-26.0, 7.0, (-0.13, -0.04, -0.16)),
    (0.0, 12.0, (1.00, 0.80, 0.15)),
    (50.0, 19.0, (-0.45, 0.02, -0.55)),
]
_RBBB_T = [(220.0, 52.0, (0.16, 0.10, 0.06)), (266.0, 35.0, (0.26, 0.15, 0.08))]
_EARLY_ST = [(105.0, 40.0, (0.10, 0.10, -0.13))]  # early repolarization, of the healthy and young
_EARLY_T = [(210.0, 52.0, (0.20, 0.15, -0.13)), (258.0, 34.0, (0.36, 0.25, -0.20))]

N_P, N_QRS, N_T = len(_P), len(_QRS), len(_NO_ST) + len(_T)  # in this order; N_T of ST and T


@cache
def condition_waves(condition: str) -> np.ndarray:
    """Mean waves of a condition in s and mV, shape (8, 5): two of P, three of QRS, one of ST, two of T."""
    qrs = {"CLBBB": _LBBB_QRS, "AMI": _AMI_QRS, "IMI": _IMI_QRS, "LVH": _LVH_QRS, "RBBB": _RBBB_QRS}
    st = {"CLBBB": _LBBB_ST, "AMI": _AMI_ST, "IMI": _IMI_ST, "SVTAC": _SVT_ST, "LVH": _LVH_ST, "early": _EARLY_ST}
    t = {"CLBBB": _LBBB_T, "LVH": _LVH_T, "RBBB": _RBBB_T, "early": _EARLY_T}
    chosen = [*_P, *qrs.get(condition, _QRS), *st.get(condition, _NO_ST), *t.get(condition, _T)]
    rows = [(centre / 1000.0, sigma / 1000.0, *dipole) for centre, sigma, dipole in chosen]
    return np.array(rows)


def mixed_waves(shares: Shares, injury: float) -> np.ndarray:
    """Mean waves of a normal heart, moved towards those of conditions by their shares, infarctions' ST by `injury`."""
    normal = condition_waves("NORM")
    total = normal.copy()
    for condition, share in shares:
        change = share * (condition_waves(condition) - normal)
        if condition in {"AMI", "IMI"}:
            change[N_P + N_QRS] *= injury
        total += change
    return total


def ectopic_waves(rng: np.random.Generator, voltage: float, duration: float = 1.0) -> np.ndarray:
    """A wide, large QRS from a focus of the patient's own, as long as `duration` says, and a T wave against it."""
    side = rng.choice([-1.0, 1.0])  # left: towards V6 and backwards; right: towards V1
    direction = np.array([side * 0.75, rng.uniform(-0.8, 0.9), side * 0.6 + rng.normal(0.0, 0.2)])
    direction *= voltage * rng.uniform(1.7, 2.3) / np.linalg.norm(direction)
    across = np.cross(direction, [0.0, 0.0, 1.0])
    rows = [
        (-0.020, 0.022, *(0.6 * direction + 0.2 * across)),
        (0.024, 0.027, *(0.9 * direction - 0.2 * across)),
        (0.260, 0.055, *(-0.30 * direction)),
        (0.305, 0.038, *(-0.25 * direction)),
    ]
    waves = np.array(rows)
    waves[:2, :2] *= duration
    return waves


def rotation(angles: np.ndarray) -> np.ndarray:
    """Rotation about x, then y, then z, by `angles` (radians)."""
    (cx, cy, cz), (sx, sy, sz) = np.cos(angles), np.sin(angles)
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return about_z @ about_y @ about_x
