"""CardioSoft XML: samples, heads and names of files with known content; joined tables; files that are refused."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ecglfm.config import LEADS, SourceConfig, SourceSlice, UserError
from ecglfm.data.ingest import run_ingest
from ecglfm.records import RecordError
from ecglfm.sources import open_source
from ecglfm.sources.base import Source, write_index
from ecglfm.sources.devices.cardiosoft_xml import read_cardiosoft, read_median
from ecglfm.sources.inside import Root
from tests.unit.sources.cardiosoft_file import cardiosoft, strip

RNG = np.random.default_rng(0)
SAMPLES = {lead: RNG.integers(-300, 300, 5000).tolist() for lead in LEADS}
SHORT = {lead: [number, -number, 7] for number, lead in enumerate(LEADS)}
STRIP = strip(SHORT)
DATE = {"Year": "2019", "Month": "3", "Day": "7", "Hour": "9", "Minute": "5", "Second": "1"}


def source(root: Path, **more: object) -> Source:
    config = SourceConfig(kind="cardiosoft_xml", root=str(root), **more)
    return open_source(SourceSlice(source="u", config=config))


def read(folder: Path, content: bytes, name: str = "x.xml"):
    (folder / name).write_bytes(content)
    return read_cardiosoft(Root(folder), name)


# ---- samples -----------------------------------------------------------------------------------------------------


def test_samples_leads_rate_and_resolution(tmp_path: Path):
    """All leads by name, in an order of the file's own, at its rate and resolution."""
    order = [*LEADS[6:], *LEADS[:6]]
    content = cardiosoft(strip({lead: SAMPLES[lead] for lead in order}, rate="250", resolution="4.88"))
    record = read(tmp_path, content)
    assert record.leads == tuple(order)
    assert record.sampling_rate == 250
    assert record.signal.shape == (5000, 12)
    standard = record.standard()
    for column, lead in enumerate(LEADS):
        np.testing.assert_allclose(standard.signal[:, column], np.array(SAMPLES[lead]) * 0.00488, rtol=1e-12)
    assert standard.derived == ()


@pytest.mark.parametrize("divider", [",", "\t", "\n", " ,\r\n\t\t", ", "])
def test_dividers(tmp_path: Path, divider: str):
    expected = np.array([SHORT[lead] for lead in LEADS]).T * 0.005
    np.testing.assert_allclose(read(tmp_path, cardiosoft(strip(SHORT, divider=divider))).signal, expected)


def test_strip_within_strip_and_median(tmp_path: Path):
    median = strip({lead: [values[0] + 1] * 600 for lead, values in SHORT.items()}, element="MedianSamples")
    record = read(tmp_path, cardiosoft(f"<Strip>{STRIP}</Strip>", median=median))
    assert record.signal.shape == (3, 12)
    beat = read_median(Root(tmp_path), "x.xml")
    assert beat.signal.shape == (600, 12)
    np.testing.assert_allclose(beat.signal[0], np.arange(1, 13) * 0.005)
    read(tmp_path, cardiosoft(STRIP))
    with pytest.raises(RecordError, match=r"signal_missing: x.xml: 0 elements MedianSamples"):
        read_median(Root(tmp_path), "x.xml")


@pytest.mark.parametrize(
    ("strips", "reason"),
    [
        ("", "signal_missing"),
        (STRIP * 2, "header_invalid"),
        (strip(SHORT, rate="0"), "header_invalid"),
        (strip(SHORT, rate="1e3"), "header_invalid"),
        (strip(SHORT, resolution=""), "header_invalid"),
        (strip(SHORT, resolution="-5"), "header_invalid"),
        (strip(SHORT, unit="furlongs"), "unit_unknown"),
        (strip(SHORT, leads="11"), "header_invalid"),
        (strip(SHORT, count="4"), "signal_truncated"),
        (strip(SHORT, count="5000000000"), "header_invalid"),
        (strip(SHORT | {"V6": [1, 2]}), "header_invalid"),
        (STRIP.replace("-11", "1x"), "signal_unreadable"),
        (STRIP.replace("-11", "1.5"), "signal_unreadable"),
        (STRIP.replace("-11", ""), "signal_unreadable"),
        (STRIP.replace("-11", "12345678901"), "signal_unreadable"),
        (strip({lead: [] for lead in LEADS}, count="1"), "signal_empty"),
    ],
)
def test_strips_that_are_refused(tmp_path: Path, strips: str, reason: str):
    with pytest.raises(RecordError) as caught:
        read(tmp_path, cardiosoft(strips))
    assert caught.value.reason == reason


