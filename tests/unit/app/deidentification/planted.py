"""A folder as a hospital may have it, with one person's name, number and dates in every place that we could think of."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ecglfm.sources.wfdb_reader.files import write_record
from tests.unit.sources.muse_file import LEADS, lead, muse, statements, waveform

TWELVE = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
NAME, FIRST, NUMBER, BORN, DOCTOR, PLACE = (
    "Mühlenbeck",
    "Hannelore",
    "48151623",
    "1931-03-07",
    "Quackenbush",
    "St. Swithin",
)
#: Where something is planted: 20 places and some, each with the spelling that it has there.
PLACES = {
    "header_name": f"# Patient Name: {NAME}, {FIRST}",
    "header_id": f"# Patient ID: {NUMBER}",
    "header_birth": "# DOB: 07.03.1931",
    "header_free": f"# {FIRST.upper()} M. seen by Dr {DOCTOR} on 5 May 2020",
    "header_key": f"# Technician: {DOCTOR}",
    "header_brackets": f"#<age>: 94 <sex>: F <ward>: {PLACE}",
    "header_dates": "10:35:17 05-May-2020",
    "header_path": "# Source file: C:\\\\export\\\\Muehlenbeck_19310307.xml",
    "xml_comment": f"<!-- exported for {NAME} -->",
    "xml_instruction": f"<?audit by={DOCTOR}?>",
    "xml_attribute": f'owner="{NAME}"',
    "xml_name": f"<PatientLastName>{NAME}</PatientLastName><PatientFirstName>{FIRST}</PatientFirstName>",
    "xml_birth": "<DateofBirth>03-07-1931</DateofBirth>",
    "xml_unknown": f"<BedsideNote2>{NAME} asked for water</BedsideNote2>",
    "xml_wrong": f"<Race>{FIRST}</Race>",
    "xml_number": f"<HeightCM>{NUMBER}</HeightCM>",
    "xml_staff": f"<OverreaderLastName>{DOCTOR}</OverreaderLastName>",
    "xml_site": f"<SiteName>{PLACE}</SiteName>",
    "xml_order": f"<Order><RequisitionNumber>{NUMBER}</RequisitionNumber><bed>{NAME}</bed></Order>",
    "xml_statement": f"Sinus rhythm, discussed with {DOCTOR}, born 7 March 1931",
    "xml_tail": f"</RestingECGMeasurements>{NAME}",
    "table_name": f"{NAME}; {FIRST}",
    "table_text": f"Frau {NAME} (*07.03.31), Nr. {NUMBER}",
    "file_name": f"Muehlenbeck_{NUMBER}_20200817",
    "folder_name": f"{FIRST} 1931",
}
SECRETS = (
    "hlenbeck",
    "annelore",
    NUMBER,
    "19310307",
    "1931-03",
    "03.31",
    "1931<",
    "March",
    "uackenbush",
    "within",
    "05-May",
    "08-17-2020",
    "C:",
    "water",
)

RULES = """
columns:
  hospital_no: patient
  name: name
  born: birth
  age: age
  recorded: date
  file: path
  remark: text
  label: keep
"""


def cardiosoft(samples: np.ndarray, pid: str = "", day: tuple[int, int, int] = (2021, 2, 3)) -> str:
    """A CardioSoft file as `databases` of public readers describe it; samples (n, 12) in steps of 5 microvolts."""
    waves = "".join(
        f'<WaveformData lead="{name}">{",".join(map(str, column))}</WaveformData>'
        for name, column in zip(TWELVE, samples.T.tolist(), strict=True)
    )
    year, month, number = day
    return f"""<?xml version="1.0" encoding="ISO-8859-1"?>
