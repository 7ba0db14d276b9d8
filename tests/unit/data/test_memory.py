"""The memory of manifest, audit and label sets does not grow with the database."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from ecglfm.data.signals.preprocessing import OUTPUT_DTYPES, QUALITY
from ecglfm.provenance import write_parquet
from ecglfm.records import ledger_frame

#: Prints the most memory (kB) that the process had at once. Sorts as little in memory as a larger database would need.
STAGES = """
import re, sys
from functools import partial
from pathlib import Path
from ecglfm.config import ManifestConfig, ManifestSlice, TaskConfig, TaskSlice
from ecglfm.data.manifest.audit import audit
from ecglfm.data.labels.labels import run_labels
from ecglfm.data.manifest.ledger import SortedLedger
from ecglfm.data.manifest.manifest import build_manifest
from ecglfm.data.tables import table_pieces
from ecglfm.sources.tables import reorder

reorder._RUN = 1 << 20
root, ledger = Path(sys.argv[1]), SortedLedger()
build_manifest(ManifestSlice(sources=["a"], manifest=ManifestConfig()), root, root / "records.parquet", ledger)
assert audit(partial(table_pieces, root / "records.parquet"), [])["passed"]
ledger.write(root / "ledger.parquet")
config = TaskConfig.model_validate({"kind": "multilabel", "labels": {"SR": {"mimic_iv_ecg": {"report": ["sinus"]}}}})
task = TaskSlice(task="t", kinds={"a": "mimic_iv_ecg"}, config=config)
run_labels(task, root / "records.parquet", [root / "index/a.parquet"], root / "t.parquet")
print(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
"""
SHARD = 10_000


def write_tables(root: Path, n_shards: int) -> None:
    """An index in another order than that of the ids, and what ingest and preprocess say of its records."""
    ids = pd.Series(np.random.default_rng(0).permutation(n_shards * SHARD))
    names, blank = (
        "a/" + ids.astype(str),
        {"path": "", "age": 50.0, "sex": "female", "fold": 1, "report": "sinus rhythm"},
    )
    index = pd.DataFrame({"record_id": names, "source": "a", "patient_id": "a/" + (ids // 3).astype(str)} | blank)
    for folder in ("index", "ingest/a", "preprocess/a"):
        (root / folder).mkdir(parents=True)
    index.assign(codes=[[]] * len(index)).to_parquet(root / "index/a.parquet", index=False, row_group_size=SHARD)
    types = {name: "float64" if name in QUALITY else kind for name, kind in OUTPUT_DTYPES.items()}
    for shard in range(n_shards):
        rows = index.iloc[shard * SHARD : (shard + 1) * SHARD]
        rows = rows.assign(shard=shard, offset=0, n_samples=5000, sampling_rate=500, lead_mask=4095, flags="")
        rows = rows.assign(sha256=[f"{number:064x}" for number in ids[rows.index]], **dict.fromkeys(QUALITY, 0.0))
        write_parquet(root / f"preprocess/a/{shard:03d}.parquet", rows[list(OUTPUT_DTYPES)].astype(types))
        for stage in ("ingest", "preprocess"):
            write_parquet(root / f"{stage}/a/{shard:03d}.ledger.parquet", ledger_frame([]))


def peak(root: Path, n_shards: int) -> float:
    """Peak memory, MB."""
    write_tables(root, n_shards)
    done = subprocess.run([sys.executable, "-c", STAGES, str(root)], capture_output=True, text=True, check=True)
    assert pq.read_metadata(root / "t.parquet").num_rows == n_shards * SHARD
    return int(done.stdout) / 1e3


@pytest.mark.slow
def test_eight_times_the_records_need_no_more_memory(tmp_path: Path):
    small, large = peak(tmp_path / "1", 2), peak(tmp_path / "8", 16)
    assert large - small < 40  # MB; 8 when it was written, 117 when all was sorted in memory
