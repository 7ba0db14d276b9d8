"""The data commands, as a shell calls them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from ecglfm.cli import main
from ecglfm.records import LEDGER_COLUMNS
from ecglfm.sources.patients.excluded import excluded_since

SOURCE = (
    "source: s\nconfig: {{kind: synthetic, layout: {layout}, patients: 12, records_per_patient: 2, root: {root}}}\n"
)


def run_until_preprocess(folder: Path) -> None:
    root = folder / "db"
    (folder / "s.yaml").write_text(SOURCE.format(layout="mimic_iv_ecg", root=root))
    (folder / "preprocess.yaml").write_text("sampling_rate: 250\n")
    config, index = ["--config", str(folder / "s.yaml")], folder / "index" / "s.parquet"
    assert main(["synthesize", *config, "--output", str(root)]) == 0
    assert main(["index", *config, "--output", str(index)]) == 0
    for shard in ("000", "001"):
        raw, ready = folder / "ingest" / "s" / f"{shard}.npy", folder / "preprocess" / "s" / f"{shard}.npy"
        shards = ["--shard", shard, "--shards", "2"]
        assert main(["ingest", *config, "--index", str(index), *shards, "--output", str(raw)]) == 0
        prepare = ["--config", str(folder / "preprocess.yaml"), "--input", str(raw), "--output", str(ready)]
        assert main(["preprocess", *prepare]) == 0


def manifest(folder: Path, group_by: str, valid: float = 0.3) -> int:
    (folder / "m.yaml").write_text(
        f"sources: [s]\nmanifest: {{group_by: {group_by}, valid_fraction: {valid}, test_fraction: 0.3}}\n"
    )
    results = ["--results", str(folder), "--output", str(folder / "manifest")]
    return main(["manifest", "--config", str(folder / "m.yaml"), *results])


def test_from_nothing_to_labels(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    run_until_preprocess(tmp_path)
    assert manifest(tmp_path, "patient") == 0
    shown = capsys.readouterr().out
    assert "s: records test" in shown
    assert f"{tmp_path}/manifest: 0 of 24 dropped; see {tmp_path}/manifest/summary.html" in shown
    assert "warning" not in shown
    assert f"{tmp_path}/manifest: few patients: s (12 patients); `manifest.stratify: [TASK]` gives" in shown
    assert manifest(tmp_path, "patient", valid=0) == 0
    assert "warning: no record is in the split valid; `valid_fraction`," in capsys.readouterr().out
    assert manifest(tmp_path, "patient") == 0
    records = pd.read_parquet(tmp_path / "manifest" / "records.parquet")
    assert len(records) == 24
    assert (records.n_samples == 2500).all()
    assert np.load(tmp_path / "preprocess" / "s" / "001.npy").shape == (12 * 2500, 12)
    (tmp_path / "t.yaml").write_text(
        "task: t\nkinds: {s: mimic_iv_ecg}\n"
        "config: {kind: multilabel, sources: [s], labels: {heads: {mimic_iv_ecg: {column: {cart_id: ['6848296']}}}}}\n"
    )
    inputs = [
        "--manifest",
        str(tmp_path / "manifest" / "records.parquet"),
        "--index",
        str(tmp_path / "index/s.parquet"),
    ]
    assert main(["labels", "--config", str(tmp_path / "t.yaml"), *inputs, "--output", str(tmp_path / "t.parquet")]) == 0
    assert set(pd.read_parquet(tmp_path / "t.parquet")["label.heads"]) == {0.0, 1.0}
    assert "t.parquet: warning" not in capsys.readouterr().out
    ids = [*records.patient_id.unique(), "nobody"]
    (tmp_path / "own.csv").write_text("patient_id,x\n" + "".join(f"{one},{n % 2}\n" for n, one in enumerate(ids)))
    (tmp_path / "t.yaml").write_text(
        "task: t\nkinds: {s: mimic_iv_ecg}\nconfig: {kind: binary, sources: [s], labels: {x: {mimic_iv_ecg:"
        f" {{column: {{x: ['1']}}, file: {{path: {tmp_path}/own.csv, by: patient_id}}}}}}}}}}\n"
    )
    assert main(["labels", "--config", str(tmp_path / "t.yaml"), *inputs, "--output", str(tmp_path / "t.parquet")]) == 0
    said = capsys.readouterr().out  # standard error goes to the log
    assert said.startswith(
        f"{tmp_path}/t.parquet: warning: {tmp_path}/own.csv: 1 ids are no patient_id of source s, the"
    )


def test_databases_that_hold_each_other_are_told_before_anything_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    holds = "{a: [qtdb], b: [mitdb], c: [ptbxl]}"
    (tmp_path / "m.yaml").write_text(f"sources: [a, b, c]\nmanifest: {{}}\nholds: {holds}\n")
    results = ["--results", str(tmp_path), "--output", str(tmp_path / "manifest")]
    assert main(["manifest", "--config", str(tmp_path / "m.yaml"), *results]) != 0  # there is no index
    said = f"{tmp_path}/manifest: suspected overlap: a and b: both have recordings of MIT-BIH Arrhythmia\n"
    assert capsys.readouterr().out == said


def test_an_amplitude_unlike_its_source_is_said_and_in_the_ledger(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    run_until_preprocess(tmp_path)
    path = tmp_path / "preprocess/s/001.parquet"
    table = pd.read_parquet(path)
    table.loc[2, "amplitude"] *= 5
    table.to_parquet(path, index=False)
    assert manifest(tmp_path, "patient") == 0
    odd = table["record_id"][2]
    assert f"{tmp_path}/manifest: warning: s: 1 record has an amplitude under 0.333 or over" in capsys.readouterr().out
    rows = pd.read_parquet(tmp_path / "manifest/ledger.parquet").query("reason == 'amplitude_of_source'")
    assert rows[["record_id", "stage", "action"]].to_numpy().tolist() == [[odd, "manifest", "flagged"]]
    assert json.loads((tmp_path / "manifest/audit.json").read_text())["amplitude"]["s"]["examples"] == [odd]


def test_a_failed_audit_fails_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    run_until_preprocess(tmp_path)
    assert manifest(tmp_path, "record") == 1
    error = capsys.readouterr().err
    lines = [line for line in error.splitlines() if "error:" in line]
    assert len(lines) == 1
    assert "the audit failed" in lines[0]
    assert "patients in two splits" in lines[0]
    assert json.loads((tmp_path / "manifest" / "audit.json").read_text())["passed"] is False


def test_a_split_that_is_left_empty_on_purpose_is_not_missed(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    run_until_preprocess(tmp_path)
    (tmp_path / "m.yaml").write_text("sources: [s]\nmanifest: {fractions: {s: {test: 1}}}\n")
    results = ["--results", str(tmp_path), "--output", str(tmp_path / "manifest")]
    assert main(["manifest", "--config", str(tmp_path / "m.yaml"), *results]) == 0
    shown = capsys.readouterr().out
    assert "s: records test 24 of 12 patients\n" in shown
    assert "warning" not in shown
    audit = json.loads((tmp_path / "manifest/audit.json").read_text())
    assert (audit["empty"], audit["unfilled"]) == (["train", "valid"], [])


def in_folds(folder: Path, k: int) -> int:
    (folder / "m.yaml").write_text(f"sources: [s]\nmanifest: {{folds: {{s: {{k: {k}}}}}}}\n")
    results = ["--results", str(folder), "--output", str(folder / "manifest")]
    return main(["manifest", "--config", str(folder / "m.yaml"), *results])


def test_folds_are_counted_and_what_they_share_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    run_until_preprocess(tmp_path)
    assert in_folds(tmp_path, 4) == 0
    shown = capsys.readouterr().out
    assert "s: records test 24 of 12 patients\n" in shown
    four = ", ".join(f"{fold} 6 of 3 patients" for fold in range(4))
    assert f"s: folds {four}\n" in shown
    assert "warning" not in shown
    assert in_folds(tmp_path, 13) == 1
    assert "error: config.yaml: manifest.folds: k: 13, but s have 12 patients" in capsys.readouterr().err
    pairs = [{"a": "s/1", "b": "s/2", "correlation": 1.0, "crosses": True}]
    found = {"passed": False, "patient_overlap": ["s/p"], "duplicate_pairs": pairs, "repeated_records": [], "empty": []}
    rest = {"counts": {}, "unfilled": [], "patients_unknown": {}, "amplitude": {}, "by_chance": {}, "folds": {}}
    rest["dominant"] = [{"source": "s", "split": "test", "patient": "s/p", "records": 8, "of": 22}]
    monkeypatch.setattr("ecglfm.data.manifest.run_manifest", lambda *args: found | rest)
    assert in_folds(tmp_path, 4) == 1
    told = capsys.readouterr()
    assert "warning: s: 8 of the 22 records of the split test are of one patient, s/p, and what is learnt" in told.out
    assert (
        "the audit failed: 1 patient in two splits or folds, e.g. s/p; 1 pair of duplicate recordings across splits or "
        "folds, e.g. s/1 and s/2; all cases are in"
    ) in told.err


def test_a_manifest_of_nothing_fails_and_says_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    run_until_preprocess(tmp_path)
    for shard in ("000", "001"):
        path = tmp_path / "preprocess/s" / f"{shard}.parquet"
        table = pd.read_parquet(path)
        out = [("s", record, "preprocess", "dropped", "flat_leads", "") for record in table["record_id"]]
        pd.DataFrame(out, columns=list(LEDGER_COLUMNS)).to_parquet(path.with_suffix(".ledger.parquet"))
        table.iloc[:0].to_parquet(path)
    assert manifest(tmp_path, "patient") == 1
    shown, error = capsys.readouterr()
    assert f"{tmp_path}/manifest: 24 of 24 dropped: flat_leads 24\n" in shown
    assert "summary.html" not in shown  # the next rule would write it
    assert "warning: no record is in the split" not in shown
    mend = "`preprocess.quality.flat_leads` in the config: limit and action"
    assert f"error: the audit failed: no record is in a split: 24 dropped: flat_leads 24 ({mend});" in error
    audit = json.loads((tmp_path / "manifest/audit.json").read_text())
    assert (audit["passed"], audit["empty"]) == (False, ["train", "valid", "test"])
    assert not (tmp_path / "manifest/records.parquet").exists()


def test_an_index_tells_since_when_it_is_without_people(tmp_path: Path):
    source, index = tmp_path / "s.yaml", tmp_path / "index/s.parquet"
    source.write_text(SOURCE.format(layout="mimic_iv_ecg", root=tmp_path / "db"))
    assert main(["synthesize", "--config", str(source), "--output", str(tmp_path / "db")]) == 0
    assert main(["index", "--config", str(source), "--output", str(index)]) == 0
    assert excluded_since(index) is None
    (tmp_path / "out.csv").write_text(pd.read_parquet(index)["patient_id"].iloc[0])
    source.write_text(source.read_text().replace("{kind", f"{{exclude_patients: {tmp_path / 'out.csv'}, kind"))
    assert main(["index", "--config", str(source), "--output", str(index)]) == 0
    assert excluded_since(index) == index.stat().st_mtime
    assert pd.read_parquet(index)["patient_id"].nunique() == 11


def test_warnings_of_an_index_reach_the_console_and_the_file(
    tmp_path: Path, real_data: Path, capsys: pytest.CaptureFixture[str]
):
    for ending in (".hea", ".dat"):
        shutil.copy(real_data / f"ptb-xl/records500/00000/00001_hr{ending}", tmp_path)
    (tmp_path / "00002_hr.dat").write_bytes(b"")
    (tmp_path / "s.yaml").write_text(f"source: s\nconfig: {{kind: wfdb_folder, root: {tmp_path}}}\n")
    assert main(["index", "--config", str(tmp_path / "s.yaml"), "--output", str(tmp_path / "i.parquet")]) == 0
    shown = capsys.readouterr().out.splitlines()
    lines = [line for line in shown if ": warning: " in line]
    assert lines[0].endswith("1 signal file has no header of its name, the first: 00002_hr")
    assert "patients unknown: no record of 1 states one" in lines[1]
    assert shown[-1] == f"{tmp_path / 'i.parquet'}: 1 record, patients unknown"
    kept = json.loads(pq.read_metadata(tmp_path / "i.parquet").metadata[b"warnings"])
    assert lines == [f"{tmp_path / 'i.parquet'}: warning: {text}" for text in kept]


def test_a_root_that_is_not_there_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "s.yaml").write_text(SOURCE.format(layout="ptbxl", root=tmp_path / "gone"))
    assert main(["index", "--config", str(tmp_path / "s.yaml"), "--output", str(tmp_path / "i.parquet")]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "root" in line
    assert "config/sources/s.yaml" in line
    assert not (tmp_path / "i.parquet").exists()
