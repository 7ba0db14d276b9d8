"""Whose recordings count, which pairs of them do not, and which training records give the origin."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ecglfm.config import VerificationConfig, VerifySlice
from ecglfm.evaluation.verification import selection
from ecglfm.provenance import hash_fraction


def manifest(folder: Path, rows: list[tuple[str, str, str, str]]) -> Path:
    """Of (record, source, patient, split)."""
    table = pd.DataFrame(rows, columns=["record_id", "source", "patient_id", "split"])
    table = table.assign(shard=0, offset=0, n_samples=1, sampling_rate=1, sha256="")
    table.to_parquet(folder / "records.parquet")
    return folder / "records.parquet"


def config(**changes: object) -> VerificationConfig:
    return VerificationConfig.model_validate({"kind": "verification", "sources": ["s"]} | changes)


def ids(records: pd.DataFrame) -> list[str]:
    return records["record_id"].tolist()


def test_patients_of_an_earlier_split_do_not_count(tmp_path: Path) -> None:
    """For the validation split only those of train are known."""
    rows = [
        ("s/5", "s", "c", "test"), ("s/4", "s", "a", "test"), ("s/3", "s", "b", "test"), ("s/2", "s", "b", "valid"),
        ("s/1", "s", "a", "train"), ("t/1", "t", "d", "test"), ("s/6", "s", "e", "valid"), ("s/0", "s", "c", "test"),
    ]  # fmt: skip
    path = manifest(tmp_path, rows)
    known, records = selection.unseen_records(path, config(), "test")
    assert (known, ids(records)) == (2, ["s/0", "s/5"])
    known, records = selection.unseen_records(path, config(), "valid")
    assert (known, ids(records)) == (0, ["s/2", "s/6"])


def test_the_origin_is_of_the_training_records_of_lowest_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [(f"s/{k}", "s", f"p{k}", "train" if k % 2 else "test") for k in range(20)]
    path = manifest(tmp_path, [*rows, ("t/1", "t", "q", "train")])
    train = [f"s/{k}" for k in range(1, 20, 2)]
    monkeypatch.setattr(selection, "_CENTRE", 4)
    for seed in (0, 1):
        lowest = sorted(train, key=lambda record: hash_fraction(f"centre of {record}", seed))[:4]
        assert ids(selection.draw_records(path, config(), seed)) == sorted(lowest)
    assert ids(selection.draw_records(path, config(sources=["u"]), 0)) == []


def test_copies_and_patients_whom_copies_link_make_no_pairs(tmp_path: Path) -> None:
    """b and c are one person under two names: s/3 of b is a copy of s/4 of c. s/0 and s/1 of a are copies."""
    rows = [(f"s/{k}", "s", patient, "test") for k, patient in enumerate("aabbcd")]
    path = manifest(tmp_path, rows)
    slice_ = VerifySlice(task="who", config=config(), bootstrap=10, confidence=0.9, seed=0, min_patients=2)
    _, records = selection.unseen_records(path, slice_.config, "test")
    copies = [{"a": "s/1", "b": "s/0"}, {"a": "s/3", "b": "s/4"}]
    (genuine, impostor), left_out = selection.comparable(records, slice_, path, {"duplicate_pairs": copies})
    assert list(zip(genuine.first, genuine.second, strict=True)) == [(2, 3)]
    assert left_out == {"copies": 2, "linked": 1}  # s/3 with s/4; s/2 with s/4
    found = set(zip(impostor.first.tolist(), impostor.second.tolist(), strict=True))
    assert found == {(0, 2), (0, 3), (0, 4), (0, 5), (1, 2), (1, 3), (1, 4), (1, 5), (2, 5), (3, 5), (4, 5)}
    assert genuine.first.dtype == np.array(genuine.second).dtype
