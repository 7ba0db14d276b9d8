"""What text of a config means: a value of a database's table, where everything is text; codes of a cell; a path.

And how text that comes from elsewhere is shown.
"""

from __future__ import annotations

import math
import os
import re
import unicodedata
from typing import Any

_BETWEEN_CODES = re.compile(r"[,;|\s]+")
_NUMBER = re.compile(r"[-+]?\d+(\.\d+)?")


def as_text(value: Any) -> str | None:
    """Text that two spellings of one value share: `1`, `1.0` and `" 1 "` are equal, so are `True` and `true`."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    text = str(value).strip()
    if not _NUMBER.fullmatch(text):
        return text.casefold()
    number = float(text)
    # Beyond 2**53 a float would confuse two identifiers.
    return text if abs(number) >= 2**53 else repr(int(number) if number.is_integer() else number)


#: Categories of Unicode: control characters, which a terminal obeys, and ends of lines and paragraphs.
_OBEYED = {"Cc", "Zl", "Zp"}
_TURNING = set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")  # the order of letters


def legible(text: str) -> str:
    """Text of a file, fit for a line on a terminal: what that would obey stands there by its number."""
    if text.isprintable():
        return text
    return "".join(ascii(c)[1:-1] if c in _TURNING or unicodedata.category(c) in _OBEYED else c for c in text)


def split_codes(cell: str) -> list[str]:
    """Codes of a cell that holds several, in the order in which they stand."""
    return [code for code in _BETWEEN_CODES.split(cell) if code]


def as_codes(codes: Any) -> Any:
    """Whole numbers of a list as text: codes are numbers to YAML unless they are quoted; for field validators."""
    if not isinstance(codes, list):
        return codes
    return [str(code) if isinstance(code, int) and not isinstance(code, bool) else code for code in codes]


def at_home(path: str | None) -> str | None:
    """A path whose `~` is the home folder, as a shell has it; for field validators."""
    return os.path.expanduser(path) if path else path
