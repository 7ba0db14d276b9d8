"""Two thousand damaged files for each reader of XML: one sentence each, in no time, and nothing else is opened.

A file is damaged by what goes wrong on the way (bytes, pieces that are missing or come twice) and by what somebody may
mean ill with: entities, depth, numbers beyond all bounds, names of other files.
"""

from __future__ import annotations

import gc
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from ecglfm.records import RecordError
from ecglfm.sources.devices.readers import known_format, read_device_file, read_device_head
from ecglfm.sources.inside import Root
from tests.unit.sources import vendor_file
from tests.unit.sources.cardiosoft_file import cardiosoft, strip
from tests.unit.sources.muse_file import muse, rhythm
from tests.unit.sources.vendor_file import TWELVE, wave

N_FILES = 2000
SECONDS = 1.0  # of processor time
LEADS = TWELVE[:2]
STEPS = wave(12, 2)

FILES: dict[str, bytes] = {
    "muse": muse(rhythm({lead: [100, -100] * 6 for lead in LEADS})),
    "cardiosoft": cardiosoft(strip({lead: [1, -1] * 6 for lead in LEADS})),
    "aecg": vendor_file.aecg(STEPS, LEADS),
    "sierra": vendor_file.sierra(wave(12), TWELVE),
    "mortara": vendor_file.mortara(STEPS, LEADS),
}

#: What stands somewhere instead of something.
WORDS = [
    b"<", b">", b"&", b"&x;", b"&#0;", b"&lt;", b"\0", b"\xff\xfe", b"<!--", b"]]>", b"<![CDATA[", b"<a>" * 100,
    b"</a>", b"-1", b"0", b"1e999", b"nan", b"inf", b"9" * 400, b"99999999999", b"0.0000000001", b"-9223372036854775808",
    b"../../../../etc/passwd", b"file:///etc/passwd", b"/dev/zero", b"\xf0\x9f\xab\x80", b"A" * 5000, b"=", b"",
    b'<?xml version="1.0" encoding="utf-16"?>', b'encoding="zip_codec"',
]  # fmt: skip
#: What stands before the root element.
DOCTYPES = [
    b'<!DOCTYPE x [<!ENTITY x SYSTEM "file:///etc/hostname">]>',
    b'<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY x "' + b"&a;" * 50 + b'">]>',
    b'<!DOCTYPE x SYSTEM "file:///etc/hostname">',
    b'<!DOCTYPE x [<!ENTITY % p SYSTEM "file:///etc/hostname"> %p;]>',
    b'<!DOCTYPE x PUBLIC "-//X//Y" "http://localhost:9/x.dtd" [<!ATTLIST a b CDATA "c">]>',
]


def damaged(content: bytes, random: np.random.Generator) -> bytes:
    """The file with one to three things wrong with it."""
    for _ in range(random.integers(1, 4)):
        at, end = sorted(random.integers(0, len(content) + 1, 2).tolist())
        short = min(end, at + int(random.integers(1, 40)))
        kind = random.integers(8)
        if kind == 0:  # a byte is another
            content = content[:at] + bytes([random.integers(256)]) + content[at + 1 :]
        elif kind == 1:  # it ends
            content = content[:at]
        elif kind == 2:  # a piece is missing
            content = content[:at] + content[short:]
        elif kind == 3:  # a piece comes twice
            content = content[:end] + content[at:end][:2000] + content[end:]
        elif kind == 4:
            content = content[:at] + WORDS[random.integers(len(WORDS))] + content[short:]
        elif kind == 5:  # the text of an element, or of an attribute
            ends, quote = (b"<", b">") if random.integers(2) else (b'"', b'"')
            at = content.find(quote, at) + 1
            close = content.find(ends, at)
            content = content[:at] + WORDS[random.integers(len(WORDS))] + content[max(close, at) :]
        elif kind == 6:
            head = content.find(b"?>") + 2 if content.startswith(b"<?xml") else 0
            content = content[:head] + DOCTYPES[random.integers(len(DOCTYPES))] + content[head:]
        else:  # elements in each other
            depth = int(random.integers(1, 2000))
            content = content[:at] + b"<q>" * depth + b"</q>" * depth + content[at:]
    return content


class Opened:
    """Paths that are opened while it watches; hooks of Python cannot be taken out again."""

    def __init__(self) -> None:
        self.paths: set[str] | None = None
        sys.addaudithook(self._hook)

    def _hook(self, event: str, arguments: tuple[object, ...]) -> None:
        if self.paths is not None and event == "open":
            self.paths.add(str(arguments[0]))


@pytest.fixture(scope="module")
def opened() -> Opened:
    return Opened()


@pytest.fixture
def one_second() -> Iterator[Callable[[], None]]:
    """Call it before each file: the process is interrupted a second of its time later."""

    def late(*_: object) -> None:
        pytest.fail(f"more than {SECONDS} s")

    before = signal.signal(signal.SIGVTALRM, late)
    gc.freeze()  # what thousands of tests before left in this process is not the reader's to look through
    yield lambda: signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS) and None
    signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    gc.unfreeze()
    signal.signal(signal.SIGVTALRM, before)


def read(root: Root) -> RecordError | None:
    """What is wrong with the file; None where it can be read."""
    try:
        found = known_format(root, "a.xml")
        if not found.extra:  # for else it is the same reading
            read_device_head(root, "a.xml", found)
        read_device_file(root, "a.xml", found).microvolts()
    except RecordError as error:
        return error
    return None


@pytest.mark.parametrize("reader", FILES)
def test_damaged_files(tmp_path: Path, reader: str, opened: Opened, one_second: Callable[[], None]) -> None:
    random, root, path = np.random.default_rng(20), Root(tmp_path), tmp_path / "a.xml"
    path.write_bytes(FILES[reader])
    assert read(root) is None
    errors = []
    for _ in range(N_FILES):
        path.write_bytes(damaged(FILES[reader], random))
        one_second()
        opened.paths = set()
        errors.append(read(root))
        outside = {name for name in opened.paths if not name.startswith((str(tmp_path), "/proc/self/fd/"))}
        outside = {name for name in outside if not name.endswith((".py", ".pyc", ".so"))}  # encodings are imported
        opened.paths = None
        assert outside == set()
    said = [str(error) for error in errors if error is not None]
    assert max(map(len, said)) < 600
    assert not any("\n" in text for text in said)
    assert 20 < errors.count(None) < N_FILES - 500  # most of the damage is seen, and not all files are dead
    assert len({error.reason for error in errors if error is not None}) > 4


@pytest.mark.parametrize("reader", FILES)
@pytest.mark.parametrize("doctype", DOCTYPES[:2])
def test_no_entity_is_expanded(tmp_path: Path, reader: str, doctype: bytes) -> None:
    content = FILES[reader]
    head = content.find(b"?>") + 2
    content = content.replace(b'<!DOCTYPE RestingECG SYSTEM "restecg.dtd">', b"")
    (tmp_path / "a.xml").write_bytes(content[:head] + doctype + content[head:])
    error = read(Root(tmp_path))
    assert error is not None
    assert (error.reason, "entity" in error.detail) == ("xml_invalid", True)
