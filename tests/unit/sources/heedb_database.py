"""Writes HEEDB's layout from what is published of it: nobody here has seen the database itself."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ecglfm.sources.wfdb_reader.digital import checksums

LEADS = ("I", "II", "III", "V1", "V2", "V3", "V4", "V5", "V6", "aVF", "aVL", "aVR")
#: The file of Emory's that others leave out as damaged.
BAD = "2013/MUSE_20200225_081000_06000"


class Written(NamedTuple):
    """What is true of a recording that was written: ids as an index has them, 12SL numbers or None for no row."""

    record_id: str
    patient: str | None
    year: int
    statements: list[int] | None


def write_mat(folder: Path, name: str, digital: np.ndarray, rate: int) -> None:
    """A recording of I0001: a Matlab 4 matrix `val` (12, n) of int16, whose 24 bytes of header the .hea jumps over."""
    head = np.array([30, digital.shape[1], digital.shape[0], 0, 4], "<i4").tobytes() + b"val\0"
    _write(folder, name, digital, rate, ".mat", "16+24", head)


def write_dat(folder: Path, name: str, digital: np.ndarray, rate: int) -> None:
    """A recording of I0006."""
    _write(folder, name, digital, rate, ".dat", "16", b"")


def _write(folder: Path, name: str, digital: np.ndarray, rate: int, ending: str, form: str, head: bytes) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    lines = [f"{name} 12 {rate} {len(digital)}"]
    for lead, first, checksum in zip(LEADS, digital[0].tolist(), checksums(digital).tolist(), strict=True):
        lines.append(f"{name}{ending} {form} 1000.0(0)/mV 16 0 {first} {checksum} 0 {lead}")
    (folder / f"{name}.hea").write_text("\n".join(lines) + "\n")
    (folder / f"{name}{ending}").write_bytes(head + digital.astype("<i2").tobytes())


def write_table(path: Path, header: list[str], rows: list[list[object]]) -> None:
    """A CSV, its folder made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])


def _patient(row: int) -> int:
    return 111000000 + row // 2


def facts(number: int) -> list[Written]:
    """What `write_heedb` writes, two thirds of it I0001's, two recordings of a patient, years 1990 to 2019 in turn.

    Statements: 161 (every third), else 22; of every fifth none, and every seventh has no row. A tenth of Emory's
    patients are not stated. The last recording of Emory's is `BAD`.
    """
    written = []
    for row in range(number):
        harvard, year = row < number * 2 // 3, 1990 + row % 30
        place = "I0001" if harvard else "I0006"
        name = f"S000{1 + row % 4}/{year}/{1 + row % 12:02d}/de_{_patient(row)}_20010203_{row}"
        name = name if harvard else f"{year}/MUSE_20191206_094318_{row:05d}"
        name, year = (name, year) if row < number - 1 else (BAD, 2013)
        patient = f"heedb/{place}/{_patient(row)}" if harvard or row // 2 % 10 else None
        stated = None if row % 7 == 0 else [] if row % 5 == 0 else [161, 1699] if row % 3 == 0 else [22, 1699]
        written.append(Written(f"heedb/{place}/{name}", patient, year, stated))
    return written


def write_heedb(root: Path, number: int, *, seconds: float = 10) -> None:
    """Write the tables and files of `facts(number)`; the header of `BAD` is cut off."""
    tables: dict[str, dict[str, list[list[object]]]] = {
        place: {"metadata": [], "acquisition": [], "v24": []} for place in ("I0001", "I0006")
    }
    random = np.random.default_rng(0)
    for row, fact in enumerate(facts(number)):
        _, place, name = fact.record_id.split("/", 2)
        harvard = place == "I0001"
        shown = ("/" if harvard else "WFDB/") + name
        id_ = "" if fact.patient is None else f"{_patient(row)}" + ("" if harvard else ".0")
        about = ["Other", "Female" if row // 2 % 2 else "Male", "2001-02-03 04:05:06", 20000.0 + row // 2]
        tables[place]["metadata"].append([id_, shown, name.rpartition("/")[2], *about])
        if fact.statements is not None:
            codes = ", ".join(map(str, fact.statements))
            tables[place]["acquisition"].append([shown, codes, codes, 1.0])
            tables[place]["v24"].append([f"./{name}.hea\n" if harvard else shown, codes])
        rate = 250 if row % 4 == 0 else 500
        noise = np.cumsum(random.normal(0, 40, (round(seconds * rate), 12)), axis=0)
        digital = np.rint(noise - noise.mean(axis=0)).clip(-2500, 2500).astype(np.int16)
        folder = root / place / "WFDB" / name.rpartition("/")[0]
        (write_mat if harvard else write_dat)(folder, name.rpartition("/")[2], digital, rate)
    (root / "I0006/WFDB" / f"{BAD}.hea").write_text("MUSE_20200225_081000_06000 12 50")
    for place, sex in (("I0001", "SexDSC"), ("I0006", "Sex")):
        of, folder = tables[place], root / place / "12SL_diagnoses"
        header = ["BDSPPatientID", "FileName", "FileID", "PatientRace", sex, "ECGAcquisitionTime", "AgeAtAcquisition"]
        write_table(root / place / "metadata/metadata.csv", header, of["metadata"])
        acquisition = ["FileName", "codes_software", "codes_physician", "jaccard_index"]
        write_table(folder / "diagnoses_acquisition.csv", acquisition, of["acquisition"])
        write_table(folder / "diagnoses_v24.csv", ["FileName", "codes"], of["v24"])
