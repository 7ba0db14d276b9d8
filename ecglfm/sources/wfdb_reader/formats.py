"""How WFDB signal files store samples: signal(5) of the WFDB Applications Guide.

https://physionet.org/physiotools/wag/signal-5.htm. The formats that take one or two NumPy calls; records in
others are read by `wfdb`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np


def _format_80(content: np.ndarray, count: int) -> np.ndarray:
    """8-bit offset binary: 128 is zero."""
    return content[:count].astype(np.int16) - np.int16(128)


def _format_16(content: np.ndarray, count: int) -> np.ndarray:
    """16-bit two's complement, low byte first."""
    return content.view("<i2")[:count]


def _format_24(content: np.ndarray, count: int) -> np.ndarray:
    """24-bit two's complement, low byte first."""
    wide = np.zeros((count, 4), dtype=np.uint8)
    wide[:, 1:] = content[: 3 * count].reshape(count, 3)
    return wide.view("<i4")[:, 0] >> 8  # shifted from the top, so that the sign comes along


def _format_32(content: np.ndarray, count: int) -> np.ndarray:
    """32-bit two's complement, low byte first."""
    return content.view("<i4")[:count]


def _format_61(content: np.ndarray, count: int) -> np.ndarray:
    """16-bit two's complement, high byte first."""
    return content.view(">i2")[:count].astype(np.int16)


def _format_160(content: np.ndarray, count: int) -> np.ndarray:
    """16-bit offset binary, low byte first: 32768 is zero."""
    return (content.view("<u2")[:count] ^ 0x8000).view(np.int16)


def _format_212(content: np.ndarray, count: int) -> np.ndarray:
    """Pairs of 12-bit two's complement samples in three bytes: low byte, both high nibbles, low byte."""
    triples = np.zeros((count + 1) // 2 * 3, dtype=np.int16)
    triples[: len(content)] = content  # of an odd number of samples the last has two bytes
    low, middle, high = triples[0::3], triples[1::3], triples[2::3]
    samples = np.empty((len(low), 2), dtype=np.int16)
    samples[:, 0] = low | (middle & 0x0F) << 8
    samples[:, 1] = high | (middle & 0xF0) << 4
    return ((samples << 4) >> 4).reshape(-1)[:count]  # the sign is bit 11


class Format(NamedTuple):
    """A format: bits of a sample in the file, the sample that means "missing", and how to unpack bytes.

    `unpack(content, count)` takes uint8 (n_bytes(count),) and gives int16 or int32 (count,).
    """

    bits: int
    missing: int
    unpack: Callable[[np.ndarray, int], np.ndarray]

    def n_bytes(self, count: int) -> int:
        """Bytes that `count` samples take."""
        return (count * self.bits + 7) // 8


FORMATS = {
    16: Format(16, -(1 << 15), _format_16),
    24: Format(24, -(1 << 23), _format_24),
    32: Format(32, -(1 << 31), _format_32),
    61: Format(16, -(1 << 15), _format_61),
    80: Format(8, -(1 << 7), _format_80),
    160: Format(16, -(1 << 15), _format_160),
    212: Format(12, -(1 << 11), _format_212),
}
