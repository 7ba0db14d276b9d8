"""Batches and names of a cohort."""

from __future__ import annotations

import numpy as np

LENGTH = 50


def names(cohort, sampler):
    """Patients of a sampler, by name."""
    rows = [sampler.recordings(np.array([patient]))[0] for patient in range(len(sampler))]
    return cohort[0]["patient_id"].iloc[rows].tolist()
