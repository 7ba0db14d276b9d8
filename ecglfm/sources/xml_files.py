"""XML that comes from elsewhere, read without opening or expanding anything that it names.

The standard library's expat fetches no external DTD and no external entity by itself. Entities that a file declares
(the "billion laughs") are refused, and so are references to entities that are not known, which expat would leave out.
"""

from __future__ import annotations

import os
from typing import NoReturn
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from ecglfm.records import RecordError
from ecglfm.sources.inside import Root

MAX_BYTES = 1 << 26
MAX_DEPTH = 64
_BLOCK = 1 << 16


class _Enough(Exception):  # noqa: N818 (no error)
    """The element to stop at begins."""


class _Builder:
    """Builds the tree from expat's events."""

    def __init__(self, path: str, stop: str | None) -> None:
        self.tree = TreeBuilder()
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self.tree.data
        self.parser.EntityDeclHandler = self._refuse_declaration
        self.parser.SkippedEntityHandler = self._refuse_reference
        self._path = path
        self._stop = stop
        self._open: list[str] = []

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == self._stop:
            raise _Enough
        if len(self._open) == MAX_DEPTH:
            raise RecordError("xml_invalid", f"{self._path}: elements stand in each other {MAX_DEPTH} deep")
        self._open.append(tag)
        self.tree.start(tag, attributes)

    def _end(self, tag: str) -> None:
        self.tree.end(self._open.pop())

    def _refuse_declaration(self, name: str, *_: object) -> NoReturn:
        raise RecordError("xml_invalid", f"{self._path}: declares the entity {name[:40]!r}, which is not accepted")

    def _refuse_reference(self, name: str, *_: object) -> NoReturn:
        raise RecordError("xml_invalid", f"{self._path}: refers to the entity {name[:40]!r}, which it does not define")

    def close(self) -> Element:
        """The root element; what is still open ends here."""
        while self._open:
            self.tree.end(self._open.pop())
        return self.tree.close()


def read_xml(root: Root, path: str, stop: str | None = None) -> Element:
    """Read an XML file.

    Parameters
    ----------
    root : Root
        No file outside it is opened.
    path : str
        Relative to the root.
    stop : str, optional
        Tag of an element to stop before; the rest of the file is not read.

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
        builder = _Builder(path, stop)
        try:
            while block := os.read(descriptor, _BLOCK):
                builder.parser.Parse(block, False)
            builder.parser.Parse(b"", True)
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
