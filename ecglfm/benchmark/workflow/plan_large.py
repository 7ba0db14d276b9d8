"""`benchmark plan_large`: a dry run with eight sources and 11.6 million index rows, time and peak memory."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ecglfm.benchmark.timing import report
from ecglfm.config import UserError

#: Source: its kind and its number of records; together 11.6 million.
_SOURCES = {
    "ptbxl": ("ptbxl", 21_799),
    "mimic": ("mimic_iv_ecg", 800_035),
    "code15": ("code15", 345_779),
    "challenge": ("challenge2021", 88_253),
    "ludb": ("ludb", 200),
    "hospital-a": ("muse_xml", 6_000_000),
    "hospital-b": ("wfdb_folder", 3_000_000),
    "hospital-c": ("wfdb_folder", 1_343_934),
}
_TASKS = [f"task{number}" for number in range(6)]
_ENCODER = "random-tiny"
#: A small process between us and Snakemake, because a child's peak starts at its parent's size.
_MEASURE = """
import resource, subprocess, sys
done = subprocess.run(sys.argv[1:], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(done.returncode and done.stdout.decode())
"""
_TASK = "kind: binary\nlabels: {AFIB: {ptbxl: {scp: [AFIB]}}}\n"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--shards", type=int, nargs="+", default=[132, 1000], help="shards of all sources together")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the 11.6 million records")
    parser.add_argument("--runs", type=int, default=3, help="runs of each, in turn")


def run(args: argparse.Namespace) -> None:
    """Measure and print."""
    rows = {name: max(1, round(records * args.scale)) for name, (_, records) in _SOURCES.items()}
    for shards in args.shards:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            total = _write_project(root, rows, shards)
            plans = [_snakemake(root, "-n") for _ in range(args.runs)]
            alone = [_snakemake(root, "--version") for _ in range(args.runs)]
        name = f"snakemake -n, {len(rows)} sources, {sum(rows.values())} rows, {total} shards, 36 fits"
        report(name, [seconds for seconds, _ in plans], "snakemake --version", [seconds for seconds, _ in alone])
        print(f"peak memory: {max(peak for _, peak in plans)} MB; snakemake --version: {alone[0][1]} MB")


def _snakemake(root: Path, argument: str) -> tuple[float, int]:
    """Wall time (s) and peak resident memory (MB) of one `snakemake ARGUMENT` in `root`."""
    command = [sys.executable, "-c", _MEASURE, sys.executable, "-m", "snakemake", argument]
    started = time.perf_counter()
    done = subprocess.run(command, cwd=root, capture_output=True, text=True)
    seconds = time.perf_counter() - started
    if done.returncode:
        raise UserError(f"`snakemake {argument}` failed: {done.stderr.strip()[-2000:]}")
    return seconds, int(done.stdout) // 1024


def _write_project(root: Path, rows: dict[str, int], shards: int) -> int:
    """Write a config, the databases' (empty) tables, the config slices and a finished index; return the shards."""
    import yaml

    from ecglfm.config import Project, SourceConfig

    (root / "workflow").symlink_to(Path("workflow").resolve(strict=True))
    content = {
        "sources": list(rows),
        "encoders": [_ENCODER],
        "tasks": _TASKS,
        "finetune": {"modes": ["full", "linear"], "seeds": [0, 1, 2]},
    }
    encoder = f"config/encoders/{_ENCODER}.yaml"
    files = {"config/config.yaml": yaml.safe_dump(content), encoder: Path(encoder).read_text(encoding="utf-8")}
    files |= {f"config/tasks/{task}.yaml": _TASK for task in _TASKS}
    total = 0
    for name, number in rows.items():
        part = max(1, round(shards * number / sum(rows.values())))
        total += part
        source = {"kind": _SOURCES[name][0], "root": f"data/{name}", "shards": part}
        files[f"config/sources/{name}.yaml"] = yaml.safe_dump(source)
        files |= {f"data/{name}/{table}": "" for table in SourceConfig.model_validate(source).tables}
    _write_files(root, files)
    slices = Project(content, root / "config").slices()
    _write_files(root, {f"results/config/{name}.yaml": f"{text}\n" for name, text in slices.items()})
    for name, number in rows.items():  # last, so that the index is newer than what it is made from
        _write_index(root / f"results/index/{name}.parquet", name, number)
    return total


def _write_files(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def _write_index(path: Path, source: str, rows: int) -> None:
    """An index of `rows` records, three to a patient, a million rows at a time."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    path.parent.mkdir(parents=True, exist_ok=True)
    writer = None
    for first in range(0, rows, 1_000_000):
        number = pa.array(range(first, min(first + 100_000, rows)), pa.int64())
        text, patient = pc.cast(number, pa.string()), pc.cast(pc.divide(number, 3), pa.string())
        table = pa.table(
            {
                "record_id": pc.binary_join_element_wise(source, text, "/"),
                "source": pa.repeat(source, len(number)),
                "patient_id": pc.binary_join_element_wise(source, patient, "/"),
                "path": pc.binary_join_element_wise("files", patient, text, "/"),
                "age": pc.cast(pc.divide(number, rows / 90), pa.float64()),
                "report": pa.repeat("Sinus rhythm", len(number)),
            }
        )
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table)
    assert writer is not None
    writer.close()
