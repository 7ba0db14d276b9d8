"""Odd WFDB records, each written here, with the value or the reason that must come of it.

Unless a case says otherwise a record is `r.hea` and `r.dat`: twelve leads of `SAMPLES` in format 16, 1000 steps a mV,
so that a step is a microvolt.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from ecglfm.config import LEADS
from ecglfm.records import SENTINEL
from tests.unit.data.odd_files import Case, Dropped, Read, standard

N = 60
SAMPLES = (np.arange(N * 12).reshape(N, 12) * 7 % 201 - 100).astype(np.int64)  # small enough for 8 bits
SAMPLES[:, :2] -= SAMPLES[:, :2] % 2  # half of I or II, which other limb leads are made of, is a whole number
FIRST = SAMPLES[0, 0]
assert SAMPLES[0].all()
PLAIN = Read(SAMPLES.astype(np.int16))
Write = Callable[[Path], object]


# ---- how signal(5) stores samples ------------------------------------------------------------------------------------


def encode(samples: np.ndarray, form: int) -> bytes:
    """Bytes of samples (n_samples, n_signals), written from signal(5)."""
    flat = [int(value) for value in samples.ravel()]
    if form == 8:  # differences of each signal, the first to its initial value
        steps = np.diff(samples, axis=0, prepend=samples[:1])
        return bytes(int(step) & 255 for step in steps.ravel())
    if form == 80:
        return bytes(value + 128 for value in flat)
    if form == 160:
        return b"".join((value + 32768).to_bytes(2, "little") for value in flat)
    if form == 61:
        return b"".join(value.to_bytes(2, "big", signed=True) for value in flat)
    if form in (16, 24, 32):
        return b"".join(value.to_bytes(form // 8, "little", signed=True) for value in flat)
    if form == 212:
        flat += [0] * (len(flat) % 2)
        pairs = zip(flat[0::2], flat[1::2], strict=True)
        return b"".join(bytes([a & 255, (a >> 8 & 15) | (b >> 8 & 15) << 4, b & 255]) for a, b in pairs)
    flat += [0] * (-len(flat) % 3)
    words = []
    for a, b, c in zip(flat[0::3], flat[1::3], flat[2::3], strict=True):
        a, b, c = a & 1023, b & 1023, c & 1023
        if form == 310:
            words += [a << 1 | (c & 31) << 11, b << 1 | (c >> 5) << 11]
        else:  # 311: one word of 32 bits
            word = a | b << 10 | c << 20
            words += [word & 0xFFFF, word >> 16]
    return b"".join(word.to_bytes(2, "little") for word in words)


# ---- writing ---------------------------------------------------------------------------------------------------------


def wfdb(
    *swaps: tuple[str, str],
    name: str = "r",
    samples: np.ndarray = SAMPLES,
    leads: Sequence[str] = LEADS,
    form: str = "16",
    gain: str | dict[int, str] = "1000.0(0)/mV",
    stated: Callable[[int, int], str] = "{} {}".format,
    end: str = "",
    content: bytes | None = None,
    encoding: str = "utf-8",
    newline: str = "\n",
    before: str = "",
    header_name: str | None = None,
) -> Write:
    """Writer of a record.

    Parameters
    ----------
    swaps : (old, new)
        Changes of the header's text; `old` must be in it.
    gain : str or dict
        Of all signals, or of some by number.
    stated : callable
        First sample and checksum, to how the line says them.
    before, end : str
        Around the header's text.
    content : bytes, optional
        Of the signal file.
    header_name : str, optional
        Name within the header, where it is another one.
    """

    def write(folder: Path) -> None:
        own = header_name or name
        lines = [f"{own} {len(leads)} 500 {len(samples)}"]
        for column, lead in enumerate(leads):
            steps = gain if isinstance(gain, str) else gain.get(column, "1000.0(0)/mV")
            ends = stated(int(samples[0, column]), int(samples[:, column].sum()) % 65536)
            lines.append(f"{own}.dat {form} {steps} 16 0 {ends} 0 {lead}".rstrip())
        text = before + "\n".join(lines) + "\n" + end
        for old, new in swaps:
            assert old in text, old
            text = text.replace(old, new)
        (folder / f"{name}.hea").write_bytes(text.replace("\n", newline).encode(encoding))
        number = int(form.split("x")[0].split(":")[0].split("+")[0])
        stored = encode(samples, number) if content is None else content
        (folder / f"{name}.dat").write_bytes(stored)

    return write


def then(*writers: Write) -> Write:
    """All of them, in turn."""

    def write(folder: Path) -> None:
        for one in writers:
            one(folder)

    return write


def whole(values: np.ndarray) -> Read:
    """Microvolts, rounded as ingest rounds."""
    return Read(np.rint(values).astype(np.int16))


def edited(name: str, *swaps: tuple[str, str], expected: object = PLAIN, **kwargs: object) -> Case:
    """The plain record with some text of the header changed."""
    return Case(name, wfdb(*swaps), expected, **kwargs)  # type: ignore[arg-type]


# ---- formats, gains, baselines, units --------------------------------------------------------------------------------

FORMATS = [Case(f"format {form}", wfdb(form=str(form)), PLAIN) for form in (8, 16, 24, 32, 61, 80, 160, 212, 310, 311)]
FORMATS += [
    Case(f"format {form}, 24 bytes before", wfdb(form=f"{form}+24", content=b"x" * 24 + encode(SAMPLES, form)), PLAIN)
    for form in (16, 24, 32, 61, 80, 160, 212)
]
FORMATS += [
    Case("one sample per frame, said", wfdb(form="16x1"), PLAIN),
    Case("no skew, said", wfdb(form="16:0"), PLAIN),
    Case("format 212, odd number of samples", wfdb(form="212", samples=SAMPLES[:59, :11], leads=LEADS[:11]),
         Read(standard(dict(zip(LEADS, SAMPLES[:59, :11].T, strict=False))))),
    edited("format that does not exist", (" 16 1000", " 17 1000"), expected=Dropped("format_unknown", "format 17")),
    edited("format that is no number", (" 16 1000", " sixteen 1000"), expected=Dropped("header_invalid", "sixteen")),
    Case("one sample marked as missing", wfdb(samples=np.where(np.arange(N * 12).reshape(N, 12) == 100, -32768, SAMPLES)),
         whole(np.where(np.arange(N * 12).reshape(N, 12) == 100, -32768, SAMPLES))),
    Case("format 80, one sample marked as missing",
         wfdb(form="80", samples=np.where(np.arange(N * 12).reshape(N, 12) == 100, -128, SAMPLES)),
         whole(np.where(np.arange(N * 12).reshape(N, 12) == 100, -32768, SAMPLES))),
]  # fmt: skip

_GAINS = {
    "1000": SAMPLES, "+1000/mV": SAMPLES, "1e3/mV": SAMPLES, "1.E3/mV": SAMPLES, "1/uV": SAMPLES, "1000000/V": SAMPLES,
    "0.001/nV": SAMPLES, "200/mV": SAMPLES * 5, "0/mV": SAMPLES * 5, "0": SAMPLES * 5, "0.5/uV": SAMPLES * 2,
    "-1000/mV": -SAMPLES, "1000(20)/mV": SAMPLES - 20, "500(-20)/mV": (SAMPLES + 20) * 2,
    "333.3/mV": SAMPLES * 1000 / 333.3, "12.5(1)/mV": (SAMPLES - 1) * 80, ".5e3(+4)/mV": (SAMPLES - 4) * 2,
}  # fmt: skip
GAINS = [
    Case(f"gain {gain}".replace("/", " per "), wfdb(gain=gain), whole(value)) for gain, value in _GAINS.items()
] + [
    edited("gain absent", *[(f" 1000.0(0)/mV 16 0 {SAMPLES[0, k]} {SAMPLES[:, k].sum() % 65536} 0 {lead}\n", "\n")
                            for k, lead in enumerate(LEADS)],
           expected=Dropped("lead_missing", "`file_leads`")),
    edited("ADC zero is the baseline where none is said", ("1000.0(0)/mV 16 0", "1000/mV 16 50"),
           expected=whole(SAMPLES - 50)),
    edited("a baseline wins over ADC zero", ("1000.0(0)/mV 16 0", "1000(0)/mV 16 50")),
    edited("ADC resolution 0", ("mV 16 0", "mV 0 0")),
    edited("block size 512", *[(f" 0 {lead}\n", f" 512 {lead}\n") for lead in LEADS]),
    Case("a gain for each lead", wfdb(gain={k: f"{100 * (k + 1)}/mV" for k in range(12)}),
         whole(SAMPLES * 10 / (np.arange(12) + 1))),
    Case("a baseline for each lead", wfdb(gain={k: f"1000({k})/mV" for k in range(12)}), whole(SAMPLES - np.arange(12))),
    Case("beyond what int16 holds", wfdb(gain="1/mV"),
         whole(np.where(np.abs(SAMPLES * 1000) > 32767, -32768, SAMPLES * 1000))),
] + [
    edited(f"gain {text}", ("1000.0(0)/mV", f"{text}/mV"), expected=Dropped("header_invalid"))
    for text in ("nan", "1e400", "many", "1000(x)", "inf", "1,5", "1000()")
]  # fmt: skip

_UNITS = {
    1000: ["mV", "mv", "MV", "millivolt", "Millivolts", "mVolt", "mvolts", "(mV)", "[mV]"],
    1: ["uV", "UV", "µV", "\u03bcV", "ÂµV", "microvolt", "microvolts", "microV", "uVolts", "(µV)"],
    0.001: ["nV", "nanovolts"], 1000000: ["V", "volt", "Volts"],
}  # fmt: skip
UNITS = [
    Case(f"unit {unit} ({number})", wfdb(gain=f"{steps}(0)/{unit}"), PLAIN)
    for steps, units in _UNITS.items() for number, unit in enumerate(units)
] + [Case("unit µV in Latin-1", wfdb(gain="1(0)/µV", encoding="latin-1"), PLAIN)]  # fmt: skip
_EXTRA = np.column_stack([SAMPLES, np.full(N, 60)])
for _unit in ("mmHg", "NU", "Ohm", "bpm", "%", "adu", "l/min", "°C"):
    UNITS += [
        Case(f"a thirteenth channel in {_unit}".replace("/", " per "),
             wfdb(samples=_EXTRA, leads=(*LEADS, "RESP"), gain={12: f"200(0)/{_unit}"}),
             Read(PLAIN.microvolts, flags={"leads_ignored": "RESP"})),
        Case(f"twelve leads in {_unit}".replace("/", " per "), wfdb(gain=f"200(0)/{_unit}"),
             Dropped("unit_unknown", f"lead I is in {_unit!r}")),
    ]  # fmt: skip
UNITS += [
    Case("one of the twelve in NU", wfdb(gain={11: "200/NU"}), Dropped("unit_unknown", "lead V6 is in 'NU'")),
    Case("first channel is a pressure", wfdb(samples=_EXTRA[:, ::-1], leads=("ART", *LEADS[::-1]), gain={0: "1/mmHg"}),
         Read(PLAIN.microvolts, flags={"leads_ignored": "ART"})),
    Case("leads in units of their own", wfdb(gain={0: "1/uV", 1: "1000000/V", 2: "0.001/nV"}), PLAIN),
    Case("a pressure in a format of wfdb's",
         wfdb(form="310", samples=_EXTRA, leads=(*LEADS, "ART"), gain={12: "1/mmHg"}),
         Read(PLAIN.microvolts, flags={"leads_ignored": "ART"})),
    Case("a lead in NU in a format of wfdb's", wfdb(form="310", gain={3: "1/NU"}), Dropped("unit_unknown", "aVR")),
]  # fmt: skip

# ---- first samples and checksums -------------------------------------------------------------------------------------

_SUM = str(SAMPLES[:, 4].sum() % 65536)
CHECKS = [
    Case("checksums are zero", wfdb(stated=lambda first, _: f"{first} 0"), PLAIN),
    Case("first samples are zero", wfdb(stated=lambda _, total: f"0 {total}"), PLAIN),
    Case("both are zero", wfdb(stated=lambda *_: "0 0"), PLAIN),
    Case("both are zero in a format of wfdb's", wfdb(form="310", stated=lambda *_: "0 0"), PLAIN),
    Case("both are zero and no length", wfdb((f"12 500 {N}", "12 500"), stated=lambda *_: "0 0"), PLAIN),
    Case("checksums are signed", wfdb(stated=lambda first, total: f"{first} {total - 65536 * (total > 32767)}"), PLAIN),
    Case("checksums are wrong", wfdb(stated=lambda first, total: f"{first} {total + 1}"),
         Dropped("signal_checksum", "I: checksum")),
    edited("one checksum is zero", (f" {_SUM} 0 aVL", " 0 0 aVL"), expected=Dropped("signal_checksum", "aVL: checksum")),
    Case("checksums are zero, a first sample is wrong",
         wfdb((f" 16 0 {FIRST} 0 0 I\n", " 16 0 5 0 0 I\n"), stated=lambda first, _: f"{first} 0"),
         Dropped("signal_checksum", f"I: first sample {FIRST}, the header says 5")),
    Case("wrong in a format of wfdb's", wfdb(form="310", stated=lambda first, total: f"{first} {total + 1}"),
         Dropped("signal_checksum", "checksum")),
    Case("strict, and right", wfdb(), PLAIN, keys={"checks": "strict"}),
    Case("strict, and zero", wfdb(stated=lambda *_: "0 0"), Dropped("signal_checksum", f"first sample {FIRST}"),
         keys={"checks": "strict"}),
    Case("strict, and nothing stated", wfdb(*[(f" 0 {lead}\n", "\n") for lead in LEADS], stated=lambda *_: ""),
         Dropped("signal_checksum", "states none"), keys={"checks": "strict"}),
    Case("off, and wrong", wfdb(stated=lambda first, total: f"{first + 3} {total + 1}"), PLAIN, keys={"checks": "off"}),
    Case("off, and wrong in a format of wfdb's", wfdb(form="310", stated=lambda first, total: f"{first} {total + 1}"),
         PLAIN, keys={"checks": "off"}),
    Case("off, and truncated", wfdb(content=encode(SAMPLES, 16)[:-2]), Dropped("signal_truncated", "59 of 60"),
         keys={"checks": "off"}),
]  # fmt: skip

# ---- names of leads --------------------------------------------------------------------------------------------------

_PATTERNS = ["{} (mV)", "{} [uV]", "{}/mV", "Lead{}", "Lead {}", "lead_{}", "LEAD-{}", "EKG {}", "ECG_{}", "ekg{}",
             "ECG Lead {}", "MDC_ECG_LEAD_{}", "Lead {} (Einthoven)", " {} ", "{}_uV", "ECG: {}"]  # fmt: skip
LEAD_NAMES = [
    Case(f"leads like {pattern}".replace("/", " per "), wfdb(leads=[pattern.format(lead) for lead in LEADS]), PLAIN)
    for pattern in _PATTERNS
]
_I2C = {f"C{k}": f"V{k}" for k in range(1, 7)}
_EIGHT = ("I", "II", *LEADS[6:])
_LIMB = {"I": SAMPLES[:, 0], "II": SAMPLES[:, 1], "III": SAMPLES[:, 1] - SAMPLES[:, 0],
         "aVR": -(SAMPLES[:, 0] + SAMPLES[:, 1]) / 2, "aVL": SAMPLES[:, 0] - SAMPLES[:, 1] / 2,
         "aVF": SAMPLES[:, 1] - SAMPLES[:, 0] / 2}  # fmt: skip


def only(*names: str, derived: Sequence[str] = ()) -> np.ndarray:
    """Microvolts of some leads as they are stored, and some that follow from I and II."""
    columns = {name: SAMPLES[:, LEADS.index(name)] for name in names}
    return standard(columns | {name: np.rint(_LIMB[name]).astype(np.int16) for name in derived})


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
    Case("more channels than the config names", wfdb(samples=_EXTRA, leads=(*LEADS, "x")),
         Dropped("lead_count", "`file_leads` names 12 leads, the file has 13"), keys={"file_leads": list(LEADS)}),
    Case("C1 to C6 in file_leads", wfdb(leads=["?"] * 12), PLAIN,
         keys={"file_leads": [*LEADS[:6], *_I2C], "leads": _I2C}),
    Case("a lead twice", wfdb(leads=[*LEADS[:11], "V5"]), Dropped("lead_repeated", "`file_leads`")),
    Case("a lead twice in two spellings", wfdb(leads=[*LEADS[:11], "Lead V5"]), Dropped("lead_repeated", "V5")),
    Case("Frank leads only", wfdb(samples=SAMPLES[:, :3], leads=["vx", "vy", "vz"]), Dropped("lead_missing", "vx vy vz")),
    Case("eight leads", chosen(_EIGHT),
         Read(only(*_EIGHT, derived=LEADS[2:6]), flags={"leads_derived": "III aVR aVL aVF"})),
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

# ---- lengths, files, hostile paths, links ----------------------------------------------------------------------------

_BYTES = encode(SAMPLES, 16)


def two_files(*, shorter: bool = False, length: str = f" {N}") -> Write:
    """Limb leads in one file, chest leads in another."""

    def write(folder: Path) -> None:
        wfdb((f"12 500 {N}", f"12 500{length}"), *[(f"r.dat 16 1000.0(0)/mV 16 0 {SAMPLES[0, k]} {SAMPLES[:, k].sum() % 65536} 0 {LEADS[k]}\n",
               f"s.dat 16 1000.0(0)/mV 16 0 {SAMPLES[0, k]} {SAMPLES[:, k].sum() % 65536} 0 {LEADS[k]}\n") for k in range(6, 12)])(folder)  # fmt: skip
        (folder / "r.dat").write_bytes(encode(SAMPLES[:, :6], 16))
        (folder / "s.dat").write_bytes(encode(SAMPLES[: N - shorter, 6:], 16))

    return write


LENGTHS = [
    edited("no length", (f"12 500 {N}", "12 500")),
    edited("length of zero", (f"12 500 {N}", "12 500 0")),
    edited("fewer samples than the file has", (f"500 {N}", "500 30"),
           expected=Dropped("signal_checksum")),
    Case("fewer samples than the file has, unchecked", wfdb((f"500 {N}", "500 30")), Read(PLAIN.microvolts[:30]),
         keys={"checks": "off"}),
    Case("bytes after the end", wfdb(content=_BYTES + b"tail"), PLAIN),
    Case("a byte lost", wfdb(content=_BYTES[:-1]), Dropped("signal_truncated", "59 of 60")),
    Case("a byte lost and no length", wfdb((f"12 500 {N}", "12 500"), content=_BYTES[:-1]), Dropped("signal_truncated")),
    Case("half lost", wfdb(content=_BYTES[: len(_BYTES) // 2]), Dropped("signal_truncated", "30 of 60")),
    Case("no byte left", wfdb(content=b""), Dropped("signal_empty", "0 bytes")),
    Case("less than a frame", wfdb((f"12 500 {N}", "12 500"), content=b"ab"), Dropped("signal_truncated")),
    Case("an offset beyond the file", wfdb(form="16+9999", content=_BYTES), Dropped("signal_empty")),
    edited("a length that no file has", (f"500 {N}", "500 999999999999"), expected=Dropped("signal_truncated")),
    Case("a length that no file has, in a format of wfdb's", wfdb((f"500 {N}", "500 999999999999"), form="310"),
         Dropped("signal_too_long")),
    Case("half lost in a format of wfdb's", wfdb(form="310", content=encode(SAMPLES, 310)[:300]),
         Dropped("signal_unreadable")),
    edited("more signals announced than listed", ("r 12", "r 13"), expected=Dropped("header_invalid", "announces 13")),
    edited("fewer signals announced than listed", ("r 12", "r 11"), expected=Dropped("header_invalid", "lists 12")),
    edited("no signals announced", ("r 12", "r 0"), expected=Dropped("header_invalid", "announces 0")),
    Case("no signal file", then(wfdb(), lambda folder: (folder / "r.dat").unlink()), Dropped("signal_missing", "r.dat")),
    Case("signal file is a folder", then(wfdb(), lambda f: ((f / "r.dat").unlink(), (f / "r.dat").mkdir())),
         Dropped("signal_missing", "not a file")),
    Case("signal file is a pipe", then(wfdb(), lambda f: ((f / "r.dat").unlink(), os.mkfifo(f / "r.dat"))),
         Dropped("signal_missing", "not a file")),
    Case("two signal files", two_files(), PLAIN),
    Case("two signal files and no length", two_files(length=""), PLAIN),
    Case("two signal files, one shorter", two_files(shorter=True), Dropped("signal_truncated", "s.dat holds 59")),
    Case("two signal files, one shorter and no length", two_files(shorter=True, length=""),
         Dropped("header_invalid", "differ in theirs")),
    edited("two formats in a file", (f"r.dat 16 1000.0(0)/mV 16 0 {FIRST} ", f"r.dat 80 1000.0(0)/mV 16 0 {FIRST} "),
           expected=Dropped("header_invalid", "in one format and offset")),
    Case("no header", lambda folder: None, Dropped("header_missing", "r.hea"), keys={"table": "all.csv"}),
    Case("a table that leaves the root", lambda folder: None, Dropped("path_outside_root"), record="../../secret",
         keys={"table": "all.csv"}, public=False),
    Case("a table names the signal file", wfdb(), PLAIN, keys={"table": "all.csv"}),
]  # fmt: skip

_PATHS = [
    "../r.dat",
    "/etc/passwd",
    "sub/r.dat",
    "..\\r.dat",
    "..",
    ".",
    "-",
    "./",
    "./../r.dat",
    "s3://b/r.dat",
    "C:r.dat",
]
PATHS = [
    Case(f"header names {name}".replace("/", "|").replace("\\", "!"), wfdb(("r.dat", name)), Dropped("path_outside_root"))
    for name in _PATHS
] + [
    Case("header names ~", wfdb(("r.dat", "~")), Dropped("signal_missing")),
    Case("header names a path, and links are followed", wfdb(("r.dat", "../r.dat")), Dropped("path_outside_root"),
         keys={"links": "follow"}),
    Case("a segment names a path, and links are followed",
         lambda folder: (folder / "r.hea").write_text("r/1 12 500 60\n../x 60\n"), Dropped("path_outside_root"),
         keys={"links": "follow"}),
]  # fmt: skip


def linked(*, root: str = "") -> Write:
    """A record of symbolic links into `outside/` beside the root, or into a folder in it."""

    def write(folder: Path) -> None:
        away = folder / root if root else folder.parents[1] / "outside" / folder.name
        away.mkdir(parents=True)
        wfdb()(away)
        for name in ("r.hea", "r.dat"):
            (folder / name).symlink_to(away / name)

    return write


def linked_folder(folder: Path) -> None:
    """A symbolic link to a folder beside the root that holds a record, and a loop in it."""
    away = folder.parents[1] / "outside" / folder.name
    away.mkdir(parents=True)
    wfdb()(away)
    (away / "again").symlink_to(away)
    (away / "back").symlink_to(folder)
    (folder / "sub").symlink_to(away)


LINKS = [
    Case("links lead outside", linked(), Dropped("path_outside_root", "`links: follow`")),
    Case("links lead outside and are followed", linked(), PLAIN, keys={"links": "follow"}),
    Case("links lead where they may", linked(), PLAIN, keys={"links": ["FOLDER/outside"]}),
    Case("links lead elsewhere than they may", linked(), Dropped("path_outside_root", "`links: [DIR]`"),
         keys={"links": ["FOLDER/elsewhere"]}),
    Case("links lead to another folder inside", linked(root="there"), PLAIN, public=False),
    Case("a folder is a link and is followed", linked_folder, PLAIN, record="sub/r", keys={"links": "follow"}),
    Case("a folder is a link to where it may lead", linked_folder, PLAIN, record="sub/r",
         keys={"links": ["FOLDER/outside"]}),
    Case("a loop of links", then(wfdb(), lambda f: ((f / "r.dat").unlink(), (f / "r.dat").symlink_to("r.dat"))),
         Dropped("path_outside_root", "cannot be resolved")),
    Case("a link to nothing", then(wfdb(), lambda f: ((f / "r.dat").unlink(), (f / "r.dat").symlink_to("gone"))),
         Dropped("signal_missing")),
    Case("a link to a device", then(wfdb(), lambda f: ((f / "r.dat").unlink(), (f / "r.dat").symlink_to("/dev/zero"))),
         Dropped("signal_missing", "not a file"), keys={"links": "follow"}),
]  # fmt: skip

# ---- skew, frames, segments ------------------------------------------------------------------------------------------

_LATE = SAMPLES.copy()
_LATE[:-2, :] = SAMPLES[2:, :]
_LATE[-2:, :] = -32768
_DOUBLE = np.empty((N, 24), dtype=np.int64)  # frames of two samples, whose mean is the sample
_DOUBLE[:, 0::2], _DOUBLE[:, 1::2] = SAMPLES - 3, SAMPLES + 3
_MIXED = np.column_stack([_DOUBLE[:, :2], SAMPLES[:, 1:]])  # of lead I only


def frames(samples: np.ndarray, double: Sequence[int]) -> Write:
    """A record some of whose leads have two samples a frame; checksums are of all samples."""

    def write(folder: Path) -> None:
        lines, start = [f"r 12 500 {N}"], 0
        for k, lead in enumerate(LEADS):
            own = samples[:, start : start + 1 + (k in double)]
            start += own.shape[1]
            form = "16x2" if k in double else "16"
            lines.append(f"r.dat {form} 1000/mV 16 0 {own[0, 0]} {own.sum() % 65536} 0 {lead}")
        (folder / "r.hea").write_text("\n".join(lines) + "\n")
        (folder / "r.dat").write_bytes(encode(samples, 16))

    return write


def segments(text: str, *writers: Write) -> Write:
    """A multi-segment header `r.hea` and its segments."""
    return then(*writers, lambda folder: (folder / "r.hea").write_text(text, encoding="utf-8"))


def layout(leads: Sequence[str], units: str = "mV") -> Write:
    """The layout segment of a variable layout."""
    lines = [f"lay {len(leads)} 500 0", *(f"~ 0 1000/{units} 0 0 0 0 0 {lead}" for lead in leads)]
    return lambda folder: (folder / "lay.hea").write_text("\n".join(lines) + "\n")


def part(name: str, names: Sequence[str] = LEADS, start: int = 0, stop: int = N, **kwargs: object) -> Write:
    """A segment with some leads and samples."""
    columns = [LEADS.index(lead) for lead in names]
    return wfdb(name=name, samples=SAMPLES[start:stop][:, columns], leads=names, **kwargs)  # type: ignore[arg-type]


def joined(*blocks: tuple[int, int, Sequence[str]]) -> np.ndarray:
    """Microvolts of segments (start, stop, leads) one after another; of no leads: a gap."""
    signal = np.full((sum(stop - start for start, stop, _ in blocks), 12), SENTINEL)
    at = 0
    for start, stop, names in blocks:
        for lead in names:
            signal[at : at + stop - start, LEADS.index(lead)] = SAMPLES[start:stop, LEADS.index(lead)]
        at += stop - start
    return signal


_TWO = "r/2 12 500 60\na 40\nb 20\n"
_AB = (part("a", stop=40), part("b", start=40))
SEGMENTS = [
    Case("skew of two samples", wfdb(form="16:2", samples=SAMPLES), whole(_LATE)),
    Case("two samples a frame", frames(_DOUBLE, range(12)), PLAIN),
    Case("two samples a frame in one lead", frames(_MIXED, [0]), PLAIN),
    Case("frames without end", wfdb((" 16 1000", " 16x99999999999 1000")), Dropped("signal_too_long")),
    Case("skew without end", wfdb((" 16 1000", " 16:99999999999 1000")), Dropped("signal_too_long")),
    Case("two segments", segments(_TWO, *_AB), PLAIN),
    Case("segments and no length", segments("r/2 12 500\na 40\nb 20\n", *_AB), PLAIN),
    Case("segments of other gains", segments(_TWO, _AB[0], part("b", start=40, gain="1(0)/uV")), PLAIN),
    Case("segments of other formats", segments(_TWO, _AB[0], part("b", start=40, form="310")), PLAIN),
    Case("segments in another order of leads", segments(_TWO, _AB[0], part("b", LEADS[::-1], start=40)), PLAIN),
    Case("a gap between segments", segments("r/3 12 500 70\na 40\n~ 10\nb 20\n", *_AB),
         Read(joined((0, 40, LEADS), (0, 10, ()), (40, 60, LEADS)))),
    Case("a segment twice", segments("r/2 12 500 80\na 40\na 40\n", _AB[0]), Read(joined((0, 40, LEADS), (0, 40, LEADS)))),
    Case("a variable layout", segments("r/3 12 500 60\nlay 0\na 40\nb 20\n", layout(LEADS), _AB[0], part("b", ["II"], 40)),
         Read(joined((0, 40, LEADS), (40, 60, ["II"])))),
    Case("a variable layout with a gap at the start",
         segments("r/3 12 500 50\nlay 0\n~ 10\na 40\n", layout(LEADS), _AB[0]), Read(joined((0, 10, ()), (0, 40, LEADS)))),
    Case("a variable layout with a pressure",
         segments("r/3 13 500 60\nlay 0\na 40\nb 20\n", layout([*LEADS, "ART"]), _AB[0],
                  wfdb(name="b", samples=_EXTRA[40:], leads=[*LEADS, "ART"], gain={12: "1/mmHg"})),
         Read(PLAIN.microvolts, flags={"leads_ignored": "ART"})),
    Case("a lead of the layout that no segment has",
         segments("r/2 12 500 40\nlay 0\na 40\n", layout(LEADS), part("a", _EIGHT, stop=40)),
         Read(only(*_EIGHT, derived=LEADS[2:6])[:40], flags={"leads_derived": "III aVR aVL aVF"})),
    Case("a lead in NU in one segment", segments(_TWO, _AB[0], part("b", start=40, gain={1: "1/NU"})),
         Dropped("unit_unknown", "lead II is in 'NU'")),
    Case("segments of a name with spaces",
         then(part("my record_1", stop=40), part("my record_2", start=40), lambda folder: (folder / "my record.hea").write_text(
             "my record/2 12 500 60\nmy record_1 40\nmy record_2 20\n")), PLAIN, record="my record"),
    Case("segments with zero checksums", segments(_TWO, part("a", stop=40, stated=lambda *_: "0 0"), _AB[1]), PLAIN),
    Case("segments whose leads have no names",
         segments(_TWO, wfdb(name="a", samples=SAMPLES[:40], leads=[""] * 12),
                  wfdb(name="b", samples=SAMPLES[40:], leads=[""] * 12)), PLAIN, keys={"file_leads": list(LEADS)}),
    Case("a damaged segment", segments(_TWO, _AB[0], part("b", start=40, content=encode(SAMPLES[39:59], 16))),
         Dropped("signal_checksum")),
    Case("a truncated segment", segments(_TWO, _AB[0], part("b", start=40, content=encode(SAMPLES[40:59], 16))),
         Dropped("signal_truncated", "b.dat holds 19 of 20")),
    Case("a missing segment", segments(_TWO, _AB[0]), Dropped("header_missing", "b.hea")),
    Case("a segment of another length", segments("r/2 12 500 70\na 40\nb 30\n", *_AB), Dropped("header_invalid", "20 samples")),
    Case("a total that is another", segments("r/2 12 500 61\na 40\nb 20\n", *_AB), Dropped("header_invalid", "61")),
    Case("a segment of another rate", segments(_TWO, _AB[0], wfdb(("500 20", "250 20"), name="b", samples=SAMPLES[40:])),
         Dropped("header_invalid", "250 Hz")),
    Case("a segment with a lead too many", segments("r/2 2 500 60\na 40\nb 20\n", part("a", ["I", "II"], 0, 40), _AB[1]),
         Dropped("header_invalid", "none of the record's")),
    Case("a segment of segments", segments("r/1 12 500 60\nn 60\n", *_AB, lambda folder: (folder / "n.hea").write_text(
        "n/2 12 500 60\na 40\nb 20\n")), Dropped("header_invalid", "must not have segments")),
    Case("gaps only", segments("r/1 12 500 60\n~ 60\n"), Dropped("signal_empty", "gaps only")),
    Case("segments announced and not listed", segments("r/3 12 500 60\na 40\nb 20\n", *_AB),
         Dropped("header_invalid", "announces 3 segments")),
    Case("segments without end", segments("r/2 12 500 999999999999\na 999999999959\nb 40\n", *_AB),
         Dropped("signal_too_long")),
]  # fmt: skip

CASES: list[Case] = [
    *FORMATS, *GAINS, *UNITS, *CHECKS, *LEAD_NAMES, *NAMES, *TEXTS, *LENGTHS, *PATHS, *LINKS, *SEGMENTS
]  # fmt: skip
