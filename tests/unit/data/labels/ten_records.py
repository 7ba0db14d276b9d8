"""Ten records of one database, labelled in pieces."""

from __future__ import annotations

import numpy as np
import pandas as pd

SPLITS = ["train", "train", "train", "train", "train", "train", "valid", "test", "test", None]


INDEX = pd.DataFrame(
    {
        "record_id": [f"s/{i}" for i in range(10)],
        "source": "s",
        "patient_id": [f"s/p{i}" for i in range(10)],
        "path": "",
        "age": [30.0, 41.5, np.nan, 90.0, 55.0, 60.0, 20.0, 33.0, np.nan, 70.0],
        "sex": ["male", "female", None, "male", "female", "male", "female", "male", "female", "male"],
        "fold": pd.array([1] * 10, dtype="Int64"),
        "codes": [[{"code": "A", "likelihood": 100.0}] if i % 2 else [] for i in range(10)],
        "report": [
            "sinus",
            "fibrillation",
            "flutter",
            "sinus",
            None,
            "fibrillation and flutter",
            "x",
            "sinus",
            "",
            "y",
        ],
        "native.dx": "",
        "native.age": ["300"] * 10,
        "native.grade": ["1", "2", "3", "3", None, "1", "2", "3", "1", "1"],
        "native.death": ["True", "False", "true", None, "0", "1", "False", "True", "False", "True"],
        "native.years": ["1.5", "2", "0", "3", "4.25", None, "1", "2", "nan", "9"],
        "native.comment": ["a", " ", None, "b", "", "c", "d", "e", "f", "g"],
    }
)


def values(table: pd.DataFrame, column: str) -> dict[int, float]:
    return {int(record[2:]): value for record, value in table[column].items()}
