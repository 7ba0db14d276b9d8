"""Challenge 2021: values read off the genuine headers by eye, samples by NumPy and wfdb, both years' spellings."""

from __future__ import annotations

import csv
import logging
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import wfdb

from ecglfm.config import LEADS, SourceConfig, SourceSlice, TaskConfig, TaskSlice, UserError, load
from ecglfm.data.ingest import run_ingest
from ecglfm.data.labels.source_targets import SourceTargets
from ecglfm.sources import open_source
from ecglfm.sources.base import Source, write_index

FEW = {"native.rx": "Unknown", "native.hx": "Unknown"}
GENUINE = {  # database: records, the first one's age, sex, Dx
    "chapman_shaoxing": (5, "JS00001", 85, "male", "164889003,59118001,164934002"),
    "cpsc_2018": (5, "A0001", 74, "male", "59118001"),
    "cpsc_2018_extra": (5, "Q0001", 53, "male", "164867002,427084000"),
    "georgia": (5, "E00001", None, "female", "426783006"),  # its age is NaN
    "ningbo": (7, "JS11438", 4, "male", "427084000"),
    "ptb": (1, "S0001", 81, "female", "251146004,426783006"),
    "ptb-xl": (5, "HR00001", 56, "female", "251146004,426783006"),
}


def config_of(root: Path, **config) -> SourceSlice:
    return SourceSlice(source="c", config=SourceConfig(kind="challenge2021", root=str(root), **config))


def source(root: Path, **config) -> Source:
    return open_source(config_of(root, **config))


def raw(path: Path) -> np.ndarray:
    """Samples of a .mat: after the 24 bytes of its own header, (12, n) column by column."""
    return np.frombuffer(path.read_bytes()[24:], "<i2").reshape(-1, 12)


def header(name: str, comments: str, n_samples: int = 4) -> str:
    lines = [f"{name}.mat 16+24 1000/mV 16 0 0 0 0 {lead}" for lead in LEADS]
    return "\n".join([f"{name} 12 500 {n_samples}", *lines]) + "\n" + comments


def database(root: Path, records: dict[str, str]) -> Path:
    """Records of zeros: path below training/ and comments."""
    for path, comments in records.items():
        file = root / "training" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.with_suffix(".hea").write_text(header(file.name, comments))
        file.with_suffix(".mat").write_bytes(bytes(24 + 4 * 12 * 2))
    return root


def test_genuine_headers(real_data: Path):
    frame = source(real_data / "challenge-2021").index()
    assert len(frame) == 33
    assert frame.patient_id.tolist() == frame.record_id.tolist()
    for name, (count, first, age, sex, dx) in GENUINE.items():
        rows = frame[frame["native.database"] == name]
        row = rows.iloc[0]
        assert len(rows) == count
        assert row.record_id == f"c/{name}/{first}"
        assert row.path == f"training/{name}/g1/{first}"
        assert row.age == age or (age is None and np.isnan(row.age))
        assert (row.sex, row["native.dx"]) == (sex, dx)
        assert {key: row[key] for key in FEW} == FEW
    assert set(frame.report) == {""}
    js20004 = frame[frame.record_id == "c/ningbo/JS20004"].iloc[0]
    assert js20004.age == 89  # `# Age: 89`, with a space
    assert js20004["native.age"] == "89"


def test_equivalent_codes_become_one(real_data: Path):
    frame = source(real_data / "challenge-2021").index().set_index("record_id")
    assert [c["code"] for c in frame.codes["c/chapman_shaoxing/JS00001"]] == ["164889003", "713427006", "164934002"]
    assert [c["code"] for c in frame.codes["c/ningbo/JS20011"]] == ["284470004", "427084000"]
    assert {c["likelihood"] for row in frame.codes for c in row} == {100.0}


def test_both_codes_in_one_header_count_once(tmp_path: Path):
    root = database(
        tmp_path, {"georgia/g1/E1": "#Dx: 59118001, 713427006,, 164889003\n", "georgia/g1/E2": "#Dx: Unknown\n"}
    )
    frame = source(root).index()
    assert [[c["code"] for c in row] for row in frame.codes] == [["713427006", "164889003"], []]


