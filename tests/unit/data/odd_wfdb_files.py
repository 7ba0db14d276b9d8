"""Odd WFDB files: lengths, hostile paths, links, skew, frames, segments, with what must come of each."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ecglfm.config import LEADS
from ecglfm.records import SENTINEL
from tests.unit.data.odd_files import Case, Dropped, Read
from tests.unit.data.odd_wfdb import (
    EIGHT,
    EXTRA,
    FIRST,
    PLAIN,
    SAMPLES,
    N,
    Write,
    edited,
    encode,
    only,
    then,
    wfdb,
    whole,
)

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
                  wfdb(name="b", samples=EXTRA[40:], leads=[*LEADS, "ART"], gain={12: "1/mmHg"})),
         Read(PLAIN.microvolts, flags={"leads_ignored": "ART"})),
    Case("a lead of the layout that no segment has",
         segments("r/2 12 500 40\nlay 0\na 40\n", layout(LEADS), part("a", EIGHT, stop=40)),
         Read(only(*EIGHT, derived=LEADS[2:6])[:40], flags={"leads_derived": "III aVR aVL aVF"})),
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

CASES: list[Case] = [*LENGTHS, *PATHS, *LINKS, *SEGMENTS]
