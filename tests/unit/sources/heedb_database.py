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


def write_heedb(root: Path, number: int, *, seconds: float = 10) -> list[Written]:
    """Write `number` recordings, two thirds of them I0001's, two of a patient, years 1990 to 2019 by patient's turn.

    Statements: 161 (every third), else 22; of every fifth none, and every seventh has no row. A tenth of Emory's
    patients are not stated. The last recording of Emory's is `BAD`, whose header is cut off.
    """
    written = []
    tables: dict[str, dict[str, list[list[object]]]] = {
        place: {"metadata": [], "acquisition": [], "v24": []} for place in ("I0001", "I0006")
    }
    random = np.random.default_rng(0)
    for row in range(number):
        harvard, patient, year = row < number * 2 // 3, row // 2, 1990 + row % 30
        place = "I0001" if harvard else "I0006"
        name = f"S000{1 + row % 4}/{year}/{1 + row % 12:02d}/de_{111000000 + patient}_20010203_{row}"
        name = name if harvard else f"{year}/MUSE_20191206_094318_{row:05d}"
        name = name if row < number - 1 else BAD
        shown = ("/" if harvard else "WFDB/") + name
        stated = None if row % 7 == 0 else [] if row % 5 == 0 else [161, 1699] if row % 3 == 0 else [22, 1699]
        id_ = "" if not harvard and patient % 10 == 0 else f"{111000000 + patient}" + ("" if harvard else ".0")
        sex = "Female" if patient % 2 else "Male"
        days = 20000.0 + patient
        tables[place]["metadata"].append(
            [id_, shown, name.rpartition("/")[2], "Other", sex, "2001-02-03 04:05:06", days]
        )
        if stated is not None:
            codes = ", ".join(map(str, stated))
            tables[place]["acquisition"].append([shown, codes, codes, 1.0])
            tables[place]["v24"].append([f"./{name}.hea\n" if harvard else shown, codes])
        rate = 250 if row % 4 == 0 else 500
        noise = np.cumsum(random.normal(0, 40, (round(seconds * rate), 12)), axis=0)
        digital = np.rint(noise - noise.mean(axis=0)).clip(-2500, 2500).astype(np.int16)
        folder = root / place / "WFDB" / name.rpartition("/")[0]
        (write_mat if harvard else write_dat)(folder, name.rpartition("/")[2], digital, rate)
        whose = f"heedb/{place}/{111000000 + patient}" if id_ else None
        written.append(Written(f"heedb/{place}/{name}", whose, 2013 if name == BAD else year, stated))
    (root / "I0006/WFDB" / f"{BAD}.hea").write_text("MUSE_20200225_081000_06000 12 50")
    for place, sex in (("I0001", "SexDSC"), ("I0006", "Sex")):
        of, folder = tables[place], root / place / "12SL_diagnoses"
        header = ["BDSPPatientID", "FileName", "FileID", "PatientRace", sex, "ECGAcquisitionTime", "AgeAtAcquisition"]
        write_table(root / place / "metadata/metadata.csv", header, of["metadata"])
        acquisition = ["FileName", "codes_software", "codes_physician", "jaccard_index"]
        write_table(folder / "diagnoses_acquisition.csv", acquisition, of["acquisition"])
        write_table(folder / "diagnoses_v24.csv", ["FileName", "codes"], of["v24"])
    return written
