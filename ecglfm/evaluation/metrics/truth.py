"""What is true of the test patients: who has a label, who does not, and which labels have too few of either."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ecglfm.config.wording import counted
from ecglfm.evaluation.metrics.outcomes import Outcome


@dataclass(frozen=True)
class Truth:
    """What is true of the test patients, the same for every model.

    Attributes
    ----------
    names : list of str
        Labels.
    patient_of : ndarray of int, shape (records,)
    classes : ndarray of int8, shape (labels, patients)
        1 of a patient who has the label or the event in one recording at least, 0 of another, -1 where no recording is
        known; of quantities 0 and -1.
    too_few : list of str or None
        By label, why it has no interval and no verdict.
    """

    names: list[str]
    patient_of: np.ndarray
    classes: np.ndarray
    too_few: list[str | None]


def truth_of(data: Outcome, min_patients: int, *, in_all: int = 0) -> Truth:
    """Classes of the patients, and which labels have too few of them.

    Parameters
    ----------
    data : Outcome
        Any fit's.
    min_patients : int
        Patients of a class that a label needs (`evaluate.min_patients`); of quantities, patients at all.
    in_all : int
        Patients that a label needs together.
    """
    names, patient_of = np.unique(data.patients, return_inverse=True)
    classes = np.full((len(data.names), len(names)), -1, dtype=np.int8)
    too_few: list[str | None] = []
    for label, codes in enumerate(classes):
        known, of_classes = data.known(label), data.classes(label)
        codes[patient_of[known]] = 0
        least = in_all if of_classes else max(in_all, min_patients)
        wanted = {"patients whose truth is known": (int((codes == 0).sum()), least)}
        for what, records in of_classes.items():
            own = np.unique(patient_of[known & records])
            codes[own] = what != "negative patients"
            wanted[what] = (len(own), min_patients)
        lacking = [
            f"{counted(count, what.replace('patients', 'patient'), what)}, {counted(least, 'is wanted', 'are wanted')}"
            for what, (count, least) in wanted.items()
            if count < least
        ]
        too_few.append(f"too few: {lacking[-1]}" if lacking else None)
    return Truth(data.names, patient_of, classes, too_few)
