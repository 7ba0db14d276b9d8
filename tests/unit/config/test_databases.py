"""What is known of databases that contain each other, against facts of their own pages."""

from __future__ import annotations

import runpy
from typing import get_args

import pytest

from ecglfm.config import databases
from ecglfm.config.databases import DATABASES, known_databases, overlap, overlaps, shared
from ecglfm.config.source_kinds import KINDS, Kind
from ecglfm.config.sources import ChallengeDatabase

OWN_FILES = {"wfdb_folder", "numpy_folder", "array_folder", "muse_xml", "vendor_files", "cardiosoft_xml"}


@pytest.mark.parametrize("partner", ["mitdb", "stdb", "svdb", "ltdb", "nsrdb", "edb"])
def test_qtdb_is_a_partner_of_each_of_the_six_that_it_was_cut_from(partner: str) -> None:
    assert overlap(["qtdb"], [partner]) == overlap([partner], ["qtdb"])
    assert overlap([partner], ["qtdb"]) == f"both have recordings of {DATABASES[partner].title}"


@pytest.mark.parametrize(
    ("one", "other", "why"),
    [
        ("ptbxl", "challenge2021", "both have recordings of PTB-XL"),
        (
            "challenge2020",
            "challenge2021",
            "both have recordings of CPSC-Extra, CPSC2018, Georgia, PTB, PTB-XL, St Pet",
        ),
        ("ecg_arrhythmia", "challenge2021", "both have recordings of Chapman-Shaoxing, Ningbo"),
        ("cpsc_2018", "challenge2021", "both have recordings of CPSC2018"),
        ("code", "code15", "both have recordings of CODE-15 %"),
        ("code15", "code_test", "CODE-15 % and CODE's test set: both are of the Telehealth Network"),
        ("ptb", "ptbxl", "PTB and PTB-XL: both were collected by"),
        ("challenge2021", "heedb", "Georgia and HEEDB: both have patients of Emory"),
        ("mimic_iv_ecg_ext_icd", "mimic_iv_ecg", "both have recordings of MIMIC-IV-ECG"),
        ("heedb", "mimic_iv_ecg", "HEEDB and MIMIC-IV-ECG: both are of Harvard's hospitals in Boston"),
        ("heedb", "mimic_iv_ecg_ext_icd", "HEEDB and MIMIC-IV-ECG: both are of Harvard's hospitals in Boston"),
        ("code", "code85", "both have recordings of CODE without CODE-15 %"),
        ("code85", "code15", ""),  # which has 15 % of the patients, and all their recordings
        ("code85", "code_test", "CODE without CODE-15 % and CODE's test set: both are of the Telehealth Network"),
        ("sami_trop", "code", "SaMi-Trop and CODE-15 %: both are of the Telehealth Network"),
        ("hefei", "chapman_shaoxing", ""),
        ("ptbxl", "ptbxl", "both have recordings of PTB-XL"),
        ("ptbxl", "code15", ""),
        ("mitdb", "edb", ""),
        ("echonext", "sph", ""),
    ],
)
def test_known_overlaps(one: str, other: str, why: str) -> None:
    for found in (overlap([one], [other]), overlap([other], [one])):
        assert found.startswith(why) if why else found == ""


def test_recordings_that_both_hold_are_not_people_who_may_be_in_both() -> None:
    assert shared(["challenge2021"], ["ptbxl", "heedb"]) == {"ptbxl"}
    assert shared(["heedb"], ["mimic_iv_ecg", "georgia"]) == set()


def test_every_name_in_the_table_is_in_it_and_so_is_every_published_kind() -> None:
    named = {name for one in DATABASES.values() for name in (*one.parts, *one.kin)}
    assert named <= DATABASES.keys()
    assert set(KINDS) & DATABASES.keys() == set(KINDS) - OWN_FILES
    assert known_databases("challenge2021", get_args(ChallengeDatabase)) == sorted(DATABASES["challenge2021"].parts)


def test_a_new_kind_of_database_needs_no_line(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind, adapter in (("made_up", "databases.made_up:MadeUp"), ("lab_files", "folders.lab:Lab")):
        monkeypatch.setitem(KINDS, kind, Kind(f"ecglfm.sources.{adapter}"))
    found = runpy.run_path(databases.__file__)
    assert found["overlap"](["made_up"], ["made_up"]) == "both have recordings of made_up"
    assert found["DATABASES"].keys() - DATABASES.keys() == {"made_up"}
    assert found["DATABASES"]["ptbxl"].title == "PTB-XL"


def test_what_a_source_holds() -> None:
    assert known_databases("challenge2021") == ["challenge2021"]
    assert known_databases("challenge2021", ["ptb-xl", "ningbo"]) == ["ningbo", "ptbxl"]
    assert known_databases("wfdb_folder") == known_databases("synthetic") == []
    assert known_databases("wfdb_folder", holds=["qtdb"]) == ["qtdb"]


def test_each_two_sources_are_looked_at_once() -> None:
    holds = {"mine": ["qtdb"], "a": ["ptbxl"], "other": ["mitdb"], "c": ["georgia", "ptbxl"], "none": []}
    assert overlaps(holds) == [
        {"a": "a", "b": "c", "why": "both have recordings of PTB-XL"},
        {"a": "mine", "b": "other", "why": "both have recordings of MIT-BIH Arrhythmia"},
    ]
