"""Odd MUSE XML files, each written here, with the value or the reason that must come of it."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Any

import numpy as np

from tests.unit.data.odd_files import Case, Dropped, Read, standard
from tests.unit.sources.muse_file import LEADS, lead, muse, rhythm, statements, waveform

N = 60
STEPS = {name: ((np.arange(N) * 7 + 30 * number) % 201 - 100) * 2 for number, name in enumerate(LEADS)}
FIRST, SECOND = STEPS["I"], STEPS["II"]  # even, so that their halves are whole numbers
MICROVOLTS = STEPS | {"III": SECOND - FIRST, "aVR": -(FIRST + SECOND) // 2} | {
    "aVL": FIRST - SECOND // 2, "aVF": SECOND - FIRST // 2
}  # fmt: skip
DERIVED = {"leads_derived": "III aVR aVL aVF"}
PLAIN = Read(standard(MICROVOLTS).astype(np.int16), flags=DERIVED)
LISTS = {name: values.tolist() for name, values in STEPS.items()}


def leads(**changed: Any) -> str:
    """A rhythm in steps of a microvolt; `changed` are elements of every lead."""
    return waveform("Rhythm", [lead(name, values, **{"step": "1"} | changed) for name, values in LISTS.items()])


RHYTHM = leads()


def case(name: str, content: bytes, expected: Read | Dropped = PLAIN, **more: Any) -> Case:
    def write(folder: Path) -> None:
        (folder / "r.xml").write_bytes(content)

    return Case(f"muse {name}", write, expected, record="r.xml", kind="muse_xml", **more)


def each(change: Any) -> str:
    """A rhythm whose samples `change` writes: text of the element from the samples of a lead."""
    parts = [lead(name, values, step="1", WaveFormData=change(values)) for name, values in LISTS.items()]
    return waveform("Rhythm", parts)


def unpadded(values: list[int]) -> str:
    """Two samples fewer than a multiple of three bytes would have padding; 60 samples are 120 bytes, 59 are 118."""
    return base64.b64encode(np.array(values, "<i2").tobytes()).decode().rstrip("=")


def shorter(count: int) -> str:
    parts = []
    for name, values in LISTS.items():
        parts.append(lead(name, values[:count], step="1", WaveFormData=unpadded(values[:count])))
    return waveform("Rhythm", parts)


def cut(count: int) -> Read:
    return Read(PLAIN.microvolts[:count], flags=DERIVED)


def declared(encoding: str, codec: str, text: str) -> bytes:
    """A file in one encoding with another's declaration; its report has `text`."""
    content = muse(RHYTHM, diagnosis=statements("Diagnosis", ("", text)), encoding="UTF-8").decode()
    content = content.replace('encoding="UTF-8"', f'encoding="{encoding}"').replace("Müller", "X")
    return content.encode(codec)


def said(text: str) -> dict[str, Any]:
    return {"row": {"report": text}}


def prefixed(content: bytes, name: str) -> bytes:
    """Every element with a namespace prefix."""
    text = re.sub(rb"<(/?)([A-Za-z])", rb"<\1" + name.encode() + rb":\2", content)
    return text.replace(name.encode() + b":RestingECG>", name.encode() + b':RestingECG xmlns:m="urn:muse">', 1)


def offered(letters: str, name: str) -> str:
    """A rhythm in which one lead's `LeadOff` says `letters`."""
    parts = [lead(n, v, step="1", **({"LeadOff": letters} if n == name else {})) for n, v in LISTS.items()]
    return waveform("Rhythm", parts)


