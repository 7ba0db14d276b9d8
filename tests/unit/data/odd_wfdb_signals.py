"""Odd WFDB signals: formats, gains, units, checksums, with what must come of each."""

from __future__ import annotations

import numpy as np

from ecglfm.config import LEADS
from tests.unit.data.odd_files import Case, Dropped, Read, standard
from tests.unit.data.odd_wfdb import EXTRA, FIRST, PLAIN, SAMPLES, N, edited, encode, wfdb, whole

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
for _unit in ("mmHg", "NU", "Ohm", "bpm", "%", "adu", "l/min", "°C"):
    UNITS += [
        Case(f"a thirteenth channel in {_unit}".replace("/", " per "),
             wfdb(samples=EXTRA, leads=(*LEADS, "RESP"), gain={12: f"200(0)/{_unit}"}),
             Read(PLAIN.microvolts, flags={"leads_ignored": "RESP"})),
        Case(f"twelve leads in {_unit}".replace("/", " per "), wfdb(gain=f"200(0)/{_unit}"),
             Dropped("unit_unknown", f"lead I is in {_unit!r}")),
    ]  # fmt: skip
UNITS += [
    Case("one of the twelve in NU", wfdb(gain={11: "200/NU"}), Dropped("unit_unknown", "lead V6 is in 'NU'")),
    Case("first channel is a pressure", wfdb(samples=EXTRA[:, ::-1], leads=("ART", *LEADS[::-1]), gain={0: "1/mmHg"}),
         Read(PLAIN.microvolts, flags={"leads_ignored": "ART"})),
    Case("leads in units of their own", wfdb(gain={0: "1/uV", 1: "1000000/V", 2: "0.001/nV"}), PLAIN),
    Case("a pressure in a format of wfdb's",
         wfdb(form="310", samples=EXTRA, leads=(*LEADS, "ART"), gain={12: "1/mmHg"}),
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

CASES: list[Case] = [*FORMATS, *GAINS, *UNITS, *CHECKS]
