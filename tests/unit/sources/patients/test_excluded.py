"""Excluded patients: of every kind of source nothing of them goes further, not even their names in a message."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from ecglfm.app.prediction.recordings import FromSource
from ecglfm.config import LEADS, SourceConfig, SourceSlice, UserError
from ecglfm.config.source_kinds import KINDS
from ecglfm.config.sources import PatientIds
from ecglfm.data.ingest import run_ingest
from ecglfm.sources import open_source
from ecglfm.sources.base import Source, write_index
from ecglfm.sources.patients.excluded import Excluded, excluded_since, note_excluded
from tests.unit.sources.cardiosoft_file import cardiosoft, strip


@pytest.fixture
def people(tmp_path: Path) -> Path:
    """Ten people with two recordings each, whose samples are their number, and a file that is no XML of one of them."""
    root = tmp_path / "root"
    root.mkdir()
    for eid in range(1000, 1010):
        for instance in (2, 3):
            values = [eid, -eid, eid]
            (root / f"{eid}_20205_{instance}_0.xml").write_bytes(cardiosoft(strip(dict.fromkeys(LEADS, values))))
    (root / "1003_20205_2_1.xml").write_bytes(b"no XML")
    return root


def config_of(root: Path, listed: str | None, **more: object) -> SourceSlice:
    path = root.parent / "withdrawn.csv"
    if listed is not None:
        path.write_text(listed)
        more["exclude_patients"] = str(path)
    return SourceSlice(source="u", config=SourceConfig(kind="cardiosoft_xml", root=str(root), **more))


def made(config: SourceSlice, folder: Path) -> Path:
    """Index and shards of a source."""
    warned: list[str] = []
    write_index(folder / "index/u.parquet", open_source(config).recordings(), warned, config)
    for shard in range(2):
        run_ingest(config, folder / "index/u.parquet", shard, 2, folder / f"ingest/u/{shard:03d}.npy")
    return folder


def holds(folder: Path, eid: int) -> list[str]:
    """Files that hold an id, in a cell, in a table's metadata or in a text, or a sample that is its number."""
    found = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        if path.suffix == ".npy":
            hit = bool((np.abs(np.load(path)) == 5 * eid).any())
        elif path.suffix == ".parquet":
            hit = f"{eid}" in pd.read_parquet(path).to_csv() + str(pq.read_metadata(path).metadata)
        else:
            hit = f"{eid}" in path.read_text()
        found += [path.name] if hit else []
    return found


