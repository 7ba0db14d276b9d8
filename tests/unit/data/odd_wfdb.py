"""What writes odd WFDB records, for the cases of `odd_wfdb_signals`, `odd_wfdb_headers` and `odd_wfdb_files`.

Unless a case says otherwise a record is `r.hea` and `r.dat`: twelve leads of `SAMPLES` in format 16, 1000 steps a mV,
so that a step is a microvolt.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from ecglfm.config import LEADS
from tests.unit.data.odd_files import Case, Read, standard

N = 60
SAMPLES = (np.arange(N * 12).reshape(N, 12) * 7 % 201 - 100).astype(np.int64)  # small enough for 8 bits
SAMPLES[:, :2] -= SAMPLES[:, :2] % 2  # half of I or II, which other limb leads are made of, is a whole number
FIRST = SAMPLES[0, 0]
assert SAMPLES[0].all()
EXTRA = np.column_stack([SAMPLES, np.full(N, 60)])  # a channel more, of something else
EIGHT = ("I", "II", *LEADS[6:])
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


# ---- some of the leads -----------------------------------------------------------------------------------------------

_LIMB = {"I": SAMPLES[:, 0], "II": SAMPLES[:, 1], "III": SAMPLES[:, 1] - SAMPLES[:, 0],
         "aVR": -(SAMPLES[:, 0] + SAMPLES[:, 1]) / 2, "aVL": SAMPLES[:, 0] - SAMPLES[:, 1] / 2,
         "aVF": SAMPLES[:, 1] - SAMPLES[:, 0] / 2}  # fmt: skip


def only(*names: str, derived: Sequence[str] = ()) -> np.ndarray:
    """Microvolts of some leads as they are stored, and some that follow from I and II."""
    columns = {name: SAMPLES[:, LEADS.index(name)] for name in names}
    return standard(columns | {name: np.rint(_LIMB[name]).astype(np.int16) for name in derived})
