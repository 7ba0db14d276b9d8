"""What is held against limits before a library takes memory or time for it: the library believes what a file says.

XML goes through `read_xml` first, which refuses entities, depth and numbers of elements; the library then meets a file
that is known to be tame. Compressed leads are counted without being unpacked.
"""

from __future__ import annotations

import base64
import binascii
from xml.etree.ElementTree import Element

import numpy as np

from ecglfm.records import RecordError
from ecglfm.sources.devices.xml_files import read_xml
from ecglfm.sources.inside import Root

#: Bytes of a file: a resting ECG has a tenth of it, an hour of twelve leads at 500 Hz has 43 MB.
MAX_BYTES = {"dicom": 1 << 26, "edf": 1 << 26, "ishne": 1 << 26, "scp": 1 << 21}
#: Samples of all leads of a compressed file: 87 s of twelve at 1000 Hz. They are unpacked in Python, in half a second.
MAX_UNPACKED = 1 << 20
_CODE_BITS, _HEAD, _END = 10, 8, 1023
_WEIGHTS = 1 << np.arange(_CODE_BITS)[::-1]


def check_size(path: str, reader: str, size: int) -> None:
    """Raise RecordError `signal_too_long` where a file is larger than a recording of its format is."""
    if size > MAX_BYTES[reader]:
        raise RecordError("signal_too_long", f"{path}: {size} bytes; at most {MAX_BYTES[reader]} are read")


def check_xml(root: Root, path: str, reader: str) -> None:
    """Read an XML file as `read_xml` does, and count what is packed in it.

    Raises
    ------
    RecordError
        As `read_xml`; `signal_too_long`, `signal_unreadable`.
    """
    found = read_xml(root, path)
    if reader == "sierra":
        for element in found.iter("parsedwaveforms"):
            _check_packed(element, path)


def _check_packed(element: Element, path: str) -> None:
    if not any(element.get(name) for name in ("compression", "compressmethod")):
        return
    try:
        content = base64.b64decode("".join((element.text or "").split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise RecordError("signal_unreadable", f"{path}: {error}") from None
    if (n := unpacked_size(content)) > 2 * MAX_UNPACKED:
        raise RecordError("signal_too_long", f"{path}: unpacks to {n} bytes or more")


def unpacked_size(content: bytes) -> int:
    """Bytes that chunks of XLI unpack to; not counted further where they are more than twice `MAX_UNPACKED`.

    A chunk is eight bytes, of which the first four are its length, and LZW codes of ten bits. A code above 255 stands
    for what an earlier one did and a byte more, so that lengths are known without the strings. 1023 ends a chunk.
    """
    total = at = 0
    while at + _HEAD < len(content) and total <= 2 * MAX_UNPACKED:
        size = int.from_bytes(content[at : at + 4], "little", signed=True)
        if size <= 0:
            break
        bits = np.unpackbits(np.frombuffer(content, np.uint8)[at + _HEAD : at + _HEAD + size])
        codes = bits[: len(bits) // _CODE_BITS * _CODE_BITS].reshape(-1, _CODE_BITS) @ _WEIGHTS
        total += _length(codes.tolist(), 2 * MAX_UNPACKED - total)
        at += _HEAD + size
    return total


def _length(codes: list[int], enough: int) -> int:
    """Bytes that the codes of a chunk stand for, or more than `enough`."""
    lengths, following, before, total = [1] * 256 + [0] * (_END - 256), 256, 0, 0
    for code in codes:
        if code == _END or total > enough:
            break
        length = lengths[code] or before + 1
        lengths[code] = length
        if before and following < _END:
            lengths[following] = before + 1
            following += 1
        before = length
        total += length
    return total