def test_an_id_added_to_the_file_leaves_nothing_of_its_patient(
    people: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    """Also nothing of a file that cannot be read: only its name says whose it is."""
    out = tmp_path / "results"
    made(config_of(people, "1001\n"), out)
    assert holds(out, 1001) == []
    assert {path.rpartition(".")[2] for path in holds(out, 1003)} == {"npy", "parquet"}
    assert len(pd.read_parquet(out / "index/u.parquet")) == 19

    caplog.clear()
    with caplog.at_level(logging.INFO, "ecglfm"):
        made(config_of(people, "1001\n1003\n77\n"), out)
    assert holds(out, 1003) == []
    assert "1003" not in caplog.text
    assert "5 recordings of 2 patients are left out" in caplog.text
    assert "1 of its 3 ids matches nobody" in caplog.text
    index = pd.read_parquet(out / "index/u.parquet")
    assert sorted(index.patient_id.unique()) == [f"u/{eid}" for eid in range(1000, 1010) if eid not in (1001, 1003)]


def test_the_time_beside_an_index_is_that_of_its_people(people: Path, tmp_path: Path):
    """It stays when the index is made anew without another person left out; and nobody is named there."""
    index = tmp_path / "index/u.parquet"

    def since(listed: str, at: int) -> float | None:
        source = open_source(config_of(people, listed))
        write_index(index, source.recordings())
        os.utime(index, (at, at))
        note_excluded(index, source.excluded)
        return excluded_since(index)

    assert since("", 1) is None
    assert since("77\n", 2) is None
    assert since("1001\n77\n", 3) == 3.0
    assert since("1001\nu/1001\n77\n78\n", 4) == 3.0
    assert json.loads((index.parent / "u.excluded.json").read_text()) == {
        "people": 1, "digest": hashlib.sha256(b"u/1001").hexdigest()[:3], "since": 3.0,
    }  # fmt: skip
    assert since("1002\n", 5) == 5.0
    assert since("1002\n1003\n", 6) == 6.0
    assert since("1003\n1002\n", 7) == 6.0
    assert since("77\n", 8) is None
    assert [path.name for path in index.parent.iterdir()] == ["u.parquet"]
    assert since("1002\n1003\n", 9) == 9.0
    note_excluded(index, None)
    assert excluded_since(index) is None


def test_an_index_that_is_older_than_the_file_is_refused(people: Path, tmp_path: Path):
    """Whoever runs ingest by hand does not read a person who withdrew since."""
    index = tmp_path / "u.parquet"
    config = config_of(people, "1001\n")
    write_index(index, open_source(config).recordings(), slice_=config)
    config_of(people, "1001\n1002\n")
    with pytest.raises(UserError, match=r"this index is older than .*withdrawn.csv, which changed since"):
        run_ingest(config, index, 0, 1, tmp_path / "000.npy")


def test_predictions_of_a_source_leave_them_out(people: Path):
    found = FromSource(config_of(people, "1001\n")).find()
    assert len(found) == 19
    assert "1001" not in str(found)


@pytest.mark.parametrize(
    ("listed", "normalise", "left"),
    [
        ("eid\n1001\n", None, 19),
        ('\ufeff"1001"\n\n 1002 \n', None, 17),
        ("u/1001\n", None, 19),
        ("01001\n1002.0\n", None, 19),
        ("01001\n1002.0\n", "as_written", 21),
        ("01001\n1002.0\n", "number", 17),
        ("", None, 21),
    ],
)
def test_ids_in_the_file(people: Path, listed: str, normalise: str | None, left: int):
    config = config_of(people, listed, patient_id={"normalise": normalise})
    assert len(open_source(config).index()) == left


@pytest.mark.parametrize(
    ("listed", "said"),
    [
        ("1001,male\n", "line 1: one id a line is expected"),
        ("\n".join(str(eid) for eid in range(1000, 1010)), "every recording is of a patient in"),
    ],
)
def test_files_that_are_refused(people: Path, listed: str, said: str):
    with pytest.raises(UserError, match=said):
        open_source(config_of(people, listed)).index()


def test_a_file_that_is_not_there(people: Path):
    config = config_of(people, None, exclude_patients="nowhere.csv")
    with pytest.raises(
        UserError, match=r"nowhere.csv: `exclude_patients` names a file with an id a line: No such file"
    ):
        open_source(config).index()


def test_every_kind_takes_the_key_and_none_hands_on_pieces_past_it():
    """`recordings` is the base class's in every kind, whatever its `pieces`."""
    for name, kind in KINDS.items():
        assert "exclude_patients" not in kind.options, name
        module, cls = kind.adapter.split(":")
        adapter = getattr(__import__(module, fromlist=[cls]), cls)
        assert adapter.recordings is Source.recordings, name


def test_a_config_without_the_key_is_what_it_was():
    """An upgrade makes no index anew: the key is in no slice that does not use it."""
    config = SourceConfig(kind="wfdb_folder", root="r")
    assert not {"people", "visits", "exclude_patients"} & set(json.loads(config.model_dump_json()))
    assert config.model_copy(update={"exclude_patients": "w"}).model_dump()["exclude_patients"] == "w"


@pytest.mark.parametrize(
    ("listed", "patient"),
    [
        ("15709.0", "p/15709"),  # as ptbxl_database.csv has it
        ("p/15709.0", "p/15709"),
        ("15709", "p/15709.0"),
        ("123", "h/I0001/123"),  # as HEEDB's metadata.csv has it
        ("123.0", "h/I0006/123"),
        ("I0006/123", "h/I0006/123"),
    ],
)
def test_ids_as_the_database_writes_them(listed: str, patient: str, tmp_path: Path):
    (tmp_path / "ids.csv").write_text(f"{listed}\n")
    excluded = Excluded(tmp_path / "ids.csv", patient[0], PatientIds())
    assert patient in excluded
    for other in ("p/157090", "p/1570", "p/0123", "p/15709.05", "h/I0007/123", "p/a/15709"):
        assert other not in excluded


@pytest.mark.parametrize("listed", ["7", "s/7", "muse/7"])
def test_ids_of_another_sources_patients(listed: str, tmp_path: Path):
    (tmp_path / "ids.csv").write_text(f"{listed}\n")
    assert "s/7" in Excluded(tmp_path / "ids.csv", "s", PatientIds(of="muse"))


def test_a_recording_of_nobody_is_left_out_by_its_own_id(tmp_path: Path):
    """Nobody: no id, a word for none, one that the config names; with what tells it from patient 5 behind it."""
    patients = [None, "s/nan", "s/000", "s/5", None, "s/1", "s/7"]
    rows = {"record_id": [f"s/{number}" for number in range(1, 8)], "patient_id": patients}
    (tmp_path / "ids.csv").write_text("s/2\n3\ns/4\ns/5 (unknown)\n7\n")
    excluded = Excluded(tmp_path / "ids.csv", "s", PatientIds(unknown=["000"]))
    assert excluded.without(pd.DataFrame(rows)).record_id.tolist() == ["s/1", "s/4", "s/6"]
