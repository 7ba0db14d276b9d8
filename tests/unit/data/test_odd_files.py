"""A table of odd files, each with the value or the sentence that must come of it."""

from __future__ import annotations

import numpy as np
import pytest

from ecglfm.records import Record, RecordError
from ecglfm.sources.files import read_record
from tests.unit.data import odd_csv, odd_muse, odd_wfdb_files, odd_wfdb_headers, odd_wfdb_signals
from tests.unit.data.odd_files import Case, Dropped, Outcome, Read, run

WFDB = [*odd_wfdb_signals.CASES, *odd_wfdb_headers.CASES, *odd_wfdb_files.CASES]
CASES = [*WFDB, *odd_muse.CASES, *odd_csv.CASES]
PUBLIC = ("leads", "file_leads", "checks", "links")  # keys that `read_record` takes as well


def test_names_are_different_and_the_table_is_long():
    assert len({case.name for case in CASES}) == len(CASES)
    assert len(WFDB) >= 200


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    """What becomes of every case."""
    return run(CASES, tmp_path_factory.mktemp("odd"))


def check(found: object, expected: object) -> None:
    assert type(found) is type(expected), found
    if isinstance(expected, Read):
        np.testing.assert_array_equal(found.microvolts, expected.microvolts)
        assert found.rate == expected.rate
        assert set(found.flags) == set(expected.flags), found.flags
        assert all(text in found.flags[reason] for reason, text in expected.flags.items()), found.flags
    elif isinstance(expected, Dropped):
        assert found.reason == expected.reason, found
        assert expected.text in found.text
    else:
        assert expected.text in found.text


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_index_and_ingest(outcomes: dict[str, Outcome], case: Case):
    outcome = outcomes[case.name]
    check(outcome.found, case.expected)
    assert {column: outcome.row[column] for column in case.row} == case.row


@pytest.mark.parametrize("case", [case for case in WFDB if case.public], ids=lambda case: case.name)
def test_read_record_reads_the_same(outcomes: dict[str, Outcome], case: Case):
    path = outcomes[case.name].path
    options = {key: value for key, value in case.keys.items() if key in PUBLIC}
    if isinstance(options.get("links"), list):
        options["links"] = [text.replace("FOLDER", str(path.parents[2])) for text in options["links"]]
    try:
        record: Record = read_record(path, **options)
        found = record.microvolts()
    except RecordError as error:
        check(Dropped(error.reason, error.detail), case.expected)
    else:
        assert isinstance(case.expected, Read), case.expected
        np.testing.assert_array_equal(found.signal, case.expected.microvolts)
