"""Ids of patients: unknown ones, spellings of one, one for everybody; each with the patients expected."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from ecglfm.config import SourceConfig, SourceSlice, UserError
from ecglfm.config.sources import PatientIds
from ecglfm.data.manifest.splits import hash_split
from ecglfm.sources import open_source
from ecglfm.sources.base import unknown_patients, write_index
from ecglfm.sources.patients.ids import Patients, normal_number, normal_text


def people(ids: list[str | None], **config: object) -> tuple[list[str], Patients, int]:
    """Patients of records with these ids, in two pieces."""
    found = Patients("s", PatientIds.model_validate(config))
    half = len(ids) // 2
    frames = []
    for start, some in ((0, ids[:half]), (half, ids[half:])):
        records = [f"s/r{number}" for number in range(start, start + len(some))]
        written = pd.Series([None if i is None else f"s/{i}" for i in some], dtype="string")
        frames.append(found.add(pd.DataFrame({"record_id": records, "patient_id": written})))
    return pd.concat(frames)["patient_id"].str.removeprefix("s/").tolist(), found, found.finish()


@pytest.mark.parametrize("same", [["P-1", "p-1", "P\u20131"], ["Zoë", "Zoe\u0308", "ZOË"], ["x", "x ", "x\u200b"]])
def test_spellings_of_a_text(same: list[str]):
    assert len({normal_text(text) for text in same}) == 1


@pytest.mark.parametrize(
    "same",
    [["7", "007", "7.0", " 7", "+7"], ["1000", "1e3", "1E3"], ["12345678901234567890", "12345678901234567890.0"]],
)
def test_spellings_of_a_number(same: list[str]):
    assert len({normal_number(text) for text in same}) == 1


def test_long_numbers_keep_every_digit():
    assert normal_number("12345678901234567890") != normal_number("12345678901234567891")
    assert (normal_number("7.5"), normal_number("True"), normal_number("1.2.3")) == ("7.5", "true", "1.2.3")


def test_ids_of_one_hash_are_not_one(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture):
    monkeypatch.setattr("ecglfm.sources.patients.ids.hash", lambda _: 0, raising=False)
    ids, found, count = people(["7", "8", None, "9"])
    assert (ids, count, found.alike) == (["7", "8", "r2", "9"], 4, False)
    assert "several ways" not in caplog.text


def test_spellings_are_kept_and_warned_about(caplog: pytest.LogCaptureFixture):
    ids, _, count = people(["7", "007", "7.0", "8", "P-1", "p-1"])
    assert (ids, count) == (["7", "007", "7.0", "8", "P-1", "p-1"], 6)
    assert "2 patient ids are written in several ways (5 records)" in caplog.text
    assert "'007' '7' '7.0'; 'P-1' 'p-1'" in caplog.text


@pytest.mark.parametrize(
    ("normalise", "expected"),
    [
        ("as_written", ["7", "007", "P-1", "p-1"]),
        ("text", ["7", "007", "p-1", "p-1"]),
        ("number", ["7", "7", "p-1", "p-1"]),
    ],
)
def test_the_config_decides_and_nothing_more_is_said(
    normalise: str, expected: list[str], caplog: pytest.LogCaptureFixture
):
    ids, _, count = people(["7", "007", "P-1", "p-1"], normalise=normalise)
    assert (ids, count) == (expected, len(set(expected)))
    assert not caplog.text


def test_ids_of_another_source_are_its_patients_and_in_its_splits():
    """The Challenge's copies, whose patients are named already, and recordings of nobody stay what they are."""
    found = Patients("s", PatientIds(of="muse", normalise="number"))
    written = pd.Series(["s/007", "s/P-1", None, "ptbxl/5", "s/7"], dtype="string")
    piece = found.add(pd.DataFrame({"record_id": [f"s/{n}" for n in range(5)], "patient_id": written}))
    assert piece["patient_id"].tolist() == ["muse/7", "muse/p-1", "s/2", "ptbxl/5", "muse/7"]
    assert found.finish() == 4


