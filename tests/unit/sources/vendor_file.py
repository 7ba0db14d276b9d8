"""Files in the formats of devices, written from the formats' descriptions: what the readers are held against.

Each function takes a signal in steps of 5 uV, int (n_samples, n_leads), and the names of its leads.
"""

from __future__ import annotations

import base64
import binascii
import struct
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, TwelveLeadECGWaveformStorage

STEP_UV = 5
LIMB = ("I", "II", "III", "aVR", "aVL", "aVF")
TWELVE = (*LIMB, "V1", "V2", "V3", "V4", "V5", "V6")


def wave(n_samples: int = 20, n_leads: int = 12) -> np.ndarray:
    """Steps of 5 uV that differ in every lead and sample, and whose limb leads obey Einthoven."""
    steps = (np.arange(n_samples)[:, None] % 7 - 3) * (np.arange(n_leads) + 2) * 4
    steps[:, 0] *= 3
    if n_leads == 12:
        one, two = steps[:, 0], steps[:, 1]
        steps[:, 2:6] = np.stack([two - one, -(one + two) // 2, one - two // 2, two - one // 2], axis=1)
    return steps


# ---- XML -----------------------------------------------------------------------------------------------------------


def aecg(steps: np.ndarray, leads: Sequence[str] = TWELVE, increment: str = "0.002", extra: str = "") -> bytes:
    """HL7 aECG, as FDA's smallest example has it."""
    time = (
        '<component><sequence><code code="TIME_ABSOLUTE"/><value xsi:type="GLIST_TS"><head value="20021122091000"/>'
        f'<increment value="{increment}" unit="s"/></value></sequence></component>'
    )
    sequences = "".join(
        f'<component><sequence classCode="OBS"><code code="MDC_ECG_LEAD_{lead.upper()}"/><value xsi:type="SLIST_PQ">'
        f'<origin value="0" unit="uV"/><scale value="{STEP_UV}" unit="uV"/>'
        f"<digits>{' '.join(map(str, steps[:, column]))}</digits></value></sequence></component>"
        for column, lead in enumerate(leads)
    )
    subject = (
        "<componentOf><timepointEvent><componentOf><subjectAssignment><subject><trialSubject>"
        '<id root="2.16.840.1.113883.3.456" extension="SBJ-123"/><subjectDemographicPerson><name>Secret Person</name>'
        '<administrativeGenderCode code="F"/><birthTime value="19520101"/></subjectDemographicPerson>'
        "</trialSubject></subject></subjectAssignment></componentOf></timepointEvent></componentOf>"
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?><AnnotatedECG xmlns="urn:hl7-org:v3" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><effectiveTime><low value="20021122091000"/>'
        f'<high value="20021122091010"/></effectiveTime>{subject}<component><series><code code="RHYTHM"/>'
        f"<component><sequenceSet>{time}{sequences}</sequenceSet></component>{extra}</series></component>"
        "</AnnotatedECG>"
    ).encode()


def sierra(
    steps: np.ndarray, leads: Sequence[str] = TWELVE, *, packed: bool = True, content: bytes | None = None
) -> bytes:
    """Philips Sierra 1.04, packed with XLI as PageWriters do, or plain int16."""
    if content is None and packed:
        content = b"".join(xli(lead) for lead in residuals(steps).T)
    elif content is None:
        content = np.ascontiguousarray(steps.T, "<i2").tobytes()
    how = ' compression="XLI"' if packed else ""
    return (
        '<?xml version="1.0" encoding="UTF-8"?><restingecgdata xmlns="http://www3.medical.philips.com">'
        "<documentinfo><documenttype>PhilipsECG</documenttype><documentversion>1.04</documentversion></documentinfo>"
        '<dataacquisition date="2011-02-03" time="04:05:06"><signalcharacteristics>'
        f"<samplingrate>500</samplingrate><resolution>{STEP_UV}</resolution>"
        f"<numberchannelsallocated>{len(leads)}</numberchannelsallocated></signalcharacteristics></dataacquisition>"
        "<patient><generalpatientdata><patientid>P7</patientid><age><years>61</years></age><sex>Male</sex>"
        "</generalpatientdata></patient>"
        f'<waveforms><parsedwaveforms dataencoding="Base64"{how} durationperchannel="{len(steps) * 2}" '
        f'numberofleads="{len(leads)}" leadlabels="{" ".join(leads)}">{base64.b64encode(content).decode()}'
        "</parsedwaveforms></waveforms></restingecgdata>"
    ).encode()


def residuals(steps: np.ndarray) -> np.ndarray:
    """Limb leads as XLI keeps them: how far they are from what I and II say."""
    kept = steps.copy()
    one, two, three = steps[:, 0], steps[:, 1], steps[:, 2]
    kept[:, 2] = two - one - three
    kept[:, 3] = -steps[:, 3] - (one + two) // 2
    kept[:, 4] = (one - three) // 2 - steps[:, 4]
    kept[:, 5] = (two + three) // 2 - steps[:, 5]
    return kept


def xli(samples: np.ndarray) -> bytes:
    """A chunk of XLI: second differences, high bytes before low ones, in LZW of ten bits."""
    values = [int(value) for value in samples]
    last = [2 * y - x - z for x, y, z in zip(values, values[1:], values[2:], strict=False)]
    words = np.array([*values[:2], *(d + 64 for d in last[1:]), 64], "<i2").view("<u2")
    packed = lzw((words >> 8).astype("u1").tobytes() + (words & 255).astype("u1").tobytes())
    return struct.pack("<ihh", len(packed), 0, last[0]) + packed


def lzw(content: bytes) -> bytes:
    """Codes of ten bits, highest bit first; 1023 ends them."""
    codes, known, held = [], {bytes([one]): one for one in range(256)}, b""
    for byte in content:
        longer = held + bytes([byte])
        if longer in known:
            held = longer
            continue
        codes.append(known[held])
        if len(known) < 1023:
            known[longer] = len(known)
        held = bytes([byte])
    bits = "".join(f"{code:010b}" for code in [*codes, known[held], 1023])
    return bytes(int(bits[at : at + 8].ljust(8, "0"), 2) for at in range(0, len(bits), 8))


def mortara(steps: np.ndarray, leads: Sequence[str] = TWELVE, offset: int = 0) -> bytes:
    """Mortara ELI XML, as its public readers (BRAVEHEART, EDFbrowser) describe it."""
    channels = "".join(
        f'<CHANNEL OFFSET="{offset}" BITS="16" FORMAT="SIGNED" UNITS_PER_MV="{1000 // STEP_UV}" DURATION="{len(steps)}" '
        f'SAMPLE_FREQ="500" NAME="{lead}" ENCODING="BASE64" '
        f'DATA="{base64.b64encode(steps[:, column].astype("<i2").tobytes()).decode()}"/>'
        for column, lead in enumerate(leads)
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?><ECG ACQUISITION_TIME="20110203040506" AGE="61" AGE_UNITS="YEARS" '
        'VENT_RATE="70"><SUBJECT LAST_NAME="Secret" FIRST_NAME="Person" ID="P7" GENDER="Male"/>'
        f'<SOURCE TYPE="ELI" MANUFACTURER="MORTARA"/>{channels}</ECG>'
    ).encode()


# ---- binary ----------------------------------------------------------------------------------------------------------

#: EN 1064's numbers of leads.
_NUMBERS = {"I": 1, "II": 2, "V1": 3, "V2": 4, "V3": 5, "V4": 6, "V5": 7, "V6": 8, "III": 61, "aVR": 62, "aVL": 63,
            "aVF": 64}  # fmt: skip
#: EN 1064's default Huffman table: prefix as it stands in the file, and the value that it means.
_HUFFMAN = {0: "0", 1: "100", -1: "101", 2: "1100", -2: "1101", 3: "11100", -3: "11101", 4: "111100", -4: "111101",
            5: "1111100", -5: "1111101", 6: "11111100", -6: "11111101", 7: "111111100", -7: "111111101",
            8: "1111111100", -8: "1111111101"}  # fmt: skip
_EIGHT_BITS, _SIXTEEN_BITS = "1111111110", "1111111111"


def scp(
    steps: np.ndarray,
    leads: Sequence[str] = TWELVE,
    *,
    differences: int = 2,
    huffman: bool = True,
    interval_us: int = 2000,
) -> bytes:
    """SCP-ECG (EN 1064): sections 0, 1, 3 and 6, with the default Huffman table 2 where it is packed."""
    section1 = b"".join(
        struct.pack("<BH", tag, len(value)) + value
        for tag, value in (
            (2, b"P7\0"), (4, struct.pack("<HB", 61, 1)), (8, b"\1"), (25, struct.pack("<HBB", 2011, 2, 3)),
            (26, b"\4\5\6"),
            (14, struct.pack("<HHHBB6s", 0, 0, 0, 0, 0, b"test\0\0") + bytes([20, 0xA0, 0, 0, 0, 0]) + bytes(16) + b"\1\0\0\0\0"),
            (255, b""),
        )
    )  # fmt: skip
    n_samples = len(steps)
    section3 = bytes([len(leads), 4 | len(leads) << 3 & 0xFF]) + b"".join(
        struct.pack("<IIB", 1, n_samples, _NUMBERS[lead]) for lead in leads
    )
    stored = [np.concatenate([lead[:differences], np.diff(lead, differences)]) for lead in steps.T]
    packed = [_huffman(lead) if huffman else lead.astype("<i2").tobytes() for lead in stored]
    section6 = struct.pack("<HHBB", STEP_UV * 1000, interval_us, differences, 0)
    section6 += struct.pack(f"<{len(packed)}H", *map(len, packed)) + b"".join(packed)
    bodies = {1: section1} | ({2: struct.pack("<H", 19999)} if huffman else {}) | {3: section3, 6: section6}
    at, sections, pointers = 6 + 16 + 10 * 12, [], {}
    for number, body in bodies.items():
        section = _section(number, body + b"\0" * (len(body) % 2))
        pointers[number] = (len(section), at + 1)
        at += len(section)
        sections.append(section)
    pointers[0] = (16 + 10 * 12, 7)
    table = b"".join(struct.pack("<HII", number, *pointers.get(number, (0, 0))) for number in range(12))
    content = struct.pack("<I", at) + _section(0, table, b"SCPECG") + b"".join(sections)
    return struct.pack("<H", binascii.crc_hqx(content, 0xFFFF)) + content


def _section(number: int, body: bytes, reserved: bytes = bytes(6)) -> bytes:
    content = struct.pack("<HIBB", number, len(body) + 16, 20, 20) + reserved + body
    return struct.pack("<H", binascii.crc_hqx(content, 0xFFFF)) + content


def _huffman(values: np.ndarray) -> bytes:
    bits = ""
    for value in map(int, values):
        if value in _HUFFMAN:
            bits += _HUFFMAN[value]
        elif -128 <= value < 128:
            bits += _EIGHT_BITS + f"{value & 0xFF:08b}"
        else:
            bits += _SIXTEEN_BITS + f"{value & 0xFFFF:016b}"
    return bytes(int(bits[at : at + 8].ljust(8, "0"), 2) for at in range(0, len(bits), 8))


def ishne(steps: np.ndarray, leads: Sequence[str] = TWELVE) -> bytes:
    """ISHNE 1.0 (Badilini, 1998)."""
    codes = [
        {"I": 5, "II": 6, "III": 7, "aVR": 8, "aVL": 9, "aVF": 10}.get(lead) or 10 + int(lead[1]) for lead in leads
    ]
    head = struct.pack("<iiiih40s40s20shh", 0, len(steps), 522, 522, 1, b"Person", b"Secret", b"P7", 1, 0)
    head += struct.pack("<3h3h3h3h", 1, 1, 1950, 3, 2, 2011, 4, 2, 2011, 4, 5, 6)
    head += struct.pack("<h", len(leads))
    for filled in (codes, [1] * len(leads), [STEP_UV * 1000] * len(leads)):
        head += struct.pack("<12h", *filled, *[-9] * (12 - len(leads)))
    head += struct.pack("<h40sh80s80s88s", 0, b"digital", 500, b"", b"", b"")
    assert len(head) == 512
    return b"ISHNE1.0" + struct.pack("<H", binascii.crc_hqx(head, 0xFFFF)) + head + steps.astype("<i2").tobytes()


def group(
    steps: np.ndarray, leads: Sequence[str] = TWELVE, *, originality: str = "ORIGINAL", rate: float = 500
) -> Dataset:
    """A group of channels of DICOM."""
    item = Dataset()
    item.WaveformOriginality = originality
    item.NumberOfWaveformChannels, item.NumberOfWaveformSamples = len(leads), len(steps)
    item.SamplingFrequency = str(rate)
    item.ChannelDefinitionSequence = [_channel(lead) for lead in leads]
    item.WaveformBitsAllocated, item.WaveformSampleInterpretation = 16, "SS"
    item.WaveformData = steps.astype("<i2").tobytes()
    return item


def _code(value: str, meaning: str) -> Dataset:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, "MDC", meaning
    return code


def _channel(lead: str) -> Dataset:
    channel = Dataset()
    channel.ChannelSourceSequence = [_code(f"2:{_NUMBERS[lead]}" if lead in _NUMBERS else "", lead)]
    channel.ChannelSensitivity, channel.ChannelSensitivityCorrectionFactor = str(STEP_UV / 2), "2"
    channel.ChannelSensitivityUnitsSequence, channel.ChannelBaseline = [_code("uV", "microvolt")], "0"
    channel.WaveformBitsStored = 16
    return channel


def dicom(groups: Sequence[Dataset], path: Path | BytesIO | None = None, syntax: str = ExplicitVRLittleEndian) -> bytes:
    """A DICOM file, written by pydicom."""
    found = Dataset()
    found.file_meta = FileMetaDataset()
    found.file_meta.TransferSyntaxUID = syntax
    found.SOPClassUID, found.SOPInstanceUID = TwelveLeadECGWaveformStorage, "1.2.3"
    found.PatientName, found.PatientID, found.PatientAge, found.PatientSex = "Secret^Person", "P7", "061Y", "M"
    found.AcquisitionDateTime, found.Modality, found.Manufacturer = "20110203040506", "ECG", "Test"
    if groups:
        found.WaveformSequence = list(groups)
    buffer = BytesIO()
    pydicom.dcmwrite(buffer, found, enforce_file_format=True)
    return buffer.getvalue()
