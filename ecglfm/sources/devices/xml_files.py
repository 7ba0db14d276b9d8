"""XML that comes from elsewhere, read without opening or expanding anything that it names.

Files are decoded before they are parsed: expat knows few encodings, and hospitals' exports declare others than they are
written in. A byte order mark beats the declaration. Control characters, which XML forbids and devices write all the
same, are left out; namespace prefixes are, too.

The standard library's expat fetches no external DTD and no external entity by itself. Entities that a file declares
(the "billion laughs") are refused, and so are references to entities that are not known, which expat would leave out.
"""

from __future__ import annotations

import codecs
import contextlib
import os
import re
from collections.abc import Collection
from typing import NoReturn
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from ecglfm.records import RecordError
from ecglfm.sources.inside import Root

MAX_BYTES = 1 << 24  # ten seconds of twelve leads are 1 % of it
MAX_DEPTH = 64
MAX_ELEMENTS = 1 << 16  # each takes fifty times the memory that it takes in the file
MAX_TAG = 1 << 20  # bytes between two events of the parser: a tag of a million attributes is read for minutes
_BLOCK = 1 << 16
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"), (b"<\0", "utf-16-le"), (b"\0<", "utf-16-be"),
)  # fmt: skip
_DECLARED = re.compile(rb"""^\s*<\?xml[^>]*?\sencoding\s*=\s*["']([A-Za-z][\w.:-]{0,39})["']""", re.ASCII)
#: What is meant by a name: files that declare the smaller set hold characters of the larger one.
_WIDER = {"shift_jis": "cp932", "gb2312": "gb18030", "gbk": "gb18030", "ascii": "utf-8"}
#: Text encodings for files; Python's others (punycode, unicode_escape, …) transform, and those of bytes unpack.
_NO_FILES = {"idna", "mbcs", "oem", "punycode", "raw_unicode_escape", "raw-unicode-escape", "undefined",
             "unicode_escape", "unicode-escape", "utf-7"}  # fmt: skip
_CONTROLS = bytes(set(range(32)) - {9, 10, 13})


class _Enough(Exception):  # noqa: N818 (no error)
    """The element to stop at begins."""


class _Builder:
    """Builds the tree from expat's events."""

    def __init__(self, path: str, stop: str | None, skip: Collection[str]) -> None:
        self.tree = TreeBuilder()
        self.parser = expat.ParserCreate("utf-8")  # whatever the file declares: it is decoded before
        self.parser.buffer_text, self.parser.buffer_size = True, _BLOCK
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self.tree.data
        self.parser.EntityDeclHandler = self._refuse_declaration
        self.parser.SkippedEntityHandler = self._refuse_reference
        self._path = path
        self._stop, self._skip = stop, skip
        self._open: list[str] = []
        self._elements = 0
        self._fed = 0

    def feed(self, text: str, final: bool = False) -> None:
        """Parse more of the file."""
        content = text.encode().translate(None, _CONTROLS)  # in UTF-8, too, they are bytes of their own
        self.parser.Parse(content, final)
        self._fed += len(content)
        if self._fed - self.parser.CurrentByteIndex > MAX_TAG:
            raise RecordError("xml_invalid", f"{self._path}: a tag or comment of more than {MAX_TAG} bytes")

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        tag = tag.rpartition(":")[2]
        if tag == self._stop:
            raise _Enough
        if len(self._open) == MAX_DEPTH:
            raise RecordError("xml_invalid", f"{self._path}: elements stand in each other {MAX_DEPTH} deep")
        self._elements += 1
        if self._elements > MAX_ELEMENTS:
            raise RecordError("xml_invalid", f"{self._path}: more than {MAX_ELEMENTS} elements")
        self._open.append(tag)
        self.tree.start(tag, attributes)
        if tag in self._skip:
            self.parser.CharacterDataHandler = None

    def _end(self, tag: str) -> None:
        ended = self._open.pop()
        self.tree.end(ended)
        if ended in self._skip:
            self.parser.CharacterDataHandler = self.tree.data

    def _refuse_declaration(self, name: str, *_: object) -> NoReturn:
        raise RecordError("xml_invalid", f"{self._path}: declares the entity {name[:40]!r}, which is not accepted")

    def _refuse_reference(self, name: str, *_: object) -> NoReturn:
        raise RecordError("xml_invalid", f"{self._path}: refers to the entity {name[:40]!r}, which it does not define")

    def close(self) -> Element:
        """The root element; what is still open ends here."""
        while self._open:
            self.tree.end(self._open.pop())
        return self.tree.close()


def _decoder(start: bytes) -> codecs.IncrementalDecoder:
    """Decoder for a file with this beginning: of its byte order mark, else of its declaration, else UTF-8.

    Raises
    ------
    LookupError
        The declared encoding is not known.
    """
    name = next((name for mark, name in _MARKS if start.startswith(mark)), "")
    if not name and (declared := _DECLARED.match(start)):
        name = codecs.lookup(declared[1].decode("ascii")).name
        if name in _NO_FILES or name.startswith("utf-16") or not codecs.lookup(name)._is_text_encoding:
            raise LookupError(f"the file is not in the encoding {name!r} that it declares")
    return codecs.getincrementaldecoder(_WIDER.get(name, name) or "utf-8")()


def first_tag(start: bytes) -> str | None:
    """Tag of the root element of a file that begins like this, without its prefix; None where it is no XML."""
    found: list[str] = []

    def stop(tag: str, _: dict[str, str]) -> NoReturn:
        found.append(tag.rpartition(":")[2])
        raise _Enough

    parser = expat.ParserCreate("utf-8")
    parser.StartElementHandler = stop
    with contextlib.suppress(_Enough, expat.ExpatError, LookupError, ValueError):
        parser.Parse(_decoder(start).decode(start).encode().translate(None, _CONTROLS), False)
    return found[0] if found else None


def read_xml(root: Root, path: str, stop: str | None = None, skip: Collection[str] = ()) -> Element:
    """Read an XML file.

    Parameters
    ----------
    root : Root
        No file outside it is opened.
    path : str
        Relative to the root.
    stop : str, optional
        Tag of an element to stop before; the rest of the file is not read.
    skip : collection of str
        Tags of elements whose text is left out.

    Returns
    -------
    Element
        The root element.

    Raises
    ------
    RecordError
        `path_outside_root`, `signal_missing` (no such file), `xml_invalid`.
    """
    folder, name = root.split(path)
    with root.open(folder, name, "signal_missing") as (descriptor, size):
        if size > MAX_BYTES:
            raise RecordError("xml_invalid", f"{path} is longer than {MAX_BYTES} bytes")
        builder = _Builder(path, stop, skip)
        try:
            block = os.read(descriptor, _BLOCK)
            decoder = _decoder(block)
            while block:
                builder.feed(decoder.decode(block))
                block = os.read(descriptor, _BLOCK)
            builder.feed(decoder.decode(b"", final=True), final=True)
        except _Enough:
            pass
        except RecordError:
            raise
        except (expat.ExpatError, LookupError, ValueError) as error:  # LookupError: an unknown encoding
            raise RecordError("xml_invalid", f"{path}: {error}") from None
        try:
            return builder.close()
        except AssertionError:
            raise RecordError("xml_invalid", f"{path}: no element in it") from None


def text_at(element: Element, path: str) -> str:
    """Text of the first element at a path below another one, without spaces around it; empty where there is none."""
    return (element.findtext(path) or "").strip()
