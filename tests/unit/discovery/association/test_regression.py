"""The regression that PLINK is checked against is least squares: NumPy's own solver on every variant, missing calls and all."""

from __future__ import annotations

import numpy as np
from scipy import stats

from tests.unit.discovery.association.regression import regress


def test_it_is_least_squares_with_covariates() -> None:
    rng = np.random.default_rng(0)
    calls_nv = rng.integers(0, 3, (60, 5)).astype(np.int8)
    calls_nv[:7, 1] = -1
    calls_nv[50:, 3] = -1
    covariates_nc, traits_nt = rng.standard_normal((60, 2)), rng.standard_normal((60, 3))
    found = regress(traits_nt, calls_nv, covariates_nc)
    assert found.beta.shape == (3, 5)
    for v in range(5):
        has = calls_nv[:, v] >= 0
        design = np.column_stack([calls_nv[has, v], np.ones(has.sum()), covariates_nc[has]]).astype(float)
        for t in range(3):
            y = traits_nt[has, t]
            solved, residual, *_ = np.linalg.lstsq(design, y, rcond=None)
            free = has.sum() - 4
            error = np.sqrt(residual[0] / free * np.linalg.inv(design.T @ design)[0, 0])
            p = 2 * stats.t.sf(abs(solved[0] / error), free)
            np.testing.assert_allclose(
                [found.beta[t, v], found.standard_error[t, v], found.p[t, v], found.n[t, v]],
                [solved[0], error, p, has.sum()],
                rtol=1e-9,
            )


def test_what_does_not_vary_beside_covariates_has_no_effect() -> None:
    rng = np.random.default_rng(1)
    calls_nv = rng.integers(0, 3, (30, 3)).astype(np.int8)
    calls_nv[:, 0] = 1
    calls_nv[:, 2] = np.where(np.arange(30) < 4, calls_nv[:, 2], -1)  # as many people as unknowns
    found = regress(rng.standard_normal((30, 1)), calls_nv, calls_nv[:, 1:2] * 2.0)
    assert np.isnan(found.beta[0, :2]).all()
    assert np.isnan(found.p[0, :2]).all()
    assert np.isfinite(regress(rng.standard_normal((30, 1)), calls_nv[:, 1:2], np.empty((30, 0))).p).all()