def test_an_exercise_ecg_is_refused_by_name_and_by_what_it_says(tmp_path: Path):
    for name, kind in (("1_6025_0_0.xml", "RestECG"), ("x.xml", "ExerciseECG")):
        with pytest.raises(RecordError, match=rf"{name} is an exercise ECG \(UK Biobank's field 6025\)"):
            read(tmp_path, cardiosoft(STRIP, kind=kind), name)


@pytest.mark.parametrize(
    "prolog",
    ['<!DOCTYPE a [<!ENTITY b SYSTEM "secret">]>', '<!DOCTYPE a [<!ENTITY b "bb"><!ENTITY c "&b;&b;">]>'],
)
def test_entities_are_refused_and_no_file_is_opened(tmp_path: Path, prolog: str):
    (tmp_path / "secret").write_text("0,1,2")
    with pytest.raises(RecordError, match="xml_invalid: x.xml: declares the entity"):
        read(tmp_path, cardiosoft(STRIP.replace("7", "&b;"), prolog=prolog))


def test_another_xml_is_refused(tmp_path: Path):
    with pytest.raises(RecordError, match="xml_unknown: x.xml: <RestingECG> is no CardioSoft ECG"):
        read(tmp_path, b"<RestingECG/>")


def test_a_full_disclosure_is_not_read_on_either_side_of_the_strip(tmp_path: Path):
    whole = "<FullDisclosure><FullDisclosureData>" + "1," * 50_000 + "</FullDisclosureData></FullDisclosure>"
    for strips in (STRIP + whole, whole + STRIP):
        assert read(tmp_path, cardiosoft(strips)).signal.shape == (3, 12)


# ---- index -------------------------------------------------------------------------------------------------------


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Five recordings of three people, one exercise ECG, a hospital's own file and one that is no XML."""
    root = tmp_path / "root"
    (root / "10").mkdir(parents=True)
    (root / "30").mkdir()
    whole = cardiosoft(
        STRIP, when=DATE, diagnosis=["Sinus rhythm"], conclusion=["Normal ECG", "---", "Anom\u00e1lia  T"]
    )
    for name in ("10/1000001_20205_2_1", "10/1000001_20205_3_0", "10/999_20205_2_0", "30/1000001_20205_2_0"):
        (root / f"{name}.xml").write_bytes(whole)
    (root / "10/p0a1b_20205_3_0.xml").write_bytes(cardiosoft(STRIP))
    (root / "10/1000001_6025_0_0.xml").write_bytes(whole)
    stated = '<PID>H7</PID><Age units="YEARS">53</Age><Gender>FEMALE</Gender>'
    (root / "mine.xml").write_bytes(cardiosoft(STRIP, patient=stated))
    (root / "broken.xml").write_bytes(b"no XML")
    return root


def test_index_says_what_names_and_files_say(database: Path, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.WARNING, "ecglfm"):
        index = source(database).index().set_index("record_id")
    assert len(index) == 8
    assert "2 files cannot be read, the first: 10/1000001_6025_0_0.xml: exercise_ecg" in caplog.text
    row = index.loc["u/10/1000001_20205_2_1"]
    assert row.patient_id == "u/1000001"
    assert row[["native.eid", "native.instance", "native.array"]].tolist() == ["1000001", "2", "1"]
    assert row["native.ObservationDateTime"] == "2019-03-07 09:05:01"
    assert row["native.QTInterval"] == "400"
    assert row["native.Filter50Hz"] == "Yes"
    assert row[["native.RAmplitude.I", "native.RAmplitude.V6"]].tolist() == ["100", "111"]
    assert row.report == "Normal ECG; Anom\u00e1lia T"
    assert pd.isna(row["native.RAmplitude.III"])
    assert pd.isna(row["native.PAxis"])
    blanked = index.loc["u/10/p0a1b_20205_3_0"]
    assert blanked.patient_id == "u/p0a1b"
    assert math.isnan(blanked.age)
    assert blanked[["sex", "native.ObservationDateTime"]].isna().all()
    own = index.loc["u/mine"]
    assert own[["patient_id", "age", "sex"]].tolist() == ["u/H7", 53, "female"]
    assert "M\u00fcller" not in index.to_csv()


