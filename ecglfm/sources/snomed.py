"""SNOMED CT codes as the PhysioNet/CinC Challenge 2021 uses them."""

from __future__ import annotations

from typing import Any

#: Codes that the Challenge scores as the same diagnosis: the other spelling, and the one that `codes` has.
#: From the column `Notes` of `dx_mapping_scored.csv` (github.com/physionetchallenges/evaluation-2021, BSD 2-Clause,
#: Copyright 2020, 2021 PhysioNet/Computing in Cardiology Challenges); a download of the records lacks that file.
EQUIVALENT = {
    "59118001": "713427006",  # right bundle branch block: complete right bundle branch block
    "164909002": "733534002",  # left bundle branch block: complete left bundle branch block
    "63593006": "284470004",  # supraventricular premature beats: premature atrial contraction
    "17338001": "427172004",  # ventricular premature beats: premature ventricular contractions
}


def merged(code: str) -> str:
    """The code that stands for `code` and those scored as the same diagnosis."""
    return EQUIVALENT.get(code, code)


def parse_dx(text: str) -> list[dict[str, Any]]:
    """Codes of a `#Dx:` comment, e.g. `59118001,164889003`, merged, each once, in their order.

    A header states no likelihood; 100 stands for a code that is listed.
    """
    codes = dict.fromkeys(merged(code.strip()) for code in text.split(",") if code.strip())
    return [{"code": code, "likelihood": 100.0} for code in codes if code.lower() != "unknown"]
