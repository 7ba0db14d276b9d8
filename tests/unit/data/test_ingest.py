"""Ingest: exact samples, one ledger row per fault, the same bytes whatever the workers."""

from __future__ import annotations

import os
import time
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import wfdb

from ecglfm.config import LEADS, SourceConfig, SourceSlice, UserError
from ecglfm.data.ingest import HELD_BYTES, _Reader, run_ingest, shard_rows
from ecglfm.data.samples import sole_writer
from ecglfm.provenance import sha256_file
from ecglfm.records import LEDGER_COLUMNS, NAME_LEADS, SENTINEL
from ecglfm.sources import open_source
from ecglfm.sources.base import write_index
from ecglfm.sources.wfdb_reader.files import write_record

N_RECORDS = 14


def digital_of(record: int) -> np.ndarray:
    return np.random.default_rng(record).integers(-2000, 2000, (200 + record, 12)).astype(np.int16)


@pytest.fixture
def database(tmp_path: Path) -> SourceSlice:
    """A PTB-XL of 14 records and its index."""
    root = tmp_path / "root"
    (root / "r").mkdir(parents=True)
    rows = [
        f"{k},{k}.0,50.0,0,,{{'NORM': 100.0}},1,r/{k},r/{k}" for k in range(1, N_RECORDS + 1)
    ]  # fmt: skip
    header = "ecg_id,patient_id,age,sex,report,scp_codes,strat_fold,filename_lr,filename_hr"
    (root / "ptbxl_database.csv").write_text("\n".join([header, *rows]) + "\n")
    (root / "scp_statements.csv").write_text(",diagnostic,diagnostic_class\nNORM,1.0,NORM\n")
    for k in range(1, N_RECORDS + 1):
        write_record(root / "r", str(k), digital_of(k), leads=LEADS, gain=1000.0, sampling_rate=500)
    config = SourceSlice(source="p", config=SourceConfig(kind="ptbxl", root=str(root)))
    write_index(tmp_path / "p.parquet", open_source(config).pieces())
    return config


def ingest(config: SourceSlice, folder: Path, *, shard: int = 0, shards: int = 1, workers: int = 1, out: str = "out"):
    output = folder / out / f"{shard:03d}.npy"
    run_ingest(config, folder / "p.parquet", shard, shards, output, workers)
    table, ledger = (
        pd.read_parquet(output.with_suffix(".parquet")),
        pd.read_parquet(output.with_suffix(".ledger.parquet")),
    )
    return np.load(output, mmap_mode="r"), table, ledger


def test_samples_offsets_and_hashes(database: SourceSlice, tmp_path: Path):
    signals, table, ledger = ingest(database, tmp_path)
    assert table.record_id.tolist() == [f"p/{k}" for k in range(1, N_RECORDS + 1)]
    assert table.offset.tolist() == np.cumsum([0, *(200 + k for k in range(1, N_RECORDS))]).tolist()
    for row in table.itertuples():
        expected = digital_of(int(row.record_id[2:]))  # gain 1000: a step is a microvolt
        np.testing.assert_array_equal(signals[row.offset : row.offset + row.n_samples], expected)
    assert (table.sampling_rate == 500.0).all()
    assert (table.missing_samples == 0).all()
    assert signals.shape == (table.n_samples.sum(), 12)
    assert signals.dtype == np.int16
    assert ledger.empty
    assert tuple(ledger.columns) == LEDGER_COLUMNS
    np.save(tmp_path / "plain.npy", np.asarray(signals))
    assert sha256_file(tmp_path / "plain.npy") == sha256_file(tmp_path / "out" / "000.npy")


class FirstChunkLast(_Reader):
    """Writes the first chunk when a later one is ready for it, and reports on it when all others are done."""

    def __init__(self, *arguments, held: int):
        super().__init__(*arguments)
        self._held = held

    def __call__(self, chunk):
        with pytest.MonkeyPatch.context() as patch:  # here, because a worker does not inherit it
            patch.setattr("ecglfm.data.ingest.HELD_BYTES", self._held)
            found = super().__call__(chunk)
        time.sleep(0.1 * (chunk.number == 0))
        return found

    def _write(self, chunk, signals, *, more=False):
        later = self._output.with_suffix(".later")
        if chunk.number:
            later.touch()
        else:
            until = time.monotonic() + 60
            while not later.exists():
                assert time.monotonic() < until
                time.sleep(0.01)
            time.sleep(0.1)
        super()._write(chunk, signals, more=more)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("held", [HELD_BYTES, 24 * 203])  # at once, or of a chunk of three first two and then one
def test_same_bytes_whatever_the_workers(
    database: SourceSlice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held: int
):
    ingest(database, tmp_path, out="one")
    monkeypatch.setattr("ecglfm.data.ingest.CHUNK", 3)
    monkeypatch.setattr("ecglfm.data.ingest._Reader", partial(FirstChunkLast, held=held))
    ingest(database, tmp_path, out="two", workers=2)
    assert list((tmp_path / "two").glob("*.later"))
    for name in ("000.npy", "000.parquet", "000.ledger.parquet"):
        assert sha256_file(tmp_path / "one" / name) == sha256_file(tmp_path / "two" / name)


