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

#: Codes that the Challenge scores, and the abbreviations of its `weights_abbreviations.csv`; from the same file.
ABBREVIATIONS = {
    "164889003": "AF",
    "164890007": "AFL",
    "6374002": "BBB",
    "426627000": "Brady",
    "733534002": "CLBBB",
    "713427006": "CRBBB",
    "270492004": "IAVB",
    "713426002": "IRBBB",
    "39732003": "LAD",
    "445118002": "LAnFB",
    "164909002": "LBBB",
    "251146004": "LQRSV",
    "698252002": "NSIVCB",
    "426783006": "NSR",
    "284470004": "PAC",
    "10370003": "PR",
    "365413008": "PRWP",
    "427172004": "PVC",
    "164947007": "LPR",
    "111975006": "LQT",
    "164917005": "QAb",
    "47665007": "RAD",
    "59118001": "RBBB",
    "427393009": "SA",
    "426177001": "SB",
    "427084000": "STach",
    "63593006": "SVPB",
    "164934002": "TAb",
    "59931005": "TInv",
    "17338001": "VPB",
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