def test_every_row_of_the_index_is_a_record_or_dropped(database: Path, tmp_path: Path):
    config = SourceSlice(source="u", config=SourceConfig(kind="cardiosoft_xml", root=str(database)))
    write_index(tmp_path / "u.parquet", open_source(config).recordings(), slice_=config)
    run_ingest(config, tmp_path / "u.parquet", 0, 1, tmp_path / "000.npy")
    ledger = pd.read_parquet(tmp_path / "000.ledger.parquet")
    assert len(pd.read_parquet(tmp_path / "000.parquet")) == 6
    dropped = ledger[ledger.action == "dropped"].set_index("record_id")["reason"]
    assert dropped.to_dict() == {"u/10/1000001_6025_0_0": "exercise_ecg", "u/broken": "xml_invalid"}


def test_first_visit_of_each_person(database: Path, caplog: pytest.LogCaptureFixture):
    """Instance before array, whatever folder they lie in; files of other names stay."""
    with caplog.at_level(logging.WARNING, "ecglfm"):
        index = source(database, visits="first").index()
    kept = ["10/999_20205_2_0", "10/1000001_6025_0_0", "10/p0a1b_20205_3_0", "30/1000001_20205_2_0", "broken", "mine"]
    assert index.record_id.tolist() == [f"u/{name}" for name in kept]
    assert "2 later recordings of the same people are left out" in caplog.text


PEOPLE: dict[str, Mapping[str, str]] = {
    "eid,31-0.0,21003-2.0,21003-3.0\n1000001,0,61,66\n999,1,,\n5,1,40,41\n": {
        "age": "21003-{instance}.0",
        "sex": "31-0.0",
    },
    "eid,p31,p21003_i2,p21003_i3\n1000001,Female,61,66\n999,Male,,\n5,,40,41\n": {
        "age": "p21003_i{instance}",
        "sex": "p31",
    },
}


@pytest.mark.parametrize("text", PEOPLE)
def test_age_and_sex_are_joined_by_eid_and_instance(
    database: Path, tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture
):
    table = tmp_path / "people.csv"
    table.write_text(text)
    with caplog.at_level(logging.WARNING, "ecglfm"):
        index = source(database, people=str(table), columns={"patient_id": "eid"} | PEOPLE[text]).index()
    index = index.set_index(index.record_id.str.removeprefix("u/"))
    assert index.loc["10/1000001_20205_2_1", ["age", "sex"]].tolist() == [61, "female"]
    assert index.loc["10/1000001_20205_3_0", ["age", "sex"]].tolist() == [66, "female"]
    assert math.isnan(index.loc["10/999_20205_2_0", "age"])
    assert index.loc["10/999_20205_2_0", "sex"] == "male"
    assert index.loc["mine", ["age", "sex"]].tolist() == [53, "female"]
    assert "of 8 recordings are of people who are not in" in caplog.text


def test_native_columns_are_the_same_in_every_piece(database: Path):
    """A parquet file has one schema: also a piece of files that say nothing has every column."""
    columns = [set(source(folder).index().columns) for folder in (database, database / "30")]
    assert columns[0] == columns[1]


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"people": "p.csv", "table": "t.csv"}, "give one of them"),
        ({"visits": "first", "table": "t.csv"}, "`visits` chooses among the files"),
        ({"people": "p.csv", "columns": {"path": "file"}}, "'path' is nothing that `people` says"),
        ({"columns": {"age": "a"}}, "`columns` names columns of `table`"),
    ],
)
def test_keys_that_contradict_each_other(keys: dict, said: str):
    with pytest.raises(ValueError, match=said):
        SourceConfig(kind="cardiosoft_xml", root="r", **keys)


def test_empty_folder(tmp_path: Path):
    with pytest.raises(UserError, match=r"no \.xml file in it"):
        source(tmp_path).index()