def test_what_excel_and_pandas_write_is_nobody():
    assert people(["#N/A", "a", "<NA>", "NaT", "#N/A"])[0] == ["r0", "a", "r2", "r3", "r4"]


def test_what_is_longer_than_any_id_is_nobody():
    ids = people(["7" * 200, "7" * 201, "a" * 10**6])[0]
    assert ids == ["7" * 200, "r1", "r2"]


def test_placeholders_are_nobody(caplog: pytest.LogCaptureFixture):
    ids, found, count = people(["a", None, "nan", "None", "N/A", "-1", "99999", "a"], unknown=["99999"])
    assert ids == ["a", "r1", "r2", "r3", "r4", "r5", "r6", "a"]
    assert (found.unknown, found.records, count) == (6, 8, 7)
    assert "patients partly unknown: 6 of 8 records" in caplog.text


def test_no_patient_at_all(caplog: pytest.LogCaptureFixture):
    assert people([None] * 54)[1].unknown == 54
    assert "source s: patients unknown: no record of 54 states one" in caplog.text


def test_zeros_and_what_excel_makes_of_long_numbers(caplog: pytest.LogCaptureFixture):
    ids, _, _ = people(["00000000", "00000000", "1.23E+11", "1.23E+11", "12E5"])
    assert ids[0] == ids[1] == "00000000"
    assert "2 records have the patient id '00000000'" in caplog.text
    assert "2 records have patient ids such as '1.23E+11': Excel shortens" in caplog.text


def test_one_patient_for_everybody_is_an_error_but_a_small_cohort_is_none():
    assert people(["1"] * 100)[2] == 1
    with pytest.raises(UserError, match=r"101 of 101 records have the patient id '1.23E\+11'.*unknown.*largest_share"):
        people(["1.23E+11"] * 101)
    assert people(["1"] * 101, largest_share=1)[2] == 1
    everyday = [str(number) for number in range(1, 401)]
    assert people(everyday + ["1"] * 99)[2] == 400  # 100 of 499


def test_ordinary_ids_say_nothing(caplog: pytest.LogCaptureFixture):
    ids, found, count = people([str(number // 2 + 1) for number in range(40)])
    assert (len(set(ids)), count, found.unknown, caplog.text) == (20, 20, 0, "")


def challenge(root: Path, patients: Path | None, of: str = "ptbxl") -> SourceSlice:
    more = {} if patients is None else {"patients": str(patients)}
    return SourceSlice(source="c", config=SourceConfig(kind="challenge2021", root=str(root), **more), patients_of=of)


def test_patients_of_the_challenges_ptb_xl_are_those_of_ptb_xl(real_data: Path, tmp_path: Path):
    root, own = real_data / "challenge-2021", real_data / "ptb-xl"
    ptbxl = SourceSlice(source="mine", config=SourceConfig(kind="ptbxl", root=str(own)))
    truth = open_source(ptbxl).index().set_index("record_id")["patient_id"]
    index = (
        open_source(challenge(root, own / "ptbxl_database.csv", "mine")).index().set_index("record_id")["patient_id"]
    )
    for number in range(1, 6):
        patient = index[f"c/ptb-xl/HR{number:05d}"]
        assert patient == truth[f"mine/{number}"]
        share = {"seed": 0, "valid_fraction": 0.1, "test_fraction": 0.1}
        assert hash_split(patient, **share) == hash_split(truth[f"mine/{number}"], **share)
    others = index[~index.index.str.contains("/HR")]
    assert (others == others.index).all()

    config = challenge(root, own / "ptbxl_database.csv")
    records, _, unknown = write_index(tmp_path / "c.parquet", open_source(config).pieces())
    assert unknown == unknown_patients(tmp_path / "c.parquet") == records - 5
    assert write_index(tmp_path / "c.parquet", open_source(challenge(root, None)).pieces())[2] == records
