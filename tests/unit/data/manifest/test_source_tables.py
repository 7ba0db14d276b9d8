"""The law of the ledger: each row of the index is one prepared record or one dropped row, and no other id is in either."""

from __future__ import annotations

import itertools

import pyarrow as pa
import pytest

from ecglfm.config import UserError
from ecglfm.data.manifest.source_tables import _Accounts


def ids(*records: str) -> pa.Table:
    return pa.table({"record_id": pa.array(records, pa.string())})


def test_every_way_to_stand_in_three_tables() -> None:
    """Up to twice in each: in order is once in the index, and once in just one of the others."""
    for times in itertools.product(range(3), repeat=3):
        if not any(times):
            continue
        accounts = _Accounts()
        tables = [ids(*["s/1"] * number) for number in times]
        in_order = times in {(1, 1, 0), (1, 0, 1)}
        assert accounts.add(*tables) == in_order, times
        if in_order:
            accounts.check("s")
        else:
            with pytest.raises(UserError, match=r"s/1, …"):
                accounts.check("s")


def test_faults_are_counted_over_pieces_with_the_first_of_each() -> None:
    accounts = _Accounts()
    assert accounts.add(ids("s/1", "s/2"), ids("s/1"), ids("s/2"))
    assert not accounts.add(ids("s/3", "s/4", "s/5"), ids("s/5"), ids())
    assert not accounts.add(ids("s/6", "s/6"), ids("s/6", "s/7"), ids("s/6"))
    with pytest.raises(UserError) as raised:
        accounts.check("s")
    assert str(raised.value) == (
        "source 's': 7 rows of index, but 4 records + 2 dropped: 2 in neither (s/3, …); 1 not in the index (s/7, …); "
        "1 counted twice (s/6, …); 1 twice in the index (s/6, …); delete its folders under ingest/ and preprocess/ and "
        "run again"
    )
