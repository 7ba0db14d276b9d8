"""`benchmark memory`: peak memory of every data stage at N and 8 N records, on generated tables and tiny signals."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ecglfm.config import UserError

_TIMES = 8
_FILES = 64  # recordings on disk, of a second each; also those of the one shard that is ingested and preprocessed
#: A small process between us and the stage, because a child's peak starts at its parent's size.
_MEASURE = """
import resource, subprocess, sys
done = subprocess.run(sys.argv[1:], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(done.returncode and done.stdout.decode())
"""
#: `ecglfm` without the search for duplicates, which reads every signal; `benchmark audit` is about that.
_WITHOUT_SEARCH = """
import sys
import ecglfm.data.manifest.manifest as manifest
from ecglfm.cli import main
manifest.duplicate_pairs = lambda *args, **more: []
manifest.check_shards = lambda *args: None
sys.exit(main(sys.argv[1:]))
"""
_LABELS = {"AFIB": {"mimic_iv_ecg": {"report": ["fibrillation"]}}, "SR": {"mimic_iv_ecg": {"report": ["sinus"]}}}
_TASK = {
    "task": "t",
    "kinds": {"m": "mimic_iv_ecg"},
    "config": {"kind": "multilabel", "sources": ["m"], "labels": _LABELS},
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--records", type=int, default=12_500, help=f"N; the other size is {_TIMES} times as large")


def run(args: argparse.Namespace) -> None:
    """Measure and print."""
    sizes = (args.records, args.records * _TIMES)
    peaks: dict[str, list[int]] = {}
    for records in sizes:
        with tempfile.TemporaryDirectory() as folder:
            for stage, arguments in _stages(Path(folder), records):
                peaks.setdefault(stage, []).append(_peak(arguments))
    for stage, (small, large) in peaks.items():
        growth = (large - small) / (sizes[1] - sizes[0])
        print(
            f"{stage}: {small / 1e6:.0f} MB with {sizes[0]} records, {large / 1e6:.0f} MB with {sizes[1]}: "
            f"{growth:.0f} bytes a record"
        )


def _peak(arguments: list[str]) -> int:
    """Peak resident memory (bytes) of one command of `ecglfm`."""
    done = subprocess.run(
        [sys.executable, "-c", _MEASURE, sys.executable, "-c", _WITHOUT_SEARCH, *arguments],
        capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        raise UserError(f"`ecglfm {' '.join(arguments)}` failed: {done.stderr.strip()[-2000:]}")
    return int(done.stdout) * 1024


def _stages(root: Path, records: int) -> Iterator[tuple[str, list[str]]]:
    """Yield each stage with its arguments, when what it reads is there: those before it are run in between."""

    def config(name: str, content: object) -> list[str]:
        path = root / f"{name}.yaml"
        path.write_text(json.dumps(content), encoding="utf-8")  # JSON is YAML
        return ["--config", str(path)]

    def source(name: str, kind: str) -> list[str]:
        return config(name, {"source": name, "config": {"kind": kind, "root": str(root / name)}})

    _write_mimic(root / "m", records)
    _write_ptbxl(root / "p", records)
    index, ready = str(root / "index/m.parquet"), str(root / "one/preprocess/m/000.npy")
    raw, labels = str(root / "one/ingest/m/000.npy"), str(root / "labels/t.parquet")
    yield "index of ptbxl", ["index", *source("p", "ptbxl"), "--output", str(root / "p.parquet")]
    yield "index of mimic_iv_ecg", ["index", *source("m", "mimic_iv_ecg"), "--output", index]
    shards = ["--shard", "0", "--shards", str(max(1, records // _FILES))]
    yield "ingest, one shard", ["ingest", *source("m", "mimic_iv_ecg"), "--index", index, *shards, "--output", raw]
    yield "preprocess, one shard", ["preprocess", *config("preprocess", {}), "--input", raw, "--output", ready]
    _write_prepared(root, index)
    manifest = str(root / "manifest")
    slices = config("manifest", {"sources": ["m"], "manifest": {}})
    yield "manifest and audit", ["manifest", *slices, "--results", str(root), "--output", manifest]
    task = config("task", _TASK)
    yield "labels", ["labels", *task, "--manifest", f"{manifest}/records.parquet", "--index", index, "--output", labels]
    yield "summary", ["summary", "--results", str(root), "--output", f"{manifest}/summary.html"]


def _write_mimic(root: Path, records: int) -> None:
    """MIMIC-IV-ECG's tables, three records to a patient, in another order than that of the ids, and a few files."""
    import numpy as np

    from ecglfm.config import LEADS
    from ecglfm.sources.wfdb_reader import write_record

    root.mkdir()
    (root / "files").mkdir()
    samples = np.random.default_rng(0).normal(0, 300, (500, 12)).astype(np.int16)
    for number in range(_FILES):
        write_record(root / "files", str(number), samples, leads=LEADS, gain=1000.0, sampling_rate=500)
    studies = 40_000_000 + np.random.default_rng(0).permutation(records)
    more = ",".join(f"report_{number}" for number in range(1, 18))
    with (
        (root / "record_list.csv").open("w") as listed,
        (root / "machine_measurements.csv").open("w") as measured,
    ):
        listed.write("subject_id,study_id,file_name,ecg_time,path\n")
        measured.write(f"subject_id,study_id,cart_id,ecg_time,report_0,{more},rr_interval,qrs_onset,qrs_end\n")
        for row, study in enumerate(studies.tolist()):
            patient, rhythm = 10_000_000 + row // 3, "Atrial fibrillation" if row % 20 == 0 else "Sinus rhythm"
            start = f"{patient},{study},"
            listed.write(f"{start}{study},2180-07-23 08:44:00,files/{row % _FILES}\n")
            lines = f"{rhythm},Possible left anterior fascicular block,Borderline ECG{',' * 16}"
            measured.write(f"{start}6848296,2180-07-23 08:44:00,{lines}{600 + row % 400},170,258\n")


def _write_ptbxl(root: Path, records: int) -> None:
    """PTB-XL's tables."""
    root.mkdir()
    (root / "scp_statements.csv").write_text(",diagnostic,diagnostic_class\nNORM,1.0,NORM\nSR,,\n", encoding="utf-8")
    with (root / "ptbxl_database.csv").open("w") as file:
        file.write(
            "ecg_id,patient_id,age,sex,report,scp_codes,strat_fold,filename_lr,filename_hr,device,recording_date\n"
        )
        for row in range(1, records + 1):
            codes, text = "\"{'NORM': 100.0, 'SR': 0.0}\"", "sinusrhythmus normales ekg ohne auffaelligen befund"
            where = f"{row // 1000:05d}/{row:05d}"
            file.write(f"{row},{row // 2}.0,{row % 90}.0,{row % 2},{text},{codes},{row % 10 + 1},")
            file.write(f"records100/{where}_lr,records500/{where}_hr,AT-6 C,1984-11-09 09:17:34\n")


def _write_prepared(root: Path, index: str) -> None:
    """What preprocess would have made of the whole index, in shards, but for the signals."""
    import pandas as pd
    import pyarrow.parquet as pq

    from ecglfm.data.signals import OUTPUT_DTYPES, QUALITY
    from ecglfm.provenance import write_parquet
    from ecglfm.records import ledger_frame
    from ecglfm.sources.tables import ROWS_TOGETHER

    values = {"n_samples": 5000, "sampling_rate": 500, "lead_mask": 4095, "flags": ""} | dict.fromkeys(QUALITY, 0.0)
    batches = pq.ParquetFile(index).iter_batches(ROWS_TOGETHER, columns=["record_id", "source", "patient_id"])
    for shard, batch in enumerate(batches):
        rows = batch.to_pandas().assign(shard=shard, **values)
        rows["offset"] = pd.RangeIndex(len(rows)) * 5000
        rows["sha256"] = [f"{shard * ROWS_TOGETHER + row:064x}" for row in range(len(rows))]
        types = {name: "float64" if name in QUALITY else kind for name, kind in OUTPUT_DTYPES.items()}
        write_parquet(root / f"preprocess/m/{shard:03d}.parquet", rows[list(OUTPUT_DTYPES)].astype(types))
        for stage in ("ingest", "preprocess"):
            write_parquet(root / f"{stage}/m/{shard:03d}.ledger.parquet", ledger_frame([]))