def test_shipped_task_has_the_26_scored_classes(real_data: Path, repository: Path):
    task = load(TaskConfig, repository / "config/tasks/challenge-2021.yaml")
    folder = real_data / "challenge-2021/evaluation-2021"
    classes = [next(csv.reader((folder / name).open()))[1:] for name in ("weights_abbreviations.csv", "weights.csv")]
    expected = {names.split("|")[0]: codes.split("|") for names, codes in zip(*classes, strict=True)}
    assert len(expected) == 26
    assert {label: kinds["challenge2021"].snomed for label, kinds in task.labels.items()} == expected

    frame = source(real_data / "challenge-2021").index()
    task_slice = TaskSlice(task="t", config=task, kinds={"c": "challenge2021"})
    labels = SourceTargets(task_slice, "c", list(frame.columns)).of(frame).rename(columns=lambda name: name[6:])
    dx = frame["native.dx"].str.split(",")
    for label, codes in expected.items():
        by_hand = [float(not set(codes).isdisjoint(row)) for row in dx]
        assert labels[label].tolist() == by_hand, label
    assert labels["CRBBB"].sum() == sum("59118001" in row or "713427006" in row for row in dx) > 0


def test_samples_of_genuine_records(real_data: Path):
    root = real_data / "challenge-2021"
    ours = source(root)
    for row in ours.index().itertuples():
        record = ours.read(row.path)
        assert record.leads == LEADS
        np.testing.assert_array_equal(np.rint(record.signal * 1000), raw(root / f"{row.path}.mat"))
        reference = wfdb.rdrecord(str(root / row.path))
        np.testing.assert_allclose(record.signal, reference.p_signal, atol=1e-12)
        assert record.sampling_rate == reference.fs == (1000 if row.record_id == "c/ptb/S0001" else 500)


def test_zero_leads_and_spikes_are_what_the_files_hold(real_data: Path):
    ours = source(real_data / "challenge-2021")
    silent = {
        name: [
            lead
            for lead, column in zip(LEADS, ours.read(f"training/ningbo/g1/{name}").signal.T, strict=True)
            if not column.any()
        ]
        for name in ("JS20004", "JS11438", "JS13888")
    }
    assert silent == {"JS20004": ["V2", "V4", "V6"], "JS11438": ["V1", "V2", "V3", "V4", "V5", "V6"], "JS13888": []}
    assert np.abs(ours.read("training/ningbo/g1/JS20011").signal).max() > 10


def test_hr_records_are_ptbxl_again(real_data: Path):
    challenge = source(real_data / "challenge-2021")
    ptbxl = open_source(SourceSlice(source="p", config=SourceConfig(kind="ptbxl", root=str(real_data / "ptb-xl"))))
    for k in range(1, 6):
        one = challenge.read(f"training/ptb-xl/g1/HR{k:05d}").standard().signal
        other = ptbxl.read(f"records500/00000/{k:05d}_hr").standard().signal
        np.testing.assert_array_equal(one, other)


def test_headers_of_2020_whose_record_name_ends_in_mat(real_data: Path, tmp_path: Path):
    shutil.copytree(real_data / "challenge-2020-legacy-headers/georgia", tmp_path / "training/georgia/g1")
    ours = source(tmp_path)
    frame = ours.index()
    assert frame.record_id.tolist() == ["c/georgia/E00271", "c/georgia/E01137"]
    assert frame.age.tolist() == [83, 64]
    assert [[c["code"] for c in row] for row in frame.codes] == [["713427006"], ["426177001"]]
    for row in frame.itertuples():
        record = ours.read(row.path)
        np.testing.assert_array_equal(np.rint(record.signal * 1000), raw(tmp_path / f"{row.path}.mat"))
        assert record.signal.shape == (5000, 12)


def test_every_file_of_a_damaged_download_is_a_row(real_data: Path, tmp_path: Path):
    root = tmp_path / "root"
    shutil.copytree(real_data / "challenge-2021/training/cpsc_2018", root / "training/cpsc_2018")
    folder = root / "training/cpsc_2018/g1"
    folder.chmod(0o755)
    (folder / "A0001.hea").unlink()  # the signal is left
    (folder / "RECORDS").write_text("A0002\nA0003\nA0004\nA0005\n")
    (folder / "A0002.mat").unlink()  # the header is left
    for ending in (".hea", ".mat"):
        (folder / f"A0003{ending}").unlink()  # only RECORDS has it
    (folder / "A0004.hea").write_bytes(b"")
    config = config_of(root)
    frame = open_source(config).index()
    assert frame.record_id.str[-5:].tolist() == ["A0001", "A0002", "A0003", "A0004", "A0005"]
    assert frame.age.fillna(-1).tolist() == [-1, 49, -1, -1, 53]
    write_index(tmp_path / "c.parquet", [frame])
    run_ingest(config, tmp_path / "c.parquet", 0, 1, tmp_path / "out/000.npy")
    ledger = pd.read_parquet(tmp_path / "out/000.ledger.parquet")
    dropped = ledger[ledger.action == "dropped"]
    assert pd.read_parquet(tmp_path / "out/000.parquet").record_id.tolist() == ["c/cpsc_2018/A0005"]
    assert dict(zip(dropped.record_id.str[-5:], dropped.reason, strict=True)) == {
        "A0001": "header_missing", "A0002": "signal_missing", "A0003": "header_missing", "A0004": "header_empty"
    }  # fmt: skip


