"""A recording in memory becomes what `preprocess` makes of it, or is told its fault."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import ecglfm
from ecglfm.app.prediction.preparation import prepare_record, read_ahead
from ecglfm.config import LEADS, PreprocessConfig
from ecglfm.records import Record
from tests.unit.app.prediction.test_predict import make_model, write_wfdb


def test_it_is_what_preprocess_gives(tmp_path: Path) -> None:
    record = ecglfm.read_record(write_wfdb(tmp_path, "a", seconds=2.0, rate=250))
    model = ecglfm.load_model(make_model(tmp_path / "model"))
    found = prepare_record(record, model.encoder.preprocess, name="n", patient_id="p")
    windows = ecglfm.preprocess(record, model).numpy()
    np.testing.assert_array_equal(found.signal.T[None], np.rint(1000 * windows))
    assert (found.name, found.patient_id, found.fault) == ("n", "p", None)


def test_flags_of_the_file_and_of_the_signal_and_the_fault() -> None:
    rng = np.random.default_rng(0)
    signal = np.cumsum(rng.normal(0, 0.01, (2500, 12)), axis=0)
    flags = prepare_record(Record(signal, LEADS, 500.0, flags=(("checksum", "of I"),)), PreprocessConfig()).flags
    assert flags[0] == "checksum"
    assert "einthoven_residual" in flags[1:]  # random leads do not obey it
    slow = prepare_record(Record(signal, LEADS, 5.0), PreprocessConfig())
    assert slow.fault == ("sampling_rate", "5 Hz is outside 20 to 20000 Hz")
    assert slow.signal.size == 0


def test_the_next_piece_is_made_while_one_is_looked_at() -> None:
    made: list[int] = []
    third = threading.Event()

    def pieces() -> Iterator[int]:
        for number in range(4):
            made.append(number)
            yield number
            if number == 1:
                third.set()  # somebody asked for the third

    ahead = read_ahead(pieces())
    assert next(ahead) == 0
    assert next(ahead) == 1
    assert third.wait(10)  # nobody has asked for it here
    assert [*ahead] == [2, 3]
    assert made == [0, 1, 2, 3]


def test_a_fault_ahead_is_told_in_its_turn() -> None:
    def pieces() -> Iterator[int]:
        yield 1
        raise ValueError("broken")

    ahead = read_ahead(pieces())
    assert next(ahead) == 1
    with pytest.raises(ValueError, match="broken"):
        next(ahead)
