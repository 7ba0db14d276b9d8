"""A CardioSoft XML file from known samples, written element by element as UK Biobank's have them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ecglfm.config import LEADS

MEASURED = {"VentricularRate": "60", "PQInterval": "140", "QRSDuration": "94", "QTInterval": "400", "RAxis": "83",
            "QOnset": "448", "QOffset": "542"}  # fmt: skip


def strip(
    samples: Mapping[str, Sequence[int]],
    *,
    element: str = "StripData",
    rate: str = "500",
    resolution: str = "5",
    unit: str = "uVperLsb",
    divider: str = ",",
    leads: str = "",
    count: str = "",
) -> str:
    """`StripData` or `MedianSamples`; `leads` and `count` state other numbers than there are."""
    length = len(next(iter(samples.values())))
    data = "".join(
        f'<WaveformData lead="{lead}">\t\t{divider.join(map(str, values))}\r\n\t\t</WaveformData>\r\n'
        for lead, values in samples.items()
    )
    return (
        f"<{element}>\r\n<NumberOfLeads>{leads or len(samples)}</NumberOfLeads>\r\n"
        f'<SampleRate units="Hz">{rate}</SampleRate>\r\n'
        f"<ChannelSampleCountTotal>{count or length}</ChannelSampleCountTotal>\r\n"
        f'<Resolution units="{unit}">{resolution}</Resolution>\r\n{data}</{element}>\r\n'
    )


def cardiosoft(
    strips: str,
    *,
    median: str = "",
    patient: str = "<PID></PID>",
    when: Mapping[str, str] = {},
    measured: Mapping[str, str] = MEASURED,
    diagnosis: Sequence[str] = (),
    conclusion: Sequence[str] = (),
    kind: str = "RestECG",
    prolog: str = "",
    encoding: str = "ISO-8859-1",
) -> bytes:
    """The whole file."""
    date = "".join(
        f"<{part}>{when.get(part, '')}</{part}>" for part in ("Hour", "Minute", "Second", "Day", "Month", "Year")
    )
    numbers = "".join(f'<{name} units="ms">{text}</{name}>' for name, text in measured.items())
    table = ", ".join(str(100 + number) if number != 2 else "" for number in range(12))
    words = "".join(f"<DiagnosisText>{line}</DiagnosisText>" for line in diagnosis)
    said = "".join(f"<ConclusionText>{line}</ConclusionText>" for line in conclusion)
    text = (
        f'<?xml version="1.0" encoding="{encoding}" ?>\r\n{prolog}<CardiologyXML>\r\n'
        f"<ObservationType>{kind}</ObservationType><ObservationDateTime>{date}</ObservationDateTime>\r\n"
        "<ClinicalInfo><DeviceInfo><Desc>CardioSoft</Desc><SoftwareVer>V6.73</SoftwareVer></DeviceInfo></ClinicalInfo>\r\n"
        f"<PatientInfo>{patient}<Name><FamilyName>M\u00fcller</FamilyName></Name></PatientInfo>\r\n"
        '<FilterSetting><Filter50Hz>Yes</Filter50Hz><LowPass units="Hz">100</LowPass></FilterSetting>\r\n'
        f"<Interpretation><Diagnosis>{words}</Diagnosis><Conclusion>{said}</Conclusion></Interpretation>\r\n"
        f"<RestingECGMeasurements>{numbers}<MeasurementTable><LeadOrder>{', '.join(LEADS)}</LeadOrder>"
        f"<RAmplitude>{table}</RAmplitude></MeasurementTable>{median}</RestingECGMeasurements>\r\n"
        f'<VectorLoops><Frontal Lead="X">1,2</Frontal></VectorLoops>\r\n{strips}</CardiologyXML>\r\n'
    )
    return text.encode(encoding)
