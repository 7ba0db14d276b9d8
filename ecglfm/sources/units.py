"""Units of voltage, as headers and files of devices spell them."""

from __future__ import annotations

#: Millivolts in one unit, by spelling (`unit_key`); a header of WFDB without one means mV.
MILLIVOLTS = {
    spelling: value
    for value, spellings in {
        1e-6: ("nv", "nanovolt"),
        1e-3: ("uv", "µv", "âµv", "microv", "microvolt", "µvolt", "uvolt"),  # the third: UTF-8 taken for Latin-1
        1.0: ("mv", "millivolt", "mvolt"),
        1e3: ("v", "volt"),
    }.items()
    for spelling in spellings
}


def unit_key(unit: str) -> str:
    """Spelling of a unit as `MILLIVOLTS` has it: `(mV)` and `Millivolts` are `mv` and `millivolt`."""
    key = unit.strip(" ()[]").lower().replace("μ", "µ")  # Greek mu for the micro sign
    return key[:-1] if key.endswith("volts") else key
