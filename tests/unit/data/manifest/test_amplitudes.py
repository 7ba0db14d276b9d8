"""A recording whose gain is wrong by 5 stands out among those of its source; genuine recordings do not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ecglfm.config import SourceConfig, SourceSlice
from ecglfm.config.manifest import AmplitudesConfig
from ecglfm.data.manifest.amplitudes import about_amplitudes, amplitude_warnings, odd_records, source_medians
from ecglfm.data.signals.quality_measures import amplitude, blocks
from ecglfm.data.tables import TableReader
from ecglfm.sources import open_source

LIMITS = AmplitudesConfig()
DATABASES = {
    "ptbxl": ("ptbxl", "ptb-xl", 300),
    "challenge": ("challenge2021", "challenge-2021", 33),
    "code15": ("code15", "code-15", 4),
}


def pieces_of(amplitudes: dict[str, np.ndarray], rows: int = 7) -> TableReader:
    tables = [
        pd.DataFrame({"source": name, "record_id": [f"{name}/{i}" for i in range(len(values))], "amplitude": values})
        for name, values in amplitudes.items()
    ]
    table = pd.concat(tables, ignore_index=True)
    return lambda columns: (table[columns].iloc[i : i + rows] for i in range(0, len(table), rows))


def odd_ids(records: TableReader) -> list[str]:
    found = pd.concat(odd_records(records, source_medians(records), LIMITS))
    return found["record_id"].tolist()


@pytest.fixture(scope="module")
def genuine(real_data: Path) -> dict[str, np.ndarray]:
    """Amplitudes, mV, of the genuine recordings of each database."""
    found = {}
    for name, (kind, folder, number) in DATABASES.items():
        config = SourceConfig(kind=kind, root=str(real_data / folder))
        source = open_source(SourceSlice(source=name, config=config))
        records = [source.record(path).standard() for path in source.index()["path"]]
        found[name] = np.array([amplitude(blocks(r.signal.T * 1000, r.sampling_rate)) for r in records])
        assert len(found[name]) == number
    return found


def test_no_genuine_source_or_recording_is_odd(genuine: dict[str, np.ndarray]) -> None:
    records = pieces_of(genuine)
    assert odd_ids(records) == []
    medians = source_medians(records)
    assert {name: round(median, 2) for name, median in medians.items()} == {"ptbxl": 1.18, "challenge": 1.07}
    assert amplitude_warnings(about_amplitudes(medians, odd_records(records, medians, LIMITS), LIMITS)) == {}


@pytest.mark.parametrize(("gain", "found"), [(5, 276), (1 / 5, 289)])
def test_one_gain_that_is_wrong_by_five_is_found_among_genuine_recordings(
    genuine: dict[str, np.ndarray], gain: float, found: int
) -> None:
    """Each of the 300 in its turn; absolute limits of 0.2 to 6 mV find 141 and 83 of them."""
    seen = 0
    for number in range(300):
        planted = genuine["ptbxl"].copy()
        planted[number] *= gain
        odd = odd_ids(pieces_of({"ptbxl": planted}, rows=1000))
        seen += odd == [f"ptbxl/{number}"]
        assert odd in ([], [f"ptbxl/{number}"])
    assert seen == found


def test_what_is_odd_is_said_with_names_and_numbers() -> None:
    ones = np.ones(40)
    ones[[3, 8, 21, 30]] = 3.6, 0.3, 5.0, 3.4
    records = pieces_of({"a": ones, "low": np.full(12, 0.2), "high": np.full(10, 3.6), "few": np.full(9, 9.0)})
    medians = source_medians(records)
    assert medians == {"a": 1.0, "high": pytest.approx(3.6), "low": pytest.approx(0.2)}
    rows = list(odd_records(records, medians, LIMITS))
    assert pd.concat(rows)["detail"].tolist()[1] == "0.3 mV, 0.3 x its source's median of 1 mV"
    said = amplitude_warnings(about_amplitudes(medians, iter(rows), LIMITS))
    assert list(said) == ["a", "high", "low"]
    assert said["a"] == [
        "3 records have an amplitude under 0.333 or over 3.5 times the source's median of 1 mV, e.g. a/3, a/8, "
        "a/21: is the gain wrong? They are used; the ledger lists them as amplitude_of_source"
    ]
    assert said["low"] == ["the median amplitude is 0.2 mV, that of hearts 0.3 to 3.5 mV: is its unit or gain wrong?"]
    assert said["high"][0].startswith("the median amplitude is 3.6 mV")


def test_limits_are_the_configs() -> None:
    records = pieces_of({"a": np.where(np.arange(20) == 7, 1.6, 1.0)})
    medians, own = source_medians(records), AmplitudesConfig(highest_ratio=1.5, lowest_median=1.1)
    said = about_amplitudes(medians, odd_records(records, medians, own), own)
    assert amplitude_warnings(said)["a"] == [
        "the median amplitude is 1 mV, that of hearts 1.1 to 3.5 mV: is its unit or gain wrong?",
        "1 record has an amplitude under 0.333 or over 1.5 times the source's median of 1 mV, e.g. a/7: is the gain"
        " wrong? They are used; the ledger lists them as amplitude_of_source",
    ]
    with pytest.raises(ValueError, match="the lowest must be smaller"):
        AmplitudesConfig(lowest_ratio=4)
