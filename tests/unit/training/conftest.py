"""Signals for a pretraining of seconds; `small_pretraining` runs it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from torch.nn import functional

from ecglfm.training import engine
from tests.unit.hashes import hashes


@pytest.fixture(autouse=True)
def _own_linear(monkeypatch):
    """ZeRO 3 replaces `functional.linear` for the rest of the process; TorchScript cannot read what it puts there."""
    monkeypatch.setattr(functional, "linear", functional.linear)


@pytest.fixture
def fp16_on_a_processor(monkeypatch):
    """DeepSpeed allows fp16 on no CPU; here it is talked into it, so that its own scalers and copies are tested."""
    from deepspeed.accelerator import get_accelerator

    accelerator = type(get_accelerator())
    monkeypatch.setattr(accelerator, "is_fp16_supported", lambda _: True)
    monkeypatch.setattr(accelerator, "supported_dtypes", lambda _: [torch.float32, torch.bfloat16, torch.float16])
    monkeypatch.setattr(engine, "set_precision", lambda _: None)


@pytest.fixture(scope="session")
def prepared(tmp_path_factory):
    """40 patients of two 3 s recordings at 100 Hz, three leads; a sine of the patient's own frequency."""
    folder = tmp_path_factory.mktemp("prepared")
    rng = np.random.default_rng(0)
    records, signals = [], []
    for patient in range(40):
        for k in range(2):
            time_s = np.arange(300)[:, None] / 100
            wave = np.sin(2 * np.pi * (1 + patient / 10) * time_s + rng.uniform(0, 6, (1, 3)))
            signals.append((1000 * wave + rng.normal(0, 50, wave.shape)).astype(np.int16))
            records.append(
                {
                    "record_id": f"db/{patient:02d}-{k}", "source": "db", "patient_id": f"db/{patient:02d}",
                    "split": "train" if patient < 32 else "valid", "sampling_rate": 100, "n_samples": 300,
                    "shard": 0, "offset": 300 * len(records), "sha256": hashes(signals[-1:])[0],
                    "lead_mask": 0xFFF,
                }
            )  # fmt: skip
    (folder / "preprocess" / "db").mkdir(parents=True)
    np.save(folder / "preprocess" / "db" / "000.npy", np.concatenate(signals))
    pd.DataFrame(records).to_parquet(folder / "records.parquet")
    return folder
