"""XML by a list: what it does not have goes, and so does what an element should not hold."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from ecglfm.app.deidentification.cleaning import Cleaner, Names
from ecglfm.app.deidentification.secret import Secret
from ecglfm.app.deidentification.vendors import CARDIOSOFT, MUSE, VENDORS
from ecglfm.app.deidentification.xml_tree import cleaned, texts
from ecglfm.config.deidentification import DeidentificationRules
from ecglfm.records import RecordError
from ecglfm.sources.devices.xml_files import read_xml
from ecglfm.sources.inside import Root

SECRET = Secret(b"k" * 32)


def cleaner(**rules: object) -> Cleaner:
    return Cleaner(Names(DeidentificationRules.model_validate(rules), SECRET), person="p")


def clean(folder: Path, content: str, one: Cleaner | None = None, spec: object = MUSE) -> str:
    (folder / "x.xml").write_text(content, encoding="utf-8")
    text = cleaned(read_xml(Root(folder), "x.xml"), spec, one or cleaner(), "x.xml").decode()  # type: ignore[arg-type]
    return "".join(line.strip() for line in text.splitlines()[1:])


def demographics(inner: str) -> str:
    return f"<RestingECG><PatientDemographics>{inner}</PatientDemographics></RestingECG>"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("<Gender>FEMALE</Gender>", "<Gender>FEMALE</Gender>"),
        ("<Gender>Otto</Gender>", ""),
        ("<HeightCM>180</HeightCM>", "<HeightCM>180</HeightCM>"),
        ("<HeightCM>48151623</HeightCM>", ""),
        ("<HeightCM>180<b>Otto</b></HeightCM>", "<HeightCM>180</HeightCM>"),
        ("<Race>Asian</Race>", "<Race>Asian</Race>"),
        ("<Race>of Ulm</Race>", ""),
        ("<Nickname>O</Nickname>", ""),
        ('<Gender by="Otto">MALE</Gender>', "<Gender>MALE</Gender>"),
        (
            "<PatientAge>90</PatientAge><AgeUnits>YEARS</AgeUnits>",
            "<PatientAge>90</PatientAge><AgeUnits>YEARS</AgeUnits>",
        ),
        ("<PatientAge>101</PatientAge>", "<PatientAge>90</PatientAge>"),
        ("<PatientAge>89</PatientAge>", "<PatientAge>89</PatientAge>"),
        ("<PatientAge>95</PatientAge><AgeUnits>Jahre</AgeUnits>", ""),
        ("<PatientAge>95</PatientAge><AgeUnits>Y</AgeUnits>", ""),
        (
            "<PatientAge>1100</PatientAge><AgeUnits>MONTHS</AgeUnits>",
            "<PatientAge>90</PatientAge><AgeUnits>YEARS</AgeUnits>",
        ),
        (
            "<PatientAge>11</PatientAge><AgeUnits>MONTHS</AgeUnits>",
            "<PatientAge>11</PatientAge><AgeUnits>MONTHS</AgeUnits>",
        ),
    ],
)
def test_an_element_holds_what_it_should(tmp_path: Path, given: str, kept: str) -> None:
    inner = f"<PatientDemographics>{kept}</PatientDemographics>" if kept else ""
    expected = f"<RestingECG>{inner}</RestingECG>" if kept else "<RestingECG />"
    assert clean(tmp_path, demographics(given)) == expected


def test_rules_keep_and_drop_elements(tmp_path: Path) -> None:
    one = cleaner(elements={"Nickname": "keep", "Gender": "drop"})
    content = demographics("<Nickname>O</Nickname><Gender>MALE</Gender>")
    assert clean(tmp_path, content, one) == demographics("<Nickname>O</Nickname>")


def test_dates_are_shifted_as_ge_writes_them(tmp_path: Path) -> None:
    one = cleaner(shift_days=1, time="hour")
    inner = "<AcquisitionTime>{}</AcquisitionTime><AcquisitionDate>{}</AcquisitionDate>"
    content = f"<RestingECG><TestDemographics>{inner}</TestDemographics></RestingECG>"
    assert clean(tmp_path, content.format("09:15:11", "03-01-2020"), one) == content.format("09:00:00", "02-29-2020")
    assert clean(tmp_path, content.format("09:15:11", "13-13-2020"), cleaner(shift_days=1)) == (
        "<RestingECG><TestDemographics><AcquisitionTime>09:15:11</AcquisitionTime></TestDemographics></RestingECG>"
    )


@pytest.mark.parametrize(
    ("order", "given", "kept", "noted"),
    [
        ("month_first", "03-04-2020", "03-03-2020", [("unclear date", date(2020, 4, 3)), ("date", date(2020, 3, 4))]),
        ("day_first", "03-04-2020", "02-04-2020", [("unclear date", date(2020, 3, 4)), ("date", date(2020, 4, 3))]),
        ("day_first", "25/12/2020", "24/12/2020", [("date", date(2020, 12, 25))]),
        ("month_first", "25-12-2020", None, [("unread date", date(2020, 12, 25)), ("date", "25-12-2020")]),
        ("day_first", "04-04-2020", "03-04-2020", [("date", date(2020, 4, 4))]),
        ("day_first", "2020-03-04", "2020-03-03", [("date", date(2020, 3, 4))]),
    ],
)
def test_the_order_of_numbers_in_a_date_is_a_rule(
    tmp_path: Path, order: str, given: str, kept: str | None, noted: list
) -> None:
    one = cleaner(shift_days=1, muse_dates=order)
    content = "<RestingECG><TestDemographics>{}</TestDemographics></RestingECG>"
    made = clean(tmp_path, content.format(f"<AcquisitionDate>{given}</AcquisitionDate>"), one)
    assert made == (content.format(f"<AcquisitionDate>{kept}</AcquisitionDate>") if kept else "<RestingECG />")
    assert [tuple(removed) for removed in one.removed] == noted


def test_a_date_in_parts_is_shifted_and_one_of_birth_goes(tmp_path: Path) -> None:
    parts = "<Year>{}</Year><Month>{}</Month><Day>{}</Day><Hour>{}</Hour>"
    content = "<CardiologyXML><ObservationDateTime>{}</ObservationDateTime>{}</CardiologyXML>"
    birth = "<PatientInfo><BirthDateTime><Year>1931</Year><Month>3</Month><Day>7</Day></BirthDateTime></PatientInfo>"
    one = cleaner(shift_days=1)
    found = clean(tmp_path, content.format(parts.format(2020, 3, 1, "09"), birth), one, CARDIOSOFT)
    assert found == content.format(parts.format(2020, 2, 29, "09"), "")
    assert ("birth date", "1931-03-07") in [(kind, str(value)) for kind, value in one.removed]


def test_samples_are_numbers(tmp_path: Path) -> None:
    content = "<RestingECG><Waveform><LeadData><WaveFormData>{}</WaveFormData></LeadData></Waveform></RestingECG>"
    for samples in ("AAEC\nAw==", "1, -2, 3"):
        assert samples.replace("\n", "") in clean(tmp_path, content.format(samples))
    with pytest.raises(RecordError, match="neither base64 nor numbers"):
        clean(tmp_path, content.format("Otto: AAEC"))


def test_a_text_in_place_of_samples_is_none(tmp_path: Path) -> None:
    counted = "<LeadData><LeadByteCountTotal>{}</LeadByteCountTotal><WaveFormData>{}</WaveFormData></LeadData>"
    content = f"<RestingECG><Waveform><WaveformType>Median</WaveformType>{counted}</Waveform></RestingECG>"
    for count, samples in ((4, "AAECAw=="), (3, "AAEC"), (5, "AAECAwQ")):
        assert samples in clean(tmp_path, content.format(count, samples))
    with pytest.raises(RecordError, match="neither base64 nor numbers"):
        clean(tmp_path, content.format(4, "OttoOfUlm"))
    content = '<CardiologyXML><StripData><WaveformData lead="I">{}</WaveformData></StripData></CardiologyXML>'
    assert "1,-2,3" in clean(tmp_path, content.format("1,-2,3"), spec=CARDIOSOFT)
    with pytest.raises(RecordError, match="neither base64 nor numbers"):
        clean(tmp_path, content.format("Otto Ulm"), spec=CARDIOSOFT)


def test_an_age_of_90_is_in_years(tmp_path: Path) -> None:
    content = '<CardiologyXML><PatientInfo><Age units="{}">{}</Age></PatientInfo></CardiologyXML>'
    for (unit, age), kept in {("months", "1100"): ("years", "90"), ("months", "1000"): ("months", "1000")}.items():
        assert clean(tmp_path, content.format(unit, age), spec=CARDIOSOFT) == content.format(*kept)
    assert clean(tmp_path, content.format("Jahre", "95"), spec=CARDIOSOFT) == "<CardiologyXML />"


def test_texts_are_all_but_samples_and_checksums(tmp_path: Path) -> None:
    content = (
        '<RestingECG a="1"><Waveform><LeadData><LeadID n="2">I</LeadID><LeadDataCRC32>12345678</LeadDataCRC32>'
        "<WaveFormData>AAEC</WaveFormData></LeadData></Waveform><New>3</New></RestingECG>"
    )
    (tmp_path / "x.xml").write_text(content)
    assert [text for text in texts(read_xml(Root(tmp_path), "x.xml"), MUSE) if text.strip()] == ["2", "I", "3"]


def test_the_patient_of_a_biobank_is_in_the_name(tmp_path: Path) -> None:
    (tmp_path / "x.xml").write_text("<CardiologyXML><PatientInfo><PID> 7 </PID></PatientInfo></CardiologyXML>")
    found = read_xml(Root(tmp_path), "x.xml")
    vendor = VENDORS["CardiologyXML"]
    assert (vendor.patient_of(found, "a/x.xml"), vendor.patient_of(found, "a/12_20205_2_0.xml")) == ("7", "12")
