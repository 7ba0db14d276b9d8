"""Groups of copies: identical recordings, chains, and what crosses."""

from collections.abc import Iterator

import pandas as pd
import pytest

from ecglfm.data.manifest.duplicates.clusters import Clusters, move_clusters, moved
from ecglfm.data.manifest.duplicates.search import MAX_CLIQUE
from tests.unit.data.manifest.duplicates.planted import pairs_of
from tests.unit.data.recordings_in_memory import beating, drifting, frame


def test_pair_with_a_record_in_no_split_does_not_cross():
    signals = [drifting(1)[0]] * 2
    assert not pairs_of(frame(signals, ["train", None]), signals)["s/00000", "s/00001"]["crosses"]


@pytest.mark.parametrize("middle", [None, "train"])
def test_a_chain_from_training_to_test_crosses_though_its_ends_are_no_pair(middle):
    whole = beating(1)
    signals = [whole[:3500], whole, whole[1500:], beating(2)]  # 4 s in common: too little to be a pair
    found = pairs_of(frame(signals, ["train", middle, "test", "valid"]), signals)
    assert {pair: row["crosses"] for pair, row in found.items()} == {
        ("s/00000", "s/00001"): True,
        ("s/00001", "s/00002"): True,
    }


def test_a_chain_through_two_records_of_a_patient_in_no_split_crosses():
    one, other = beating(1), beating(2)
    signals = [one, one[1:], other, other[1:]]
    records = frame(signals, ["train", None, None, "test"], ["s/a", "s/b", "s/b", "s/c"])
    assert [row["crosses"] for row in pairs_of(records, signals).values()] == [True, True]
    apart = records.assign(patient_id=["s/a", "s/b", "s/d", "s/c"])
    assert [row["crosses"] for row in pairs_of(apart, signals).values()] == [False, False]


def test_huge_group_of_identical_records_is_a_star_that_still_crosses():
    n = MAX_CLIQUE + 10
    signals = [drifting(1)[0]] * n
    for last, crosses in (("test", True), ("train", False)):
        found = pairs_of(frame(signals, [None, *["train"] * (n - 2), last]), signals)
        assert list(found) == [("s/00000", f"s/{row:05d}") for row in range(1, n)]
        assert {row["crosses"] for row in found.values()} == {crosses}


def test_a_near_copy_of_identical_records_is_paired_with_each():
    signals = [*drifting(3), drifting(3)[1]]
    signals.append(signals[1][3:])
    found = pairs_of(frame(signals, ["train", None, "train", "train", "test"]), signals)
    assert {pair: row["crosses"] for pair, row in found.items()} == {
        ("s/00001", "s/00003"): True,
        ("s/00001", "s/00004"): True,
        ("s/00003", "s/00004"): True,
    }


def test_a_near_copy_that_comes_first_is_paired_with_each_twin():
    signals = [*drifting(3), drifting(3)[1]]
    signals[0] = signals[1][3:]
    assert set(pairs_of(frame(signals), signals)) == {
        ("s/00000", "s/00001"),
        ("s/00000", "s/00003"),
        ("s/00001", "s/00003"),
    }


RECORDS = pd.DataFrame(
    [
        ("s/a1", "a", "train"), ("s/a2", "a", "train"), ("s/b1", "b", None), ("s/c1", "c", "test"), ("s/d1", "d", "valid"),
        ("s/e1", "e", "train"), ("s/f1", "f", "train"), ("s/g1", "g", "valid"), ("s/g2", "g", None),
    ],
    columns=["record_id", "patient_id", "split"],
).assign(source="s")  # fmt: skip


def pieces(columns: list[str]) -> Iterator[pd.DataFrame]:
    """The table, two rows at a time."""
    yield from (RECORDS.iloc[start : start + 2][columns] for start in range(0, len(RECORDS), 2))


def pair(a: str, b: str) -> dict[str, object]:
    return {"a": a, "b": b, "correlation": 0.99, "crosses": True}


def test_a_cluster_goes_to_test_before_valid_before_train() -> None:
    clusters = Clusters(pieces, [pair("s/a1", "s/b1"), pair("s/b1", "s/c1"), pair("s/e1", "s/g1")])
    assert clusters.of_patient("a") == clusters.of_patient("c") != clusters.of_patient("g")
    assert clusters.of_patient("d") == -1
    assert clusters.splits("s/b1") == {"train", "test"}  # b itself is in none
    assert clusters.targets() == dict.fromkeys("abc", "test") | dict.fromkeys("eg", "valid")
    assert Clusters(pieces, [pair("s/e1", "s/f1")]).targets() == {}  # both in train
    assert Clusters(pieces, []).targets() == {}


def test_who_moves_stands_in_the_ledger_and_what_is_in_no_split_stays_there() -> None:
    targets, pairs, ledger = move_clusters(pieces, [pair("s/a1", "s/b1"), pair("s/b1", "s/c1"), pair("s/e1", "s/g1")])
    assert not any(one["crosses"] for one in pairs)
    assert dict(zip(ledger["record_id"], ledger["detail"], strict=True)) == {
        "s/a1": "from train to test: duplicate of s/b1, correlation 0.9900",
        "s/a2": "from train to test: its patient's s/a1 is a duplicate of s/b1, correlation 0.9900",
        "s/e1": "from train to valid: duplicate of s/g1, correlation 0.9900",
    }
    after = pd.concat(moved(pieces, targets)(["record_id", "split"])).set_index("record_id")["split"]
    assert after.fillna("none").to_dict() == {
        "s/a1": "test", "s/a2": "test", "s/b1": "none", "s/c1": "test", "s/d1": "valid", "s/e1": "valid",
        "s/f1": "train", "s/g1": "valid", "s/g2": "none",
    }  # fmt: skip