<CardiologyXML><ObservationType>RestECG</ObservationType>
<ObservationDateTime><Hour>9</Hour><Minute>8</Minute><Second>7</Second><Day>{number}</Day><Month>{month}</Month>
<Year>{year}</Year></ObservationDateTime>
<ClinicalInfo><DeviceInfo><Desc>CardioSoft {DOCTOR}</Desc></DeviceInfo></ClinicalInfo>
<PatientInfo><Name><FamilyName>Mueller</FamilyName></Name><PID>{pid}</PID><Age units="years">93</Age><Gender>FEMALE</Gender>
<BirthDateTime><Day>7</Day><Month>3</Month><Year>1931</Year></BirthDateTime></PatientInfo>
<StripData><NumberOfLeads>12</NumberOfLeads><SampleRate units="Hz">500</SampleRate>
<Resolution units="uVperLsb">5</Resolution><ChannelSampleCountTotal>{len(samples)}</ChannelSampleCountTotal>
{waves}</StripData>
<RestingECGMeasurements><VentricularRate units="BPM">72</VentricularRate></RestingECGMeasurements>
<Interpretation><Diagnosis><DiagnosisText>Reviewed by {DOCTOR}</DiagnosisText></Diagnosis></Interpretation>
</CardiologyXML>
"""


def make(root: Path) -> Path:
    """Write the folder."""
    rng = np.random.default_rng(20)
    place = root / "archive" / PLACES["folder_name"]
    place.mkdir(parents=True)
    digital = rng.integers(-900, 900, (500, 12)).astype(np.int16)
    name = PLACES["file_name"]
    write_record(place, name, digital, leads=TWELVE, gain=200, sampling_rate=500, start=PLACES["header_dates"])
    header = place / f"{name}.hea"
    comments = [text for key, text in PLACES.items() if key.startswith("header_") and key != "header_dates"]
    header.write_text(header.read_text() + "\n".join([*comments, "#Dx: 426783006", ""]))
    write_record(root / "archive", "other", digital[::-1], leads=TWELVE, gain=200, sampling_rate=500,
                 start="08:00:00 17/08/2020", comments=["Age: 61", "Rx: Unknown"])  # fmt: skip
    samples = {key: rng.integers(-800, 800, 600).tolist() for key in LEADS}
    for number, (month, day) in enumerate(((8, 17), (9, 16))):
        text = muse(
            waveform("Rhythm", [lead(key, values) for key, values in samples.items()]),
            patient=f"<PatientID>00{NUMBER}</PatientID><PatientAge>89</PatientAge><AgeUnits>YEARS</AgeUnits>"
            "<Gender>FEMALE</Gender>" + PLACES["xml_name"] + PLACES["xml_birth"] + PLACES["xml_wrong"]
            + PLACES["xml_number"] + PLACES["xml_unknown"],
            diagnosis=statements("Diagnosis", ("ENDSLINE", PLACES["xml_statement"])) + PLACES["xml_order"],
            prolog='<!DOCTYPE RestingECG SYSTEM "restecg.dtd">' + PLACES["xml_comment"] + PLACES["xml_instruction"],
            encoding="UTF-8",
        ).decode()  # fmt: skip
        text = text.replace("<RestingECG>", f"<RestingECG {PLACES['xml_attribute']}>")
        text = text.replace("</RestingECGMeasurements>", PLACES["xml_tail"])
        text = text.replace("<Site>1</Site>", f"<Site>1</Site>{PLACES['xml_site']}{PLACES['xml_staff']}")
        text = text.replace("08-17-2020", f"{month:02d}-{day:02d}-2020")
        (place / f"ecg{number}.xml").write_text(text, encoding="utf-8")
    (root / f"{NUMBER}_20205_2_0.xml").write_text(cardiosoft(digital.astype(int)), encoding="latin-1")
    rows = [
        "hospital_no,name,born,age,recorded,file,remark,label",
        f'{NUMBER}.0,"{PLACES["table_name"]}",{BORN},89,2020-05-05 10:35:17,archive/{PLACES["folder_name"]}/{name},'
        f'"{PLACES["table_text"]}",AF',
        f"{NUMBER},{NAME},{BORN},90,2020-06-04,,,SR",
        "77,Li Wu,1959-01-02,61,2020-08-17T08:00:00,archive/other,stable,SR",
    ]
    (root / "table.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return root
