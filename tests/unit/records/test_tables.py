"""The hash of what a model sees: pinned, so that models of before still belong to their data; it covers folds."""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd

from ecglfm.records import data_hash

TABLE = b"""\
record_id,patient_id,split,sampling_rate,n_samples,sha256
a/0,a/p,train,500,5000,0a
a/1,a/q,,500,2500,0b
b/0,b/p,test,250,2500,0c
"""


def records() -> pd.DataFrame:
    """The records of `TABLE` in another order, with a column more, where they lie."""
    table = pd.DataFrame(
        {
            "record_id": ["a/0", "a/1", "b/0"],
            "source": ["a", "a", "b"],
            "patient_id": ["a/p", "a/q", "b/p"],
            "split": pd.Series(["train", None, "test"], dtype="str"),
            "sampling_rate": 500,
            "n_samples": [5000, 2500, 2500],
            "shard": [0, 0, 1],
            "sha256": ["0a", "0b", "0c"],
        }
    )
    table.loc[2, "sampling_rate"] = 250
    return table.iloc[::-1]


def test_the_hash_is_that_of_a_table_of_text():
    assert data_hash(records()) == hashlib.sha256(TABLE).hexdigest()
    assert data_hash(records().assign(shard=7)) == data_hash(records())


def test_a_fold_stands_in_the_place_of_its_split():
    folds = pd.array([3, None, None], dtype="Int8")
    dealt = records().assign(fold=folds)
    assert data_hash(dealt) == hashlib.sha256(TABLE.replace(b"test", b"fold 3")).hexdigest()
    assert data_hash(records().assign(fold=pd.array([2, None, None], dtype="Int8"))) != data_hash(dealt)
    assert data_hash(records().assign(fold=[3.0, np.nan, np.nan])) == data_hash(dealt)  # as Arrow gives it
    assert data_hash(records().assign(fold=pd.array([None] * 3, dtype="Int8"))) == data_hash(records())