def test_all_genuine_records_go_through_ingest(real_data: Path, tmp_path: Path):
    config = config_of(real_data / "challenge-2021", databases=["ptb-xl", "ningbo"])
    frame = open_source(config).index()
    write_index(tmp_path / "c.parquet", [frame])
    run_ingest(config, tmp_path / "c.parquet", 0, 1, tmp_path / "out/000.npy")
    table = pd.read_parquet(tmp_path / "out/000.parquet")
    ledger = pd.read_parquet(tmp_path / "out/000.ledger.parquet")
    assert table.record_id.tolist() == frame.record_id.tolist()
    assert (ledger.action != "dropped").all()
    first = np.load(tmp_path / "out/000.npy", mmap_mode="r")[:5000]
    np.testing.assert_array_equal(first, raw(real_data / "challenge-2021/training/ningbo/g1/JS11438.mat"))


def test_ages_and_sexes_of_headers(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    said = {  # comments: age, sex
        "#Age: NaN\n#Sex: Unknown\n": (None, None),
        "# Age: 300\n# Sex: F\n": (90, "female"),  # PTB-XL's number for above 89
        "#Age: 92\n#Sex: male\n": (92, "male"),
        "#Age: -1\n#Sex: Male\n": (None, "male"),
        "": (None, None),
    }
    root = database(tmp_path, {f"ptb/g1/S{k}": comments for k, comments in enumerate(said)})
    with caplog.at_level(logging.WARNING):
        frame = source(root).index()
    assert [None if np.isnan(age) else age for age in frame.age] == [age for age, _ in said.values()]
    assert [None if pd.isna(sex) else sex for sex in frame.sex] == [sex for _, sex in said.values()]
    assert "1 headers state no readable age, e.g. '-1'" in caplog.text


def test_files_in_capitals_are_records(tmp_path: Path):
    root = database(tmp_path, {"ptb/g1/S1": "# Age: 50\n"})
    for ending in (".hea", ".mat"):
        path = (root / "training/ptb/g1/S1").with_suffix(ending)
        path.rename(path.with_name(path.name.upper()))
    challenge = source(root)
    assert challenge.index()[["path", "age"]].values.tolist() == [["training/ptb/g1/S1", 50.0]]
    assert challenge.read("training/ptb/g1/S1").signal.tolist() == [[0.0] * 12] * 4


def test_choice_of_databases(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    root = database(tmp_path, {"ptb/g1/S10": "", "ptb/g2/S9": "", "georgia/g1/E1": "", "mine/g1/X": ""})
    with caplog.at_level(logging.WARNING):
        assert source(root).index().record_id.tolist() == ["c/georgia/E1", "c/ptb/S9", "c/ptb/S10"]
    assert "passed over, as none of the Challenge's databases: mine" in caplog.text
    assert source(root, databases=["ptb"]).index().record_id.tolist() == ["c/ptb/S9", "c/ptb/S10"]
    with pytest.raises(UserError, match="has no folder ningbo; it has: georgia, mine, ptb"):
        source(root, databases=["ptb", "ningbo"]).index()
    with pytest.raises(UserError, match="has no folder training/"):
        source(root / "training").index()
    database(tmp_path, {"ptb/g3/S9": ""})
    with pytest.raises(UserError, match="ptb/S9 stands twice"):
        source(root).index()


def test_no_link_leads_out(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    outside = database(tmp_path / "outside", {"ptb/g1/S1": "#Age: 50\n", "georgia/g1/E1": "#Age: 60\n"}) / "training"
    root = database(tmp_path / "root", {"ptb/g1/S2": "#Age: 70\n"})
    (root / "training/ptb/g9").symlink_to(outside / "ptb/g1")
    (root / "training/ptb/g1/S3.hea").symlink_to(outside / "ptb/g1/S1.hea")
    (tmp_path / "list").write_text("S4\n")
    (root / "training/ptb/g1/RECORDS").symlink_to(tmp_path / "list")
    with caplog.at_level(logging.WARNING):
        frame = source(root).index()
    assert "training/ptb/g1/RECORDS is not read: 'RECORDS' leads outside" in caplog.text
    assert frame.record_id.tolist() == ["c/ptb/S2", "c/ptb/S3"]
    assert frame.age.fillna(-1).tolist() == [70, -1]  # the header outside is not opened
    assert "1 links lead outside" in caplog.text
    (root / "training/georgia").symlink_to(outside / "georgia")
    with pytest.raises(UserError, match="'georgia' leads outside the database"):
        source(root).index()
