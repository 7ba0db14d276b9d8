"""What was said of the recordings of a batch, as vectors that were made before the training."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch


class ReportVectors(NamedTuple):
    """Vectors of distinct reports, and who has which.

    Attributes
    ----------
    rows : ndarray of int64, shape (records,)
        Report of each record; -1 where it has none.
    vectors : ndarray of float32, shape (reports, width)
        Mapped into memory: only what a batch wants is read.
    """

    rows: np.ndarray
    vectors: np.ndarray

    def of(self, records: np.ndarray) -> dict[str, torch.Tensor]:
        """What a batch has of some records, beside their signals.

        Parameters
        ----------
        records : ndarray of int, shape (n,)

        Returns
        -------
        dict of Tensor
            `report`, int64, shape (n,): its number, the same where the text is the same, -1 where there is none; and
            `report_vector`, float32, shape (n, width): zeros where there is none.
        """
        rows = self.rows[records]
        vectors = np.zeros((len(rows), self.vectors.shape[1]), np.float32)
        vectors[rows >= 0] = self.vectors[rows[rows >= 0]]
        return {"report": torch.from_numpy(rows), "report_vector": torch.from_numpy(vectors)}
