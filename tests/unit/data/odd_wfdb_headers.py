"""Odd WFDB headers: names of leads and records, encodings, comments, rates, with what must come of each."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from ecglfm.config import LEADS
from tests.unit.data.odd_files import Case, Dropped, Read
from tests.unit.data.odd_wfdb import EIGHT, EXTRA, PLAIN, SAMPLES, N, Write, only, wfdb

# ---- names of leads --------------------------------------------------------------------------------------------------

_PATTERNS = ["{} (mV)", "{} [uV]", "{}/mV", "Lead{}", "Lead {}", "lead_{}", "LEAD-{}", "EKG {}", "ECG_{}", "ekg{}",
             "ECG Lead {}", "MDC_ECG_LEAD_{}", "Lead {} (Einthoven)", " {} ", "{}_uV", "ECG: {}"]  # fmt: skip
LEAD_NAMES = [
    Case(f"leads like {pattern}".replace("/", " per "), wfdb(leads=[pattern.format(lead) for lead in LEADS]), PLAIN)
    for pattern in _PATTERNS
]
_I2C = {f"C{k}": f"V{k}" for k in range(1, 7)}


def chosen(names: Sequence[str], written: Sequence[str] = (), **kwargs: object) -> Write:
    """A record of some leads, written under other names."""
    columns = [LEADS.index(name) for name in names]
    return wfdb(samples=SAMPLES[:, columns], leads=written or names, **kwargs)  # type: ignore[arg-type]


LEAD_NAMES += [
    Case("leads in capitals", wfdb(leads=[lead.upper() for lead in LEADS]), PLAIN),
    Case("leads in small letters", wfdb(leads=[lead.lower() for lead in LEADS]), PLAIN),
    Case("D1 D2 D3 and V01", wfdb(leads=["D1", "D2", "D3", *LEADS[3:6], *(f"V0{k}" for k in range(1, 7))]), PLAIN),
    Case("DI DII DIII", wfdb(leads=["DI", "DII", "DIII", *LEADS[3:]]), PLAIN),
    Case("leads apart", wfdb(leads=["I", "II", "III", "a VR", "aV L", "aV-F", *(f"V {k}" for k in range(1, 7))]), PLAIN),
    Case("Roman numerals of their own", wfdb(leads=["Ⅰ", "Ⅱ", "Ⅲ", *LEADS[3:]]), PLAIN),
    Case("leads backwards", wfdb(samples=SAMPLES[:, ::-1], leads=LEADS[::-1]), PLAIN),
    Case("C1 to C6, not named", wfdb(leads=[*LEADS[:6], *_I2C]),
         Read(only(*LEADS[:6]), flags={"leads_ignored": "C1 C2 C3 C4 C5 C6 not among the standard leads; if they are, "
                                       "say which they are with `leads: {THEIR NAME: V1, …}`"})),
    Case("C1 to C6, named", wfdb(leads=[*LEADS[:6], *_I2C]), PLAIN, keys={"leads": _I2C}),
    Case("c1 to c6 in another spelling", wfdb(leads=[*LEADS[:6], *(name.lower() for name in _I2C)]), PLAIN,
         keys={"leads": _I2C}),
    Case("no names", wfdb(leads=[""] * 12), Dropped("lead_missing", "`file_leads`")),
    Case("no names, but in the config", wfdb(leads=[""] * 12), PLAIN, keys={"file_leads": list(LEADS)}),
    Case("names of the config win", wfdb(leads=LEADS[::-1]), PLAIN, keys={"file_leads": list(LEADS)}),
    Case("more channels than the config names", wfdb(samples=EXTRA, leads=(*LEADS, "x")),
         Dropped("lead_count", "`file_leads` names 12 leads, the file has 13"), keys={"file_leads": list(LEADS)}),
    Case("C1 to C6 in file_leads", wfdb(leads=["?"] * 12), PLAIN,
         keys={"file_leads": [*LEADS[:6], *_I2C], "leads": _I2C}),
    Case("a lead twice", wfdb(leads=[*LEADS[:11], "V5"]), Dropped("lead_repeated", "`file_leads`")),
    Case("a lead twice in two spellings", wfdb(leads=[*LEADS[:11], "Lead V5"]), Dropped("lead_repeated", "V5")),
    Case("Frank leads only", wfdb(samples=SAMPLES[:, :3], leads=["vx", "vy", "vz"]), Dropped("lead_missing", "vx vy vz")),
    Case("eight leads", chosen(EIGHT),
         Read(only(*EIGHT, derived=LEADS[2:6]), flags={"leads_derived": "III aVR aVL aVF"})),
    Case("recorded limb leads are taken as they are", wfdb(leads=["LeadI", "LeadII", "LeadIII", *LEADS[3:]]), PLAIN),
    Case("a recorded limb lead of odd spelling is not computed", wfdb(leads=["I", "II", "III filtered", *LEADS[3:]]),
         Read(only("I", "II", *LEADS[3:]), flags={"leads_ignored": "III filtered not among the standard leads; if they"})),
    Case("and is taken once it is named", wfdb(leads=["I", "II", "III filtered", *LEADS[3:]]), PLAIN,
         keys={"leads": {"III filtered": "III"}}),
    Case("an inverted aVR is another lead", wfdb(leads=["I", "II", "III", "-aVR", *LEADS[4:]]),
         Read(only("I", "II", "III", *LEADS[4:], derived=["aVR"]), flags={"leads_derived": "aVR", "leads_ignored": "-aVR"})),
    Case("three leads", chosen(("I", "II", "V2")),
         Read(only("I", "II", "V2", derived=LEADS[2:6]), flags={"leads_derived": "III"})),
    Case("two leads swapped by the config", wfdb(leads=["II", "I", *LEADS[2:]]), PLAIN,
         keys={"leads": {"I": "II", "II": "I"}}),
]  # fmt: skip

# ---- names of records and files, encodings, comments -----------------------------------------------------------------

NAMES = [
    Case(f"record {name}", wfdb(name=name), PLAIN, record=name)
    for name in ("my recording", "two  spaces", "Müller", "Jörg Müller 2", "心电图", "1.2.840.113619.2", "a.b.mat", "a+b(1)",
                 "it's", "a,b;c", "r_1-2", "2024", "x 12 500 60", "r" * 200, "rec#1", "50%")
]  # fmt: skip
NAMES += [
    Case(
        "header composed, file decomposed",
        wfdb(name=unicodedata.normalize("NFD", "Zoë"), header_name=unicodedata.normalize("NFC", "Zoë")),
        PLAIN,
        record=unicodedata.normalize("NFD", "Zoë"),
    ),
    Case("record name with the ending .mat", wfdb(("r 12 ", "r.mat 12 ")), PLAIN),
    Case("header was renamed", wfdb(("r 12 ", "other 12 ")), PLAIN),
    Case("name of the record in Latin-1", wfdb(name="Grün", encoding="latin-1"), PLAIN, record="Grün"),
    Case("point and slash before the file", wfdb(("r.dat", "./r.dat")), PLAIN),
    Case("twice point and slash", wfdb(("r.dat", "././r.dat")), PLAIN),
    Case("tabs between fields", wfdb(("r.dat ", "r.dat\t"), ("r 12 500", "r\t12\t500")), PLAIN),
    Case("space before the lines", wfdb(("r.dat", "  r.dat"), ("r 12", " r 12")), PLAIN),
    Case("a folder deeper", lambda folder: ((folder / "sub").mkdir(), wfdb()(folder / "sub")), PLAIN, record="sub/r"),
]
_NOTES = "#Age: 61\n# Sex: F\n"
_NOTED = {"age": 61.0, "sex": "female"}
TEXTS = [
    Case("lines end as in Windows", wfdb(newline="\r\n", end=_NOTES), PLAIN, row=_NOTED),
    Case("lines end as on old Macs", wfdb(newline="\r", end=_NOTES), PLAIN, row=_NOTED),
    Case("byte order mark", wfdb(encoding="utf-8-sig", end=_NOTES), PLAIN, row=_NOTED),
    Case("byte order mark before a comment", wfdb(encoding="utf-8-sig", before=_NOTES), PLAIN, row=_NOTED),
    Case("UTF-16", wfdb(encoding="utf-16", end=_NOTES), PLAIN, row=_NOTED),
    Case("Latin-1 in a comment", wfdb(encoding="latin-1", end=_NOTES + "# Herzklinik München\n"), PLAIN,
         row=_NOTED | {"report": "Age: 61; Sex: F; Herzklinik München"}),
    Case("a letter of Windows that some take for a line's end", wfdb(encoding="latin-1", end=_NOTES + "# and so on\x85 on\n"),
         PLAIN, row=_NOTED),
    Case("a separator of Unicode in a comment", wfdb(end=_NOTES + "# one\u2028two\n"), PLAIN, row=_NOTED),
    Case("comments first", wfdb(before="# written by hand\n" + _NOTES), PLAIN, row=_NOTED),
    Case("comments between the signals", wfdb((" II\n", " II\n# here\n"), end=_NOTES), PLAIN, row=_NOTED),
    Case("empty lines", wfdb((f"500 {N}\n", f"500 {N}\n\n\n"), end="\n\n" + _NOTES), PLAIN, row=_NOTED),
    Case("control-Z at the end", wfdb(end=_NOTES + "\x1a"), PLAIN, row=_NOTED),
    Case("zeros at the end", wfdb(end=_NOTES + "\0\0"), PLAIN, row=_NOTED),
    Case("a comment of 5000 characters", wfdb(end=_NOTES + "# " + "x" * 5000 + "\n"), PLAIN, row=_NOTED),
    Case("no line's end at the end", wfdb(end="#Age: 61\n#Sex: F"), PLAIN, row=_NOTED),
    Case("date and time", wfdb((f"500 {N}", f"500 {N} 10:00:00 31/12/2020")), PLAIN),
    Case("date before time", wfdb((f"500 {N}", f"500 {N} 05-May-2020 14:50:55")), PLAIN),
    Case("counter frequency", wfdb(("12 500", "12 500/250(3)")), PLAIN),
    Case("rate with decimals", wfdb(("12 500", "12 499.8")), Read(PLAIN.microvolts, 499.8)),
    Case("no rate", wfdb((f"12 500 {N}", "12")), Read(PLAIN.microvolts, 250.0)),
    Case("rate of zero", wfdb(("12 500", "12 0")), Dropped("header_invalid", "sampling rate 0")),
    Case("negative rate", wfdb(("12 500", "12 -500")), Dropped("header_invalid", "sampling rate -500")),
    Case("rate that is no number", wfdb(("12 500", "12 nan")), Dropped("header_invalid", "no record line")),
    Case("a line of 2000 characters", wfdb((" I\n", " I" + "x" * 2000 + "\n")), Dropped("header_invalid", "1000 characters")),
    Case("binary header", lambda folder: (folder / "r.hea").write_bytes(bytes(range(256))), Dropped("header_invalid")),
    Case("empty header", lambda folder: (folder / "r.hea").write_bytes(b""), Dropped("header_empty")),
    Case("comments only", lambda folder: (folder / "r.hea").write_text("# nothing\n"), Dropped("header_empty")),
    Case("header of 2 MB", lambda folder: (folder / "r.hea").write_bytes(b"#" * (1 << 21)),
         Dropped("header_invalid", "longer than 1048576 bytes")),
]  # fmt: skip

CASES: list[Case] = [*LEAD_NAMES, *NAMES, *TEXTS]