CASES = [
    case("plain", muse(RHYTHM)),
    # encodings
    case("Shift_JIS", declared("Shift_JIS", "cp932", "心房細動①"), **said("心房細動①")),
    case("GBK", declared("GBK", "gbk", "心房颤动"), **said("心房颤动")),
    case("GB2312 with a character of GBK", declared("GB2312", "gbk", "房顫"), **said("房顫")),
    case("GB18030", declared("GB18030", "gb18030", "房颤"), **said("房颤")),
    case("EUC-KR", declared("EUC-KR", "euc_kr", "심방세동"), **said("심방세동")),
    case("Big5", declared("Big5", "big5", "心房顫動"), **said("心房顫動")),
    case("EUC-JP", declared("EUC-JP", "euc_jp", "心房細動"), **said("心房細動")),
    case("windows-1250", declared("windows-1250", "cp1250", "fibrilace síní ř"), **said("fibrilace síní ř")),
    case("windows-1251", declared("windows-1251", "cp1251", "фибрилляция"), **said("фибрилляция")),
    case("ISO-8859-15", declared("ISO-8859-15", "iso-8859-15", "€ œ"), **said("€ œ")),
    case("UTF-8 with a mark", declared("UTF-8", "utf-8-sig", "é"), **said("é")),
    case("UTF-8 with a mark, declared Latin-1", declared("ISO-8859-1", "utf-8-sig", "é"), **said("é")),
    case("UTF-16 with a mark, declared UTF-8", declared("UTF-8", "utf-16", "é"), **said("é")),
    case("UTF-16 with a mark, declared so", declared("UTF-16", "utf-16", "é"), **said("é")),
    case("UTF-16-LE without a mark", declared("UTF-16", "utf-16-le", "é"), **said("é")),
    case("UTF-16-BE without a mark", declared("UTF-16", "utf-16-be", "é"), **said("é")),
    case("UTF-32", declared("UTF-32", "utf-32", "é"), **said("é")),
    case("US-ASCII, in fact UTF-8", declared("US-ASCII", "utf-8", "é"), **said("é")),
    case("no declaration", declared("UTF-8", "utf-8", "é").split(b"?>", 1)[1].lstrip(), **said("é")),
    case("apostrophes in the declaration", declared("UTF-8", "utf-8", "é").replace(b'"', b"'", 4), **said("é")),
    case("declared UTF-8, in fact Latin-1", declared("UTF-8", "latin-1", "é"), Dropped("xml_invalid", "utf-8")),
    case("declared UTF-16, in fact one byte", declared("UTF-16", "latin-1", "e"), Dropped("xml_invalid", "declares")),
    case("no such encoding", declared("x-none", "utf-8", "e"), Dropped("xml_invalid", "x-none")),
    case("an encoding that unpacks", declared("zlib", "utf-8", "e"), Dropped("xml_invalid", "declares")),
    case("an encoding of escapes", declared("unicode_escape", "utf-8", "e"), Dropped("xml_invalid", "declares")),
    case("UTF-7", declared("utf-7", "utf-8", "e"), Dropped("xml_invalid", "declares")),
    case("idna", declared("idna", "utf-8", "e"), Dropped("xml_invalid", "declares")),
    # what XML forbids and devices write
    case("a control character", declared("UTF-8", "utf-8", "a\x01b"), **said("ab")),
    case("a NUL at the end", muse(RHYTHM) + b"\0"),
    case("an escape sequence", declared("UTF-8", "utf-8", "\x1b[1mAF"), **said("[1mAF")),
    case("blank lines at the end", muse(RHYTHM) + b"\r\n\r\n"),
    case("a comment", muse(RHYTHM + "<!-- exported -->")),
    case("CDATA", declared("UTF-8", "utf-8", "<![CDATA[a & b]]>"), **said("a & b")),
    case("no document type", muse(RHYTHM, prolog="")),
    case("prefixed", prefixed(muse(RHYTHM, prolog=""), "m")),
    case("a default namespace", muse(RHYTHM, prolog="").replace(b"<RestingECG>", b'<RestingECG xmlns="urn:muse">')),
    # spellings
    *(
        case(f"waveform {kind}", muse(RHYTHM.replace(">Rhythm<", f">{kind}<")))
        for kind in ("RHYTHM", "rhythm", " Rhythm ")
    ),
    *(case(f"unit {unit}", muse(leads(LeadAmplitudeUnits=unit)))
      for unit in ("uV", "UV", "microvolts", "MicroVolt", "MICROVOLT", "µV", "uv")),
    *(
        case(f"unit {unit}", muse(leads(step=step, LeadAmplitudeUnits=unit)))
        for unit, step in (("mV", "0.001"), ("MILLIVOLTS", "0.001"), ("nV", "1000"), ("V", "0.000001"))
    ),
    *(case(f"unit {unit}", muse(leads(LeadAmplitudeUnits=unit)), Dropped("unit_unknown", unit))
      for unit in ("FURLONGS", "mmHg", "bpm", "OHM")),
    *(case(f"rate {base} E {exponent}", muse(RHYTHM.replace("<SampleBase>500", f"<SampleBase>{base}")
                                              .replace("<SampleExponent>0", f"<SampleExponent>{exponent}")),
           Read(PLAIN.microvolts, rate, DERIVED))
      for base, exponent, rate in (("250", "0", 250.0), ("5", "2", 500.0), ("5000", "-1", 500.0), ("1000", "0", 1000.0))),
    *(case(f"lead name {first}", muse(RHYTHM.replace(f"<LeadID>{second}<", f"<LeadID>{first}<")))
      for first, second in (("Lead I", "I"), ("DI", "I"), ("V01", "V1"), ("v1", "V1"), ("MLII", "II"))),
    # samples
    case("in one line", muse(leads(width=10**6))),
    case("lines of 4", muse(leads(width=4))),
    case("lines of 3", muse(leads(width=3))),
    case("no padding, two missing", muse(shorter(59)), cut(59)),
    case("no padding, one missing", muse(shorter(58)), cut(58)),
    case("numbers with blanks", muse(each(lambda v: " ".join(map(str, v))))),
    case("numbers with commas", muse(each(lambda v: ",".join(map(str, v))))),
    case("numbers in lines", muse(each(lambda v: "\n" + "\r\n".join(map(str, v)) + "\n"))),
    case("numbers with semicolons", muse(each(lambda v: "; ".join(map(str, v)) + ";"))),
    case("a number too many", muse(each(lambda v: " ".join(map(str, [*v, 1])))), Dropped("signal_truncated", "122 bytes")),
    case("numbers beyond 16 bits", muse(each(lambda v: " ".join(map(str, [*v[1:], 40000])))),
         Dropped("signal_unreadable", "40000")),
    case("numbers with a decimal point", muse(each(lambda v: " ".join(f"{x}.5" for x in v))), Dropped("signal_unreadable")),
    case("no checksum", muse(leads(LeadDataCRC32=""))),
    case("checksum 0", muse(leads(LeadDataCRC32="0"))),
    case("a wrong checksum", muse(leads(LeadDataCRC32="7")), Dropped("signal_checksum", "the file says 7")),
    case("no counts", muse(leads(LeadByteCountTotal="", LeadSampleCountTotal=""))),
    case("a wrong count", muse(leads(LeadSampleCountTotal="61")), Dropped("signal_truncated", "61 samples")),
    *(case(f"LeadOff {word}", muse(offered(word, "V3")), Read(PLAIN.microvolts, flags=DERIVED | {"lead_off_stated": "V3"}))
      for word in ("TRUE", "True", "true")),
    case("LeadOff FALSE", muse(offered("FALSE", "V3"))),
    # what is there
    case("a median before the rhythm", muse(waveform("Median", [lead(n, list(range(9))) for n in LEADS]) + RHYTHM)),
    case("twelve leads", muse(rhythm({n: v.tolist() for n, v in MICROVOLTS.items()}).replace(">4.88<", ">1<")),
         Read(PLAIN.microvolts)),
    case("six leads", muse(waveform("Rhythm", [lead(n, LISTS[n], step="1") for n in LEADS[2:]])),
         Read(standard({n: STEPS[n] for n in LEADS[2:]}).astype(np.int16))),
    case("a lead that is none", muse(waveform("Rhythm", [lead(n, v, step="1") for n, v in (LISTS | {"X": LISTS["I"]}).items()])),
         Read(PLAIN.microvolts, flags=DERIVED | {"leads_ignored": "X"})),
    case("leads by the user's name", muse(RHYTHM.replace("<LeadID>V1<", "<LeadID>C1<")), keys={"leads": {"C1": "V1"}}),
    case("a lead twice", muse(waveform("Rhythm", [lead(n, LISTS[n], step="1") for n in (*LEADS, "V1")])), Dropped("lead_repeated")),
    case("only a median", muse(waveform("Median", [lead(n, [1]) for n in LEADS])), Dropped("signal_missing", "0 waveforms")),
    case("HL7", b'<?xml version="1.0"?><AnnotatedECG xmlns="urn:hl7-org:v3"/>', Dropped("xml_unknown", "AnnotatedECG")),
    case("no XML", b"RestingECG", Dropped("xml_invalid")),
    case("nothing", b"", Dropped("xml_invalid")),
    case("a cut file", muse(RHYTHM)[:-40], Dropped("xml_invalid")),
]  # fmt: skip
