"""Which features are made of vectors: dimensions, those that a model relies on, or principal components.

Shapes: n people, d dimensions, k features.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np


class Features(NamedTuple):
    """Linear features of vectors: (x - mean) @ weights.

    Attributes
    ----------
    names : list of str
        `edf_0001` the first component; `edf_0007` the dimension `vector.0007`.
    mean_d : ndarray, shape (d,)
    weights_dk : ndarray, shape (d, k)
    about : list of dict
        Of each, what `edf.json` says.
    """

    names: list[str]
    mean_d: np.ndarray
    weights_dk: np.ndarray
    about: list[dict[str, Any]]


def dimensions(x_nd: np.ndarray, chosen: np.ndarray | None = None, attribution_d: np.ndarray | None = None) -> Features:
    """Dimensions as they are, all or those chosen, in that order; nothing is subtracted.

    Parameters
    ----------
    x_nd : ndarray, shape (n, d)
    chosen : ndarray of int, optional
        By rank.
    attribution_d : ndarray, shape (d,), optional
        Said of each.
    """
    d = x_nd.shape[1]
    chosen = np.arange(d) if chosen is None else chosen
    variance = x_nd.var(axis=0, ddof=1)
    about = [{"dimension": int(one), "variance": float(variance[one])} for one in chosen]
    if attribution_d is not None:
        about = [row | {"attribution": float(attribution_d[one])} for row, one in zip(about, chosen, strict=True)]
    return Features([f"edf_{one:04d}" for one in chosen], np.zeros(d), np.eye(d)[:, chosen], about)


def components(x_nd: np.ndarray, count: int) -> Features:
    """The first principal components, by variance; the largest weight of each is positive.

    Eigenvectors of the covariance matrix of people, whose dimensions are not scaled: they share a unit.
    """
    mean_d = x_nd.mean(axis=0)
    covariance_dd = np.atleast_2d(np.cov(x_nd, rowvar=False))
    variance, vectors_dd = np.linalg.eigh(covariance_dd)
    count = min(count, len(variance), len(x_nd) - 1)
    variance, weights_dk = variance[::-1][:count], vectors_dd[:, ::-1][:, :count]
    largest = weights_dk[np.abs(weights_dk).argmax(axis=0), np.arange(count)]
    total = float(np.trace(covariance_dd)) or 1.0
    about = [
        {"component": place + 1, "variance": float(one), "explained": float(one) / total}
        for place, one in enumerate(variance)
    ]
    names = [f"edf_{place + 1:04d}" for place in range(count)]
    return Features(names, mean_d, weights_dk * np.sign(largest), about)


def head_attribution(x_nd: np.ndarray, weight_d: np.ndarray) -> np.ndarray:
    """Mean over people of |integrated gradients| of a label's logit, by dimension of what the head reads, shape (d,).

    The head is linear in the pooled vector, in every mode of fine-tuning, so that the integral of its gradient from a
    baseline is weight times (value - baseline), exactly, and sums to the difference of the logits (Sundararajan et al.
    2017, arXiv:1703.01365). The baseline is the mean of people. In mode `full` the encoder is the model's own: `x_nd`
    are the vectors of the model, not those of the encoder that it began with.
    """
    return np.asarray(np.abs((x_nd - x_nd.mean(axis=0)) * weight_d).mean(axis=0))
