"""`benchmark index_tables`: the index of HEEDB's tables, generated at any size; time, processor time, peak memory."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecglfm.config import UserError

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

RECORDS = 11_440_211  # of both institutions, in versions 3 and 4
_I0001 = 10_471_531 / RECORDS
_TOGETHER = 200_000  # rows that are written at once
#: What the two tables have beside what is read of them; mostly words, and half of the cells empty.
_MORE = {
    "I0001": [
        "PatientRace", "EthnicGroupDSC", "MaritalStatusDSC", "ReligionDSC", "LanguageDSC", "VeteranStatusDSC",
        "PrimaryCauseOfDeathDSC", "PrimaryCauseOfDeathUNOS", "FirstContributoryCauseOfDeathDSC",
        "FirstContributoryCauseOfDeathUNOS", "SecondContributoryCauseOfDeathDSC", "SecondContributoryCauseOfDeathUNOS",
        "EducationLevelDSC", "GenderIdentityDSC", "SexAssignedAtBirthDSC", "DateOfDeath", "DateOfDeathMARegistryData",
        "LastKnownVisitDate", "ECGAcquisitionTime", "DateOfBirth", "AgeAtDeath", "AgeAtDeathMA", "AgeAtLastVisit",
    ],
    "I0006": [
        "PatientRace", "ECGAcquisitionTime", "DateOfBirth", "LastKnownVisitDate", "DateOfDeath", "AgeAtLastVisit",
        "AgeAtDeath",
    ],
}  # fmt: skip
#: A small process between us and the stage, because a child's peak starts at its parent's size.
_MEASURE = """
import resource, subprocess, sys, time
started = time.perf_counter()
done = subprocess.run(sys.argv[1:], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(time.perf_counter() - started, used.ru_utime + used.ru_stime, used.ru_maxrss)
sys.exit(done.returncode and done.stdout.decode())
"""
_READ = """
import sys, pyarrow.csv as csv
for path in sys.argv[1:]:
    for _ in csv.open_csv(path, parse_options=csv.ParseOptions(newlines_in_values=True)):
        pass
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--records", type=int, default=RECORDS // 10, help=f"rows of metadata.csv; HEEDB has {RECORDS}")


def run(args: argparse.Namespace) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        tables = write_tables(root, args.records)
        config = root / "heedb.yaml"
        config.write_text(json.dumps({"source": "heedb", "config": {"kind": "heedb", "root": str(root)}}))
        arguments = ["index", "--config", str(config), "--output", str(root / "heedb.parquet")]
        wall, processor, peak = _measured([sys.executable, "-m", "ecglfm", *arguments])
        alone, parsing, _ = _measured([sys.executable, "-c", _READ, *map(str, tables)])
        size = sum(table.stat().st_size for table in tables)
    print(
        f"index of {args.records} records, {size / 1e9:.2f} GB of tables: {wall:.1f} s ({args.records / wall:.0f}"
        f" records/s), {processor:.1f} s of processor time, peak memory {peak / 1e6:.0f} MB; pyarrow reading the tables"
        f" alone: {alone:.1f} s, {parsing:.1f} s of processor time; ratio {processor / parsing:.1f}"
    )


def _measured(command: list[str]) -> tuple[float, float, float]:
    """Wall time (s), processor time (s) and peak memory (bytes) of a command."""
    done = subprocess.run([sys.executable, "-c", _MEASURE, *command], capture_output=True, text=True)
    if done.returncode:
        raise UserError(f"`{' '.join(command[:3])} …` failed: {done.stderr.strip()[-2000:]}")
    wall, processor, peak = map(float, done.stdout.split())
    return wall, processor, peak * 1024


def write_tables(root: Path, records: int) -> list[Path]:
    """HEEDB's tables, in another order than that of the names: 5.8 recordings a patient, 1.3 % without statements."""
    import numpy as np

    first = round(records * _I0001)
    paths = []
    for place, count, start in (("I0001", first, 0), ("I0006", records - first, first)):
        (root / place / "metadata").mkdir(parents=True)
        (root / place / "12SL_diagnoses").mkdir()
        order = np.random.default_rng(0).permutation(count) + start
        names = ("metadata/metadata", "12SL_diagnoses/diagnoses_acquisition", "12SL_diagnoses/diagnoses_v24")
        places = [root / place / f"{name}.csv" for name in names]
        paths += places
        for path, content in zip(places, (_metadata, _acquisition, _v24), strict=True):
            pieces = (content(place, order[at : at + _TOGETHER]) for at in range(0, max(1, count), _TOGETHER))
            _write(path, pieces)
    return paths


def _write(path: Path, pieces: Iterator[Mapping[str, Any]]) -> None:
    """A CSV of text columns."""
    import pyarrow as pa
    from pyarrow import csv

    writer = None
    for piece in pieces:
        table = pa.table(dict(piece))
        writer = writer or csv.CSVWriter(path, table.schema, write_options=csv.WriteOptions(quoting_style="needed"))
        writer.write_table(table)
    assert writer is not None
    writer.close()


def _names(place: str, rows: np.ndarray) -> pa.Array:
    """Names of recordings below `WFDB/`."""
    parts: list[str | np.ndarray]
    if place == "I0001":
        parts = ["S000", 1 + rows % 4, "/", 1987 + rows % 35, "/", 1 + rows % 12, "/de_", 111_000_000 + rows * 10 // 58]
        parts += ["_19900713093800_", 10_000_000 + rows]
    else:
        parts = [2010 + rows % 9, "/MUSE_20191206_094318_", 10_000_000 + rows]
    return _text(*parts)


def _text(*parts: str | np.ndarray) -> pa.Array:
    """Texts and whole numbers, joined row by row."""
    import pyarrow as pa
    import pyarrow.compute as pc

    return pc.binary_join_element_wise(
        *(part if isinstance(part, str) else pa.array(part).cast(pa.string()) for part in parts), ""
    )


def _metadata(place: str, rows: np.ndarray) -> dict[str, pa.Array]:
    import numpy as np
    import pyarrow as pa

    words = pa.array([f"WORD OF TABLE {number}" for number in range(100)])
    names, before = _names(place, rows), "/" if place == "I0001" else "WFDB/"
    more = {}
    for number, column in enumerate(_MORE[place]):
        empty = (rows * (number + 3)) % 7 < 3
        more[column] = words.take(pa.array((rows + number) % 100, mask=empty))
    return {
        "BDSPPatientID": _text(111_000_000 + rows * 10 // 58, "" if place == "I0001" else ".0"),
        "FileName": _joined(before, names),
        "SexDSC" if place == "I0001" else "Sex": pa.array(np.where(rows % 2, "Female", "Male")),
        "AgeAtAcquisition": _text(7000 + rows % 25_000, ".0"),
    } | more


def _joined(before: str, names: pa.Array, after: str = "") -> pa.Array:
    import pyarrow.compute as pc

    return pc.binary_join_element_wise(before, names, after, "")


def _codes(rows: np.ndarray) -> pa.Array:
    return _text("22, ", 161 + rows % 40, ", 410, ", 1100 + rows % 90, ", 1699")


def _acquisition(place: str, rows: np.ndarray) -> dict[str, pa.Array]:
    names = _joined("/" if place == "I0001" else "WFDB/", _names(place, rows))
    return {
        "FileName": names, "codes_software": _codes(rows), "codes_physician": _codes(rows + 1),
        "jaccard_index": _text("0.", 1 + rows % 9),
    }  # fmt: skip


def _v24(place: str, rows: np.ndarray) -> dict[str, pa.Array]:
    rows = rows[rows % 77 > 0]
    names = _names(place, rows)
    return {
        "FileName": _joined("./", names, ".hea\n") if place == "I0001" else _joined("WFDB/", names),
        "codes": _codes(rows),
    }