def test_long_recordings_are_written_one_by_one(database: SourceSlice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    ingest(database, tmp_path, out="together")
    monkeypatch.setattr("ecglfm.data.ingest.HELD_BYTES", 24 * 203)  # a record has 200 samples and more
    ingest(database, tmp_path, out="alone")
    for name in ("000.npy", "000.parquet"):
        assert sha256_file(tmp_path / "together" / name) == sha256_file(tmp_path / "alone" / name)


def test_shards_together_are_the_whole(database: SourceSlice, tmp_path: Path):
    whole, table, _ = ingest(database, tmp_path)
    parts = [ingest(database, tmp_path, shard=k, shards=3, out="three") for k in range(3)]
    np.testing.assert_array_equal(np.concatenate([signals for signals, _, _ in parts]), whole)
    assert [len(part) for _, part, _ in parts] == [4, 5, 5]  # rows k*14//3 .. (k+1)*14//3
    assert [digest for _, part, _ in parts for digest in part.sha256] == table.sha256.tolist()


def test_more_shards_than_records(database: SourceSlice, tmp_path: Path):
    signals, table, _ = ingest(database, tmp_path, shard=0, shards=50)
    assert signals.shape == (0, 12)
    assert table.empty
    assert table.dtypes["offset"] == np.int64


@pytest.mark.parametrize(("shard", "shards"), [(3, 3), (-1, 3), (0, 0)])
def test_no_such_shard(shard: int, shards: int):
    with pytest.raises(UserError, match="shards are numbered"):
        shard_rows(10, shard, shards)


def _leads(root: Path, names: list[str]) -> None:
    write_record(root, "3", digital_of(3)[:, : len(names)], leads=names, gain=1000.0, sampling_rate=500)


FAULTS = {
    "truncated": (lambda r: (r / "3.dat").write_bytes((r / "3.dat").read_bytes()[:99]), "signal_truncated"),
    "missing": (lambda r: (r / "3.dat").unlink(), "signal_missing"),
    "empty": (lambda r: (r / "3.dat").write_bytes(b""), "signal_empty"),
    "corrupt": (lambda r: (r / "3.dat").write_bytes(bytes(24 * 203)), "signal_checksum"),
    "no header": (lambda r: (r / "3.hea").unlink(), "header_missing"),
    "empty header": (lambda r: (r / "3.hea").write_bytes(b""), "header_empty"),
    "traversal": (lambda r: (r / "3.hea").write_text((r / "3.hea").read_text().replace("3.dat", "../../etc/passwd")),
                  "path_outside_root"),
    "no standard lead": (lambda r: _leads(r, ["vx", "vy", "vz"]), "lead_missing"),
    "repeated lead": (lambda r: _leads(r, [*LEADS[:11], "V5"]), "lead_repeated"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_bad_recording_is_one_ledger_row(database: SourceSlice, tmp_path: Path, fault: str, workers: int):
    damage, reason = FAULTS[fault]
    damage(tmp_path / "root" / "r")
    signals, table, ledger = ingest(database, tmp_path, workers=workers)
    assert ledger[["source", "record_id", "stage", "action", "reason"]].values.tolist() == [
        ["p", "p/3", "ingest", "dropped", reason]
    ]
    assert ledger.detail[0]
    assert table.record_id.tolist() == [f"p/{k}" for k in range(1, N_RECORDS + 1) if k != 3]
    fourth = table.set_index("record_id").loc["p/4"]
    np.testing.assert_array_equal(signals[fourth.offset : fourth.offset + fourth.n_samples], digital_of(4))


def test_missing_foreign_and_derived_leads_go_through_with_a_mask(database: SourceSlice, tmp_path: Path):
    root = tmp_path / "root" / "r"
    _leads(root, ["vx", "V1", "V2"])
    write_record(
        root, "4", digital_of(4)[:, :10], leads=[*LEADS[6:], "II", "aVR", "I", "V9"], gain=1000.0, sampling_rate=500
    )
    signals, table, ledger = ingest(database, tmp_path)
    assert ledger[["record_id", "action", "reason", "detail"]].values.tolist() == [
        ["p/3", "flagged", "leads_ignored", f"vx not among the standard leads; if they are, {NAME_LEADS}"],
        ["p/4", "flagged", "leads_derived", "III aVL aVF computed from two other limb leads"],
        ["p/4", "flagged", "leads_ignored", "V9 not among the standard leads"],
    ]
    assert len(table) == N_RECORDS
    assert table.lead_mask.tolist()[:5] == [4095, 4095, 0b11000000, 4095, 4095]
    assert (table.missing_samples == 0).all()
    third = signals[table.offset[2] : table.offset[3]]
    np.testing.assert_array_equal(third[:, [6, 7]], digital_of(3)[:, [1, 2]])
    assert (third[:, [0, 1, 2, 3, 4, 5, 8, 9, 10, 11]] == SENTINEL).all()
    digital = digital_of(4).astype(float)
    fourth = signals[table.offset[3] : table.offset[4]]
    one, two = digital[:, 8], digital[:, 6]
    np.testing.assert_array_equal(fourth[:, 2], two - one)
    np.testing.assert_allclose(fourth[:, 5], two - one / 2, atol=0.5)


def test_unholdable_samples_are_counted_and_a_flat_lead_goes_through(database: SourceSlice, tmp_path: Path):
    digital = digital_of(3)
    digital[:5, 2] = -32768
    digital[:, 7] = 0
    write_record(tmp_path / "root" / "r", "3", digital, leads=LEADS, gain=1000.0, sampling_rate=500)
    digital = np.full((300, 12), 7000, np.int16)  # 35 mV at gain 200: beyond int16 microvolts
    write_record(tmp_path / "root" / "r", "4", digital, leads=LEADS, gain=200.0, sampling_rate=500)
    signals, table, ledger = ingest(database, tmp_path)
    assert ledger.empty
    assert table.missing_samples.tolist()[:4] == [0, 0, 5, 3600]
    start = table.offset[2]
    assert (signals[start : start + 5, 2] == SENTINEL).all()


def test_genuine_recordings_are_exact(real_data: Path, tmp_path: Path):
    config = SourceSlice(source="p", config=SourceConfig(kind="ptbxl", root=str(real_data / "ptb-xl")))
    write_index(tmp_path / "p.parquet", open_source(config).pieces())
    signals, table, ledger = ingest(config, tmp_path, shard=0, shards=30)
    assert len(table) == 10
    assert ledger.empty
    expected = wfdb.rdrecord(str(real_data / "ptb-xl/records500/00000/00010_hr"), physical=False).d_signal
    np.testing.assert_array_equal(signals[table.offset[9] :], expected)


def test_missing_root_and_missing_index(database: SourceSlice, tmp_path: Path):
    with pytest.raises(UserError, match="ecglfm index"):
        run_ingest(database, tmp_path / "none.parquet", 0, 1, tmp_path / "x.npy")
    other = database.model_copy(update={"source": "q"})
    with pytest.raises(UserError, match="source 'p'"):
        run_ingest(other, tmp_path / "p.parquet", 0, 1, tmp_path / "x.npy")
    gone = SourceSlice(source="p", config=SourceConfig(kind="ptbxl", root=str(tmp_path / "gone")))
    with pytest.raises(UserError, match=r"`root` in config/sources/p\.yaml or `roots"):
        run_ingest(gone, tmp_path / "p.parquet", 0, 1, tmp_path / "x.npy")


def test_a_shard_that_another_process_writes_is_left_alone(database: SourceSlice, tmp_path: Path):
    with sole_writer(tmp_path / "out/000.npy"), pytest.raises(UserError, match="another process writes this shard"):
        ingest(database, tmp_path)
    assert not list((tmp_path / "out").iterdir())


def test_an_index_older_than_the_config_is_said(database: SourceSlice, tmp_path: Path):
    path = tmp_path / "i.parquet"
    write_index(path, open_source(database).pieces(), (), database)
    run_ingest(database, path, 0, 1, tmp_path / "x.npy")
    (tmp_path / "root").rename(tmp_path / "moved")
    changes: dict[str, object] = {"root": str(tmp_path / "moved")}
    moved = database.model_copy(update={"config": database.config.model_copy(update=changes)})
    run_ingest(moved, path, 0, 1, tmp_path / "x.npy")  # records are found relative to the root
    changes |= {"rate": 100, "checks": "off"}
    edited = database.model_copy(update={"config": database.config.model_copy(update=changes)})
    with pytest.raises(UserError, match=r"older than the config of source 'p', in which `checks`, `rate` changed") as e:
        run_ingest(edited, path, 0, 1, tmp_path / "y.npy")
    assert str(e.value).startswith(f"{path}: ")
    assert str(e.value).endswith(f"run `ecglfm index` again, or snakemake --forcerun {path}")
    assert not (tmp_path / "y.npy").exists()


def test_an_index_older_than_the_databases_table_is_said(database: SourceSlice, tmp_path: Path):
    index, table = tmp_path / "i.parquet", tmp_path / "root/ptbxl_database.csv"
    write_index(index, open_source(database).pieces(), (), database)
    later = index.stat().st_mtime + 10
    os.utime(table, (later, later))
    run_ingest(database, index, 0, 1, tmp_path / "x.npy")  # copied, the same
    content = table.read_bytes()
    for edited in (content.replace(b"1", b"2", 1), content + b"\n"):  # also as long as it was
        table.write_bytes(edited)
        os.utime(table, (later, later))
        with pytest.raises(UserError) as error:
            run_ingest(database, index, 0, 1, tmp_path / "y.npy")
        assert str(error.value) == (
            f"{index}: this index is older than {table}, which changed since; run `ecglfm index` again, or"
            f" snakemake --forcerun {index}"
        )
    assert not (tmp_path / "y.npy").exists()
    write_index(index, open_source(database).pieces(), (), database)
    run_ingest(database, index, 0, 1, tmp_path / "y.npy")
