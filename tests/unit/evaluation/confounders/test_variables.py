"""What databases say of device, site, year, rate, filter and noise, each in words of its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ecglfm.config import UserError
from ecglfm.evaluation.confounders.variables import read_variables
from ecglfm.provenance import write_parquet

NAMES = ["source", "device", "site", "year", "rate", "filter", "noise", "amplitude", "native.nurse"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two recordings of a database in PTB-XL's words, two in MIMIC's."""
    ptbxl = {"native.device": ["CS-12", " "], "native.site": ["0.0", None], "native.nurse": ["7", "8"],
             "native.recording_date": ["1991-03-05 08:00:00", None], "native.static_noise": [" , I-V1", None],
             "native.acquired": [None, "19960229"]}  # fmt: skip
    mimic = {"native.cart_id": ["684", "685"], "native.ecg_time": ["2180-07-23 08:44:00", "2012-01-02 03:04:05"],
             "native.filtering": ["60 Hz notch", None], "native.bandwidth": ["0.005-150 Hz", "0.005-150 Hz"]}  # fmt: skip
    write_parquet(tmp_path / "index/p.parquet", pd.DataFrame({"record_id": ["p/0", "p/1"], **ptbxl}))
    write_parquet(tmp_path / "index/m.parquet", pd.DataFrame({"record_id": ["m/0", "m/1"], **mimic}))
    rates = pd.DataFrame({"record_id": ["p/0", "p/1"], "sampling_rate": [500.0, 257.5]})
    write_parquet(tmp_path / "ingest/p/000.parquet", rates)
    return tmp_path


def records(**change: object) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "record_id": ["p/0", "m/0", "p/1", "m/1"], "source": ["p", "m", "p", "m"], "shard": 0,
            "flags": ["", "mains_noise", "lead_off,mains_noise", None], "amplitude": [1.0, 2.0, 3.0, 4.0],
        } | change
    )  # fmt: skip


def test_every_database_speaks_its_own_words(folder: Path) -> None:
    index = [folder / "index/p.parquet", folder / "index/m.parquet"]
    found, missing = read_variables(records(), NAMES, index=index, ingested=folder / "ingest")
    assert missing == {}
    said = {name: [None if pd.isna(value) else value for value in one.values] for name, one in found.items()}
    assert said == {
        "source": ["p", "m", "p", "m"],
        "device": ["CS-12", "684", None, "685"],
        "site": ["0.0", None, None, None],
        "year": [1991.0, None, 1996.0, 2012.0],  # 2180 is no year: MIMIC moves its dates
        "rate": ["500 Hz", None, "257.5 Hz", None],
        "filter": [None, "60 Hz notch; 0.005-150 Hz", None, "0.005-150 Hz"],
        "noise.lead_off": ["clean", "clean", "flagged", "clean"],
        "noise.mains_noise": ["clean", "flagged", "flagged", "clean"],
        "noise.static_noise": ["noted", None, "none", None],
        "amplitude": ["1.0", "2.0", "3.0", "4.0"],
        "native.nurse": ["7", None, "8", None],
    }
    assert [name for name, one in found.items() if one.is_quantity] == ["year"]
    assert found["filter"].column == "native.filtering, native.bandwidth"


def test_many_numbers_are_a_quantity() -> None:
    many = records().loc[[0] * 12].assign(record_id=[f"p/{i}" for i in range(12)], amplitude=np.arange(12.0))
    found, _ = read_variables(many, ["amplitude"], index=[], ingested=Path("none"))
    assert found["amplitude"].is_quantity


def test_what_nobody_says_is_missing_and_what_is_no_variable_a_mistake(folder: Path) -> None:
    found, missing = read_variables(records(), ["site", "rate"], index=[folder / "index/m.parquet"], ingested=folder)
    assert found == {}
    assert missing == {
        "site": "no record of m, p says it (columns looked for: site or Site or database)",
        "rate": "no record of m, p says it",
    }
    with pytest.raises(UserError, match=r"confounders\.variables: 'device_id' is none of source, device, site"):
        read_variables(records(), ["device_id"], index=[], ingested=folder)
