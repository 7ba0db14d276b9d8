"""A pretraining of seconds: 32 patients, an encoder of two layers of width 16, 12 updates."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pandas as pd

from ecglfm import distributed
from ecglfm.config import EncoderSlice
from ecglfm.training.pretraining.pretrain import run_pretrain
from tests.integration import warm

LEADS = ["I", "II", "V1"]


def encoder_slice(*, weights="pretrain", path=None, **pretrain):
    model = {
        "layers": 2, "dim": 16, "ffn_dim": 32, "heads": 2, "kernel": 3, "conv_channels": 8, "conv_layers": [[4, 4], [2, 2]],
    }  # fmt: skip
    options = {
        "steps": 12, "batch_size": 4, "crop_seconds": 2.0, "lr": 1e-3, "seed": 3, "log_every": 4, "validate_every": 6,
        "checkpoint_every": {"steps": 4}, "mask": {"length": 4}, "objective": {"contrastive": {"negatives": 5}},
        "quantizer": {"codes": 8, "code_dim": 8, "final_dim": 8},
    } | pretrain  # fmt: skip
    return EncoderSlice.model_validate(
        {
            "encoder": "tiny",
            "config": {
                "model": model, "weights": weights, "path": path, "pretrain": options if weights == "pretrain" else None
            },
            "preprocess": {"sampling_rate": 100, "leads": LEADS},
        }
    )  # fmt: skip


def pretrain(prepared, output, stop=None, slice_=None, index=None, **options):
    """Status of the process that would have trained."""
    try:
        run_pretrain(
            slice_ or encoder_slice(**options),
            manifest=prepared / "records.parquet",
            signals=prepared / "preprocess",
            output=output,
            index=index,
            threads=1,
            stop=stop,
        )
    except distributed.Stopped as stopped:
        return stopped.code
    return 0


#: What code of a rank finds imported.
_RANK = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parents[4])!r})
from pathlib import Path
from tests.unit.training.pretraining.small_pretraining import pretrain
"""


def two_ranks(code: str, store: Path) -> tuple[list[int], list[str]]:
    """Statuses of two ranks that run the code, and what each said on standard error; they meet at `store`."""
    environment = os.environ | {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "ECGLFM_STORE": str(store)}
    ranks = [
        subprocess.Popen(
            [warm.script(), "-c", _RANK + code],
            env=environment | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    said = [rank.communicate(timeout=200)[1] for rank in ranks]
    return [rank.returncode for rank in ranks], said


def weights(output):
    return (Path(output) / "encoder.safetensors").read_bytes()


def history(output):
    return pd.read_csv(Path(output) / "history.csv").drop(columns=["memory_mb", "segments_per_second"])


class StopAfter:
    """A stop flag that is raised after some steps."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def __bool__(self) -> bool:
        self.left -= 1
        return self.left < 0
