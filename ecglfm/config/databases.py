"""Which published databases hold recordings of which others, and which are of the same people or places.

A recording that is in two databases stands in two sources, and may stand in train and in test. The audit compares
signals; this table says beforehand where copies are to be expected, and what an encoder that was pretrained elsewhere
may have seen. Facts of the databases' own pages, no guesses; what is not in it is not known to overlap.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import NamedTuple

from ecglfm.config.source_kinds import KINDS


class Database(NamedTuple):
    """One published database.

    Attributes
    ----------
    title : str
    parts : tuple of str
        Databases whose recordings, or excerpts of them, it holds.
    kin : mapping of str to str
        Others that hold other recordings, and why one person may be in both; said at one of the two.
    """

    title: str
    parts: tuple[str, ...] = ()
    kin: Mapping[str, str] = {}


_CHALLENGE_2020 = ("cpsc_2018", "cpsc_2018_extra", "georgia", "incart", "ptb", "ptbxl")
_NETWORK = "both are of the Telehealth Network of Minas Gerais, and no ids connect their people"
_BOSTON = "both are of patients of Beth Israel Deaconess in Boston"
_HARVARD = "both are of Harvard's hospitals in Boston, and no ids connect their people"

#: By the name that `holds` and `pretrained_on` of the config take; that of the kind where there is one. A kind that is
#: a database is one without a line here, too: nothing is known of it but that it is the same in two sources.
DATABASES: dict[str, Database] = {
    **{kind: Database(kind) for kind, of in KINDS.items() if of.adapter.startswith("ecglfm.sources.databases.")},
    "ptbxl": Database("PTB-XL"),
    "ptb": Database(
        "PTB",
        kin={"ptbxl": "both were collected by the Physikalisch-Technische Bundesanstalt, and no ids connect them"},
    ),
    "cpsc_2018": Database("CPSC2018"),
    "cpsc_2018_extra": Database("CPSC-Extra", kin={"cpsc_2018": "both were collected for the same challenge"}),
    "georgia": Database("Georgia", kin={"heedb": "both have patients of Emory in Atlanta"}),
    "chapman_shaoxing": Database("Chapman-Shaoxing"),
    "ningbo": Database("Ningbo"),
    "ecg_arrhythmia": Database("ecg-arrhythmia (PhysioNet)", ("chapman_shaoxing", "ningbo")),
    "incart": Database("St Petersburg INCART"),
    "challenge2020": Database("Challenge 2020", _CHALLENGE_2020),
    "challenge2021": Database("Challenge 2021", (*_CHALLENGE_2020, "chapman_shaoxing", "ningbo")),
    "code": Database("CODE", ("code15", "code85"), kin={"code_test": _NETWORK}),
    "code15": Database("CODE-15 %", kin={"code_test": _NETWORK}),
    "code85": Database("CODE without CODE-15 %", kin={"code_test": _NETWORK}),
    "code_test": Database("CODE's test set"),
    "sami_trop": Database("SaMi-Trop", kin=dict.fromkeys(("code15", "code85", "code_test"), _NETWORK)),
    "mimic_iv_ecg": Database("MIMIC-IV-ECG"),
    "mimic_iv_ecg_ext_icd": Database("MIMIC-IV-ECG-Ext-ICD", ("mimic_iv_ecg",)),
    "mimic_waveform": Database("MIMIC's waveform databases", kin={"mimic_iv_ecg": _BOSTON}),
    "heedb": Database("HEEDB", kin={"mimic_iv_ecg": _HARVARD, "mimic_waveform": _HARVARD}),
    "ukbiobank": Database("UK Biobank"),
    "echonext": Database("EchoNext"),
    "sph": Database("SPH"),
    "hefei": Database("Hefei"),
    "ludb": Database("LUDB"),
    "zzu_pecg": Database("ZZU pECG"),
    "mitdb": Database("MIT-BIH Arrhythmia"),
    "stdb": Database("MIT-BIH ST Change"),
    "svdb": Database("MIT-BIH Supraventricular Arrhythmia"),
    "ltdb": Database("MIT-BIH Long-Term"),
    "nsrdb": Database("MIT-BIH Normal Sinus Rhythm"),
    "edb": Database("European ST-T"),
    "sddb": Database("Sudden Cardiac Death Holter"),
    "qtdb": Database("QTDB", ("mitdb", "stdb", "svdb", "ltdb", "nsrdb", "edb", "sddb")),
}

#: Folders of the Challenge that have another name here.
_FOLDERS = {"ptb-xl": "ptbxl", "st_petersburg_incart": "incart"}


def known_databases(kind: str, parts: Iterable[str] = (), holds: Iterable[str] = ()) -> list[str]:
    """Names in `DATABASES` of what a source holds.

    Parameters
    ----------
    kind : str
        Its kind; `synthetic` and those of a user's own files hold none by themselves.
    parts : iterable of str
        Folders of the Challenge that are there; none: the whole.
    holds : iterable of str
        What its config says besides.
    """
    own = [_FOLDERS.get(part, part) for part in parts] or ([kind] if kind in DATABASES else [])
    return sorted({*own, *holds} & DATABASES.keys())


def _whole(names: Iterable[str]) -> set[str]:
    """Databases and all that they hold."""
    found = set(names)
    for name in list(found):
        found |= _whole(DATABASES[name].parts)
    return found


def check_known(names: Iterable[str]) -> None:
    """Raise `ValueError` for a name that is none of `DATABASES`."""
    for name in names:
        if name not in DATABASES:
            near = get_close_matches(name, DATABASES, 3, 0.5) or list(DATABASES)
            raise ValueError(f"{name!r} is no database that is known here; near ones: {', '.join(near)}")


def shared(one: Iterable[str], other: Iterable[str]) -> set[str]:
    """Databases of which two lists of databases both hold recordings."""
    return _whole(one) & _whole(other)


def overlap(one: Iterable[str], other: Iterable[str]) -> str:
    """What two lists of databases are known to have in common, in words; empty where nothing is known.

    Returns
    -------
    str
        `both have recordings of PTB-XL`, or why one person may be in both.
    """
    one, other = list(one), list(other)
    ours, theirs, common = _whole(one), _whole(other), shared(one, other)
    largest = common - {part for name in common for part in DATABASES[name].parts}
    if largest:
        return f"both have recordings of {', '.join(sorted(DATABASES[name].title for name in largest))}"
    pairs = [pair for a in sorted(ours) for b in sorted(theirs) for pair in ((a, b), (b, a))]
    for name, relative in pairs:
        if why := DATABASES[name].kin.get(relative):
            return f"{DATABASES[name].title} and {DATABASES[relative].title}: {why}"
    return ""


def overlaps(holds: Mapping[str, list[str]]) -> list[dict[str, str]]:
    """Each two sources that are known to have something in common.

    Parameters
    ----------
    holds : mapping of str to list of str
        Source: names in `DATABASES`.

    Returns
    -------
    list of {a, b, why}
        `a` and `b` are sources, in order.
    """
    names = sorted(holds)
    found = [(a, b, overlap(holds[a], holds[b])) for k, a in enumerate(names) for b in names[k + 1 :]]
    return [{"a": a, "b": b, "why": why} for a, b, why in found if why]
