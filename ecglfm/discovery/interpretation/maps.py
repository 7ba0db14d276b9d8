"""A map of people: their vectors' principal components, or UMAP of the first fifty of these."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd

from ecglfm.evaluation.embedding_map import embed

Method = Literal["pca", "umap"]
_COMPONENTS = 50


def people_map(vectors: pd.DataFrame, *, method: Method, most: int, seed: int) -> pd.DataFrame:
    """Places of people.

    Parameters
    ----------
    vectors : DataFrame, shape (people, dim)
        By `record_id`.
    method : {'pca', 'umap'}
        The first two principal components; or UMAP (arXiv:1802.03426) of the first 50, which takes a third of the time
        that all dimensions take.
    most : int
        People on the map, drawn by `seed`.
    seed : int

    Returns
    -------
    DataFrame
        `record_id`, `x`, `y`.
    """
    table = vectors.sort_index()
    if len(table) > most:
        chosen = np.sort(np.random.default_rng(seed).choice(len(table), most, replace=False))
        table = table.iloc[chosen]
    scores = principal_components(table.to_numpy(np.float64), _COMPONENTS)
    if scores.shape[1] < 2:
        scores = np.pad(scores, ((0, 0), (0, 2 - scores.shape[1])))
    places = scores[:, :2] if method == "pca" else embed(scores.astype(np.float32), seed)
    return pd.DataFrame({"record_id": table.index, "x": places[:, 0], "y": places[:, 1]})


def principal_components(values_nd: np.ndarray, most: int) -> np.ndarray:
    """Scores on the components with the most variance, (people, at most `most`); the largest loading is positive."""
    centred = values_nd - values_nd.mean(axis=0)
    u, s, vt = np.linalg.svd(centred, full_matrices=False)
    kept = min(most, int((s > 1e-9 * max(s.max(initial=0.0), 1e-300)).sum()))
    signs = np.sign(vt[np.arange(kept), np.abs(vt[:kept]).argmax(axis=1)])
    scores: np.ndarray = u[:, :kept] * s[:kept] * signs
    return scores
