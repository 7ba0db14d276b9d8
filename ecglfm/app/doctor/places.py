"""Places that the pipeline reads and writes: the results folder, the databases, MLflow."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from ecglfm.app.doctor.finding import Finding, fail, ok, warn
from ecglfm.config import Project, SourceConfig, TrackingSlice
from ecglfm.tracking.store import Store, without_password

LEAST_GB, FEW_GB = 1, 20  # the demo takes 0.2 GB; PTB-XL with its preprocessed signals 20 GB
TRIAL_BYTES = 64_000_000
SLOW_MB_PER_SECOND = 50  # a shard of 100 MB and a checkpoint of 1 GB shall not take minutes


def check_disk(results: Path) -> Iterator[Finding]:
    """Room at the results folder, and how fast it is written."""
    there = next(path for path in (results, *results.absolute().parents) if path.is_dir())
    free = shutil.disk_usage(there).free / 1e9
    try:
        speed = write_speed(there) if free >= LEAST_GB else 0.0
    except OSError as error:
        yield fail(f"disk: {results} cannot be written ({error.strerror}): set `results` to a folder of yours")
        return
    if free < LEAST_GB:
        yield fail(f"disk: {free:.1f} GB free at {results}: make room, or set `results` to another disk")
    elif free < FEW_GB:
        yield warn(f"disk: {free:.1f} GB free at {results}: enough for the demo; PTB-XL takes {FEW_GB} GB")
    else:
        yield ok(f"disk: {free:.0f} GB free at {results}")
    if speed >= SLOW_MB_PER_SECOND:
        yield ok(f"disk: {results} is written at {speed:.0f} MB/s")
    elif free >= LEAST_GB:
        yield warn(f"disk: {results} is written at {speed:.0f} MB/s only: set `results` to a faster disk")


def write_speed(folder: Path) -> float:
    """MB/s at which a file gets onto the disk under `folder`; raises OSError where it does not."""
    path, block = folder / f".doctor.{os.getpid()}.tmp", bytes(TRIAL_BYTES // 16)
    began = time.perf_counter()
    try:
        with path.open("wb") as file:
            for _ in range(16):
                file.write(block)
            file.flush()
            os.fsync(file.fileno())
        return TRIAL_BYTES / 1e6 / (time.perf_counter() - began)
    finally:
        path.unlink(missing_ok=True)


def check_sources(project: Project) -> Iterator[Finding]:
    """The folder of each database of the config, and its tables."""
    for name, source in project.sources.items():
        yield _check_source(f"source {name}", source)


def _check_source(what: str, source: SourceConfig) -> Finding:
    if source.kind == "synthetic":
        return ok(f"{what}: synthetic, the workflow writes it")
    root = Path(source.root or "")
    if not root.is_dir():
        fetch = "`snakemake download` fetches it; or " if source.download_url else ""
        return fail(f"{what}: there is no folder {root}: {fetch}give its place with `root` or `roots` of the config")
    if not os.access(root, os.R_OK | os.X_OK):
        return fail(f"{what}: {root} cannot be read: ask its owner for the right to")
    for table in source.tables:
        if not os.access(root / table, os.R_OK):
            return fail(f"{what}: {root} has no readable {table}: is it the folder that holds that file?")
    return ok(f"{what}: {root}")


def check_mlflow(tracking: TrackingSlice) -> Iterator[Finding]:
    """Whether the tracking store answers; an SQLite file is not made here."""
    uri = without_password(tracking.uri)
    if not tracking.enabled:
        yield ok("MLflow: off (`tracking.enabled`)")
        return
    path = Path(tracking.uri.removeprefix("sqlite:///").split("?")[0])
    if tracking.uri.startswith("sqlite:///") and not path.exists():
        yield ok(f"MLflow: {uri}, which the first run makes")
        return
    try:
        Store(tracking).ping()
    except Exception as error:  # whatever MLflow, its database driver or its server come up with
        reason = next(iter(str(error).strip().splitlines()), "")[:300]
        yield fail(
            without_password(
                f"MLflow: {uri} does not answer: {type(error).__name__}: {reason}; look at `tracking.uri` and its "
                "server. Trainings go on without it, and `tracking sync` makes up for it"
            )
        )
    else:
        yield ok(f"MLflow: {uri}")
