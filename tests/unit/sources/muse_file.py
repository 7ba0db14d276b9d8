"""A MUSE XML file from known samples, written element by element as a MUSE export has them."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Mapping, Sequence

LEADS = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")


def lead(name: str, samples: Sequence[int], step: str = "4.88", width: int = 76, **changed: str) -> str:
    """One `LeadData`; `changed` replaces the text of an element, or takes it out where it is empty."""
    content = struct.pack(f"<{len(samples)}h", *samples)
    text = base64.b64encode(content).decode()
    elements = {
        "LeadByteCountTotal": str(len(content)),
        "LeadTimeOffset": "0",
        "LeadSampleCountTotal": str(len(samples)),
        "LeadAmplitudeUnitsPerBit": step,
        "LeadAmplitudeUnits": "MICROVOLTS",
        "LeadHighLimit": "32767",
        "LeadLowLimit": "-32768",
        "LeadID": name,
        "LeadOffsetFirstSample": "0",
        "FirstSampleBaseline": "0",
        "LeadSampleSize": "2",
        "LeadOff": "FALSE",
        "BaselineSway": "FALSE",
        "LeadDataCRC32": str(zlib.crc32(content)),
        "WaveFormData": "\n" + "\n".join(text[k : k + width] for k in range(0, len(text), width)) + "\n",
    }
    return (
        "<LeadData>\n"
        + "".join(f"<{key}>{text}</{key}>\n" for key, text in (elements | changed).items() if text)
        + "</LeadData>\n"
    )


def waveform(kind: str, leads: Sequence[str], rate: str = "500", exponent: str = "0", number: str = "") -> str:
    return (
        f"<Waveform>\n<WaveformType>{kind}</WaveformType>\n<WaveformStartTime>0</WaveformStartTime>\n"
        f"<NumberofLeads>{number or len(leads)}</NumberofLeads>\n<SampleType>CONTINUOUS_SAMPLES</SampleType>\n"
        f"<SampleBase>{rate}</SampleBase>\n<SampleExponent>{exponent}</SampleExponent>\n"
        f"<HighPassFilter>16</HighPassFilter>\n" + "".join(leads) + "</Waveform>\n"
    )


def rhythm(samples: Mapping[str, Sequence[int]], **more: str) -> str:
    return waveform("Rhythm", [lead(name, values) for name, values in samples.items()], **more)


def muse(
    waveforms: str,
    *,
    patient: str = "<PatientID>P1</PatientID><PatientAge>61</PatientAge><AgeUnits>YEARS</AgeUnits><Gender>FEMALE</Gender>",
    diagnosis: str = "",
    prolog: str = '<!DOCTYPE RestingECG SYSTEM "restecg.dtd">',
    encoding: str = "ISO-8859-1",
) -> bytes:
    text = (
        f'<?xml version="1.0" encoding="{encoding}"?>\n{prolog}\n<RestingECG>\n'
        "<MuseInfo><MuseVersion>8.0.2.10132</MuseVersion></MuseInfo>\n"
        f"<PatientDemographics>{patient}<DateofBirth>01-02-1960</DateofBirth>"
        "<PatientLastName>M\u00fcller</PatientLastName></PatientDemographics>\n"
        "<TestDemographics><DataType>RESTING</DataType><Site>1</Site><AcquisitionTime>09:15:11</AcquisitionTime>"
        "<AcquisitionDate>08-17-2020</AcquisitionDate></TestDemographics>\n"
        "<RestingECGMeasurements><VentricularRate>72</VentricularRate><QTInterval>398</QTInterval>"
        f"</RestingECGMeasurements>\n{diagnosis}\n{waveforms}</RestingECG>\n"
    )
    return text.encode(encoding)


def statements(group: str, *lines: tuple[str, str]) -> str:
    """A diagnosis of (flag, text)."""
    found = "".join(
        f"<DiagnosisStatement>{f'<StmtFlag>{flag}</StmtFlag>' if flag else ''}<StmtText>{text}</StmtText></DiagnosisStatement>"
        for flag, text in lines
    )
    return f"<{group}><Modality>RESTING</Modality>{found}</{group}>"
