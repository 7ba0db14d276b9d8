"""Write a synthetic database, files and tables, in the layout of PTB-XL or of MIMIC-IV-ECG.

It goes through the same adapters as the genuine one. Every recording is a function of (layout, seed,
patient, recording) alone, so the number of workers and of patients changes nothing in it.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from ecglfm.config import LEADS, SourceConfig, SourceSlice, UserError
from ecglfm.provenance import atomic
from ecglfm.sources.parallel import ordered_map
from ecglfm.sources.synthesis import tables
from ecglfm.sources.synthesis.heart import RATE, quantize, record_leads
from ecglfm.sources.synthesis.patient import Population, condition_of, generator
from ecglfm.sources.synthesis.visit import draw_visit
from ecglfm.sources.wfdb_reader import write_record

LAYOUTS = ("ptbxl", "mimic_iv_ecg")
FOLDS = 10
_PATIENTS_PER_TASK = 16
_PTBXL_LEADS = tuple(lead.upper() for lead in LEADS)
_MIMIC_LEADS = ("I", "II", "III", "aVR", "aVF", "aVL", "V1", "V2", "V3", "V4", "V5", "V6")
_MIMIC_ORDER = [LEADS.index(lead) for lead in _MIMIC_LEADS]
_PTBXL_GAIN, _MIMIC_GAIN = 1000.0, 200.0
_MAINS = {"ptbxl": 50.0, "mimic_iv_ecg": 60.0}  # Hz, in Germany and in the United States
_MAX_IDS = 10_000_000  # eight-digit ids in the MIMIC-IV-ECG layout


@dataclass(frozen=True)
class _Task:
    """Some patients, with their folds."""

    config: SourceConfig
    output: Path
    patients: tuple[int, ...]
    folds: tuple[int, ...]


Rows = dict[str, list[tuple[Any, ...]]]


def run_synthesize(slice: SourceSlice, output: Path, workers: int = 1) -> None:  # noqa: A002
    """Write the database of a `synthetic` source.

    The tables are written last and an older database's tables are removed first, so a folder with tables
    is complete.

    Parameters
    ----------
    slice : SourceSlice
    output : path
        Root of the database.
    workers : int
        Processes.

    Raises
    ------
    UserError
        The source is not synthetic, or is larger than its layout's ids allow.
    """
    config = slice.config
    if config.kind != "synthetic":
        raise UserError(f"source {slice.source}: kind is {config.kind!r}; only `synthetic` sources are written")
    if config.n_patients * config.records_per_patient > _MAX_IDS:
        raise UserError(f"source {slice.source}: patients x records_per_patient is above {_MAX_IDS}")
    columns = _columns(config)
    for name in columns:
        (output / name).unlink(missing_ok=True)
    with ExitStack() as stack:
        writers = {}
        for name, header in columns.items():
            file = stack.enter_context(
                (stack.enter_context(atomic(output / name))).open("w", newline="", encoding="utf-8")
            )
            writers[name] = csv.writer(file, lineterminator="\n")
            writers[name].writerow(header)
        if config.layout == "ptbxl":
            writers["scp_statements.csv"].writerows(tables.statement_rows())
        done = ordered_map(_write_patients, _tasks(config, output), workers)
        total = config.n_patients * config.records_per_patient
        with tqdm(total=total, desc=f"synthesize {slice.source}", unit="record", disable=None) as bar:
            for rows in done:
                for name, lines in rows.items():
                    writers[name].writerows(lines)
                bar.update(len(next(iter(rows.values()))))


def _columns(config: SourceConfig) -> dict[str, tuple[str, ...]]:
    if config.layout == "ptbxl":
        return {"ptbxl_database.csv": tables.PTBXL_COLUMNS, "scp_statements.csv": tables.STATEMENT_COLUMNS}
    return {"record_list.csv": tables.RECORD_LIST_COLUMNS, "machine_measurements.csv": tables.MEASUREMENT_COLUMNS}


def population(config: SourceConfig) -> Population:
    """Key of the patients of a config: two layouts with one seed are different people."""
    return LAYOUTS.index(config.layout), config.seed


def _tasks(config: SourceConfig, output: Path) -> Iterable[_Task]:
    """Patients in order, their folds dealt out in turn within each condition (stratified, as PTB-XL's)."""
    seen: Counter[tuple[str, bool]] = Counter()
    for start in range(0, config.n_patients, _PATIENTS_PER_TASK):
        patients = tuple(range(start, min(start + _PATIENTS_PER_TASK, config.n_patients)))
        folds = []
        for patient in patients:
            group = condition_of(population(config), patient)
            offset = sum(map(ord, group[0])) + 3 * group[1]  # small groups do not all start with fold 1
            folds.append((seen[group] + offset) % FOLDS + 1)
            seen[group] += 1
        yield _Task(config, output, patients, tuple(folds))


def _write_patients(task: _Task) -> Rows:
    """Write every recording of some patients; returns their table rows, in order."""
    rows: Rows = {}
    with threadpool_limits(1):  # the matrices are small, and threads of several workers only wait for each other
        for number, fold in zip(task.patients, task.folds, strict=True):
            for record in range(task.config.records_per_patient):
                for name, row in _write_recording(task, number, record, fold).items():
                    rows.setdefault(name, []).append(row)
    return rows


def _write_recording(task: _Task, number: int, record: int, fold: int) -> dict[str, tuple[Any, ...]]:
    config = task.config
    key = (*population(config), number, record)
    visit = draw_visit(population(config), number, record, difficulty=config.difficulty)
    mains = _MAINS[config.layout]
    leads, times = record_leads(visit.heart, generator(*key), mains=mains, setting=visit.setting)
    chance = generator(*key, 0)  # of the tables: nothing that the heart or the noise has drawn from
    ordinal = number * config.records_per_patient + record
    if config.layout == "ptbxl":
        made = tables.recorded_at(visit, chance, first_year=1985)
        _write_ptbxl(config, task.output, ordinal + 1, leads)
        body = generator(*population(config), number, 0, 7)  # of the patient, whichever recording
        return {"ptbxl_database.csv": tables.ptbxl_row(visit, ordinal + 1, made, fold, chance, body)}
    made = tables.recorded_at(visit, chance, first_year=2110)
    subject, study, place = tables.mimic_ids(number, ordinal)
    folder = task.output / place
    folder.mkdir(parents=True, exist_ok=True)
    write_record(
        folder, str(study), quantize(leads, _MIMIC_GAIN)[:, _MIMIC_ORDER], leads=_MIMIC_LEADS, gain=_MIMIC_GAIN,
        sampling_rate=RATE, start=f"{made:%H:%M:%S %d/%m/%Y}", comments=[f"<subject_id>: {subject}"],
    )  # fmt: skip
    rows = tables.mimic_rows(visit, ordinal, made, float(np.diff(times).mean()), chance)
    return dict(zip(("record_list.csv", "machine_measurements.csv"), rows, strict=True))


def _write_ptbxl(config: SourceConfig, output: Path, ecg_id: int, leads: np.ndarray) -> None:
    place, name = tables.ptbxl_place(ecg_id)
    folder = output / "records500" / place
    folder.mkdir(parents=True, exist_ok=True)
    digital = quantize(leads, _PTBXL_GAIN)
    write_record(folder, f"{name}_hr", digital, leads=_PTBXL_LEADS, gain=_PTBXL_GAIN, sampling_rate=RATE)
    if config.rate == 100:
        from scipy.signal import resample_poly

        folder = output / "records100" / place
        folder.mkdir(parents=True, exist_ok=True)
        digital = quantize(resample_poly(leads, 1, RATE // 100, axis=1), _PTBXL_GAIN)
        write_record(folder, f"{name}_lr", digital, leads=_PTBXL_LEADS, gain=_PTBXL_GAIN, sampling_rate=100)
