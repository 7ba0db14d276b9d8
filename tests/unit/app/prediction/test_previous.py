"""`predict --previous`: which recording was before, and what has changed."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ecglfm.app.prediction.previous import Pair, match
from ecglfm.cli import main
from ecglfm.sources.origin import Origin
from tests.unit.app.prediction.test_predict import LABELS, make_model, write_wfdb

START = datetime(2020, 1, 1)


def at(patient: str | None, days: float | None) -> Origin:
    return Origin(patient, None if days is None else START + timedelta(days=days))


def test_the_last_one_before_of_the_same_patient():
    before = {"a0": at("a", 0), "a9": at("a", 9), "a20": at("a", 20), "b": at("b", 9.5), "x": at(None, 9.9)}
    now = {"a10": at("a", 10), "a0 again": at("a", 0), "c": at("c", 10), "d": at(None, 10), "e": at("a", None)}
    assert match(now, before) == {
        "a10": Pair("a9", 1.0),
        "a0 again": Pair(reason="no earlier recording of this patient"),  # the same moment is not before
        "c": Pair(reason="no earlier recording of this patient"),
        "d": Pair(reason="the file does not say whose it is"),
        "e": Pair(reason="the file does not say when it was made"),
    }


@pytest.mark.parametrize(
    ("own", "other", "expected"),
    [
        (at("a", 10), at("a", 7.5), Pair("old", 2.5)),
        (at(None, None), at(None, None), Pair("old")),  # a person says so, and no file otherwise
        (at("a", 10), at("b", 7), Pair(reason="another patient: old is of b, this one of a")),
        (at("a", 1), at(None, 1), Pair(reason=f"not earlier: old was made {START + timedelta(days=1)}, this one "
                                              f"{START + timedelta(days=1)}")),
    ],
)  # fmt: skip
def test_one_that_is_named(own: Origin, other: Origin, expected: Pair):
    assert match({"new": own}, {"old": other}) == {"new": expected}


def write_dated(folder: Path, name: str, patient: str, day: int, *, seed: int) -> Path:
    """A recording whose header says whose it is and when it was made."""
    path = write_wfdb(folder, name, seed=seed)
    header = path.with_suffix(".hea")
    first, rest = header.read_text().split("\n", 1)
    header.write_text(f"{first} 12:00:00 {day:02d}/01/2020\n{rest}# subject_id: {patient}\n")
    return path


@pytest.fixture
def people(tmp_path: Path) -> Path:
    for name, patient, day, seed in (("a1", "a", 1, 1), ("a2", "a", 3, 2), ("a3", "a", 13, 3), ("b1", "b", 2, 4)):
        write_dated(tmp_path / "people", name, patient, day, seed=seed)
    return tmp_path / "people"


def predict(tmp_path: Path, *arguments: str | Path, status: int = 0) -> pd.DataFrame:
    model = make_model(tmp_path / "model")
    output = tmp_path / "out.parquet"
    assert main(["predict", "--model", str(model), "--output", str(output), *map(str, arguments)]) == status
    return pd.read_parquet(output).set_index("record")


def test_the_change_is_now_less_then(tmp_path: Path, people: Path, capsys: pytest.CaptureFixture[str]):
    plain = predict(tmp_path, people)
    found = predict(tmp_path, people / "a3", "--previous", people)
    row = found.loc[str(people / "a3")]
    assert (row["previous"], row["previous_days"], row["previous_reason"]) == (str(people / "a2"), 10.0, "")
    for label in LABELS:
        now, then = (plain.loc[str(people / name), f"probability.{label}"] for name in ("a3", "a2"))
        assert row[f"previous.{label}"] == pytest.approx(then, abs=1e-6)
        assert row[f"change.{label}"] == pytest.approx(now - then, abs=1e-6)
    said = capsys.readouterr().out
    assert f"changed since {people / 'a2'}, 10.0 days before" in said
    assert f"({row['change.AF']:+.2f})" in said


def test_without_a_path_it_is_looked_for_among_the_same(tmp_path: Path, people: Path):
    found = predict(tmp_path, people, "--previous")
    earlier = [Path(name).name if isinstance(name, str) else None for name in found["previous"]]
    assert earlier == [None, "a1", "a2", None]
    np.testing.assert_allclose(
        found["change.AF"].iloc[2], found["probability.AF"].iloc[2] - found["probability.AF"].iloc[1], atol=1e-9
    )
    assert found["change.AF"].isna().tolist() == [True, False, False, True]


def test_another_patients_is_refused(tmp_path: Path, people: Path, capsys: pytest.CaptureFixture[str]):
    found = predict(tmp_path, people / "a2", "--previous", people / "b1", status=1)
    assert found["previous"].isna().all()
    assert found["change.AF"].isna().all()
    assert "no change is told: another patient" in capsys.readouterr().out


def test_an_earlier_one_that_cannot_be_used_is_said(tmp_path: Path, people: Path):
    (people / "a2.dat").unlink()
    row = predict(tmp_path, people / "a3", "--previous", people).iloc[0]
    assert row["previous"] == str(people / "a2")
    assert np.isnan(row["change.AF"])
    assert row["previous_reason"].startswith("signal_missing")
