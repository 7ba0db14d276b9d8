"""What a batch has of the reports of its recordings."""

from __future__ import annotations

import numpy as np
import torch

from ecglfm.data.loading import ReportVectors


def test_a_batch_has_the_number_and_the_vector_of_each_report() -> None:
    vectors = np.arange(6, dtype=np.float32).reshape(3, 2) + 1
    reports = ReportVectors(np.array([2, -1, 0, 2]), vectors)
    batch = reports.of(np.array([3, 1, 2, 0, 0]))
    assert batch["report"].tolist() == [2, -1, 0, 2, 2]
    assert batch["report_vector"].tolist() == [[5, 6], [0, 0], [1, 2], [5, 6], [5, 6]]
    assert (batch["report"].dtype, batch["report_vector"].dtype) == (torch.int64, torch.float32)
    assert ReportVectors(np.array([-1]), vectors).of(np.array([0, 0]))["report_vector"].tolist() == [[0, 0], [0, 0]]
