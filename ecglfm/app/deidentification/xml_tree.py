"""XML by a list of what is harmless: an element that the list does not have goes, with all that is in it.

The tree is built anew, so comments, processing instructions, document types and attributes stay behind unless the list
has them; a value that is not what its element should hold goes, too.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from ecglfm.app.deidentification.cleaning import Cleaner
from ecglfm.app.deidentification.dates import dates_in, read_date
from ecglfm.app.deidentification.vocabulary import WORDS, kind_of
from ecglfm.records import RecordError
from ecglfm.sources.devices import age_in_years
from ecglfm.sources.tables import OLDEST

#: Of each element its children, or what it holds; `@name` is an attribute.
Spec = Mapping[str, Any]

_NUMBER = re.compile(r"[-+]?\d{1,6}(\.\d{1,6})?|-?214748364[78]", re.ASCII)
_CHECKSUM = re.compile(r"-?\d{1,10}", re.ASCII)
_WAVE = re.compile(r"[A-Z]{1,2}_[A-Z]{1,3}\d{0,2}", re.ASCII)  # IE_STJ80
_ROW = re.compile(r"[-+\d.,;\s]{0,400}", re.ASCII)
_SERIES = re.compile(r"[-+\d,;.\s]*", re.ASCII)
_BASE64 = re.compile(r"[A-Za-z0-9+/\s]*=*\s*", re.ASCII)
_PATTERNS = {"number": _NUMBER, "checksum": _CHECKSUM, "row": _ROW, "wave": _WAVE}
#: Elements whose text is no text: samples, and a checksum of them.
NO_TEXT = {"samples", "series", "checksum"}
_NUMERIC_DATE = re.compile(r"\d{1,2}([-/.])\d{1,2}\1\d{4}", re.ASCII)


def cleaned(found: Element, spec: Spec, cleaner: Cleaner, where: str) -> bytes:
    """The document that the list leaves of a tree, UTF-8.

    Raises
    ------
    RecordError
        `lead_unknown`, `signal_unreadable`: samples are none.
    """
    new = Element(found.tag)
    _drop_attributes(found, {}, cleaner)
    _fill(new, found, spec, cleaner, where)
    ElementTree.indent(new)
    return bytes(ElementTree.tostring(new, encoding="utf-8", xml_declaration=True)) + b"\n"


def _fill(new: Element, found: Element, spec: Spec, cleaner: Cleaner, where: str) -> None:
    if found.text and found.text.strip():
        cleaner.drop("unknown", found.text)
    for child in found:
        if child.tail and child.tail.strip():
            cleaner.drop("unknown", child.tail)
        known, chosen = spec.get(child.tag), cleaner.rules.elements.get(child.tag)
        if chosen == "drop" or (known is None and chosen != "keep"):
            _drop(child, cleaner, "unknown")
            continue
        kept = Element(child.tag)
        if isinstance(known, Mapping):
            _fill(kept, child, known, cleaner, where)
            _copy_attributes(kept, child, known, cleaner, where)
        elif known == "moment":
            _move(kept, child, cleaner)
        else:
            kind, _, attribute = (known or "keep").partition("@")
            text = _leaf(kind, child, found, cleaner, where)
            for inner in child:
                _drop(inner, cleaner, "unknown")
            if text is None:
                continue
            kept.text = text
            _copy_attributes(kept, child, {f"@{attribute}": "lead" if attribute == "lead" else "word"}, cleaner, where)
            if kind == "age" and kept.attrib and text != (child.text or "").strip():
                kept.set(attribute, "years")
        if len(kept) or kept.text or kept.attrib:
            new.append(kept)


def _copy_attributes(kept: Element, found: Element, spec: Spec, cleaner: Cleaner, where: str) -> None:
    for name, value in found.attrib.items():
        if f"@{name}" not in spec:
            continue
        new = cleaner.lead(value, where) if spec[f"@{name}"] == "lead" else _word(value, cleaner)
        if new is not None:
            kept.set(name, new)
    _drop_attributes(found, spec, cleaner)


def _drop_attributes(found: Element, spec: Spec, cleaner: Cleaner) -> None:
    for name, value in found.attrib.items():
        if f"@{name}" not in spec:
            cleaner.drop(kind_of(name), value)


def _drop(element: Element, cleaner: Cleaner, inherited: str) -> None:
    """Note all that an element holds; what its name does not tell is of the kind of what it stands in."""
    kind = kind_of(element.tag)
    kind = inherited if kind == "unknown" or inherited in {"birth date", "name", "staff", "site"} else kind
    day = _moment(element)
    if day is not None:
        cleaner.drop(kind, day)
        return
    text = element.text or ""
    cleaner.drop(kind, (_date(text, cleaner)[0] or text) if kind in {"birth date", "date"} else text)
    cleaner.drop("unknown", element.tail or "")
    _drop_attributes(element, {}, cleaner)
    for child in element:
        _drop(child, cleaner, kind)


def _date(text: str, cleaner: Cleaner) -> tuple[date | None, str]:
    """The day that a text names, ISO or in the order of `muse_dates`, and its form; notes that of the other order."""
    match = _NUMERIC_DATE.fullmatch(text.strip())
    if match is None:
        return read_date(text), ""
    forms = [match[1].join(parts) for parts in (("%m", "%d", "%Y"), ("%d", "%m", "%Y"))]
    if cleaner.rules.muse_dates == "day_first":
        forms.reverse()
    day, other = (read_date(text, form) for form in forms)
    if other is not None and other != day:
        cleaner.drop("unread date" if day is None else "unclear date", other)
    return day, forms[0]


def _moment(element: Element) -> date | None:
    """The day of an element that has a year, a month and a day of its own."""
    try:
        return date(*(int(element.findtext(name) or "") for name in ("Year", "Month", "Day")))
    except ValueError:
        return None


def _move(kept: Element, found: Element, cleaner: Cleaner) -> None:
    """A date and time that stand in elements of their own."""
    day = _moment(found)
    if day is None:
        _drop(found, cleaner, "date")
        return
    earlier = cleaner.day(day)
    time = ":".join(f"{int(found.findtext(name) or 0):02d}" if (found.findtext(name) or "0").isdigit() else "x"
                    for name in ("Hour", "Minute", "Second"))  # fmt: skip
    parts = [str(earlier.year), str(earlier.month), str(earlier.day), *(cleaner.time(time) or "").split(":")]
    for name, text in zip(("Year", "Month", "Day", "Hour", "Minute", "Second"), parts, strict=False):
        if found.find(name) is not None and text:
            ElementTree.SubElement(kept, name).text = text
    for child in found:
        if kept.find(child.tag) is None:
            _drop(child, cleaner, "date")


def _word(text: str, cleaner: Cleaner) -> str | None:
    if text.strip().casefold() in WORDS:
        return text.strip()
    cleaner.drop("unknown", text)
    return None


def _matching(pattern: re.Pattern[str], text: str, cleaner: Cleaner) -> str | None:
    if pattern.fullmatch(text.strip()):
        return text.strip()
    cleaner.drop("unknown", text)
    return None


def _age(child: Element, parent: Element, cleaner: Cleaner, *, unit: bool) -> str | None:
    """An age, or the unit beside it: 90 years where it is above 89; no age where its unit is not understood."""
    text = (child.text or "").strip()
    named = text if unit else (parent.findtext("AgeUnits") or child.get("units") or "").strip()
    age = (parent.findtext("PatientAge") or "").strip() if unit else text
    years = age_in_years(age, named)
    if math.isnan(years) and not unit:
        cleaner.drop("age", text)
        return None
    if years > OLDEST - 1:
        if not unit and age != f"{OLDEST:g}":
            cleaner.drop("age", text)
        return "YEARS" if unit else f"{OLDEST:g}"
    return _word(text, cleaner) if unit else _matching(_NUMBER, text, cleaner)


def _leaf(kind: str, child: Element, parent: Element, cleaner: Cleaner, where: str) -> str | None:
    text = child.text or ""
    if not text.strip():
        return None
    if kind in {"samples", "series"}:
        if not _SERIES.fullmatch(text) and (kind == "series" or not _packed(text, parent)):
            raise RecordError("signal_unreadable", f"{where}: what stands for samples is neither base64 nor numbers")
        return text
    if kind == "date":
        new = cleaner.date(text, _date(text, cleaner)[1])
        cleaner.new_days.update(day for _, _, days in dates_in(new or "") for day in days)
        return new
    if kind in {"age", "unit"}:
        return _age(child, parent, cleaner, unit=kind == "unit")
    if kind == "lead":
        return cleaner.lead(text, where)
    if kind == "leads":
        return ",".join(cleaner.lead(name, where) for name in text.split(","))
    if kind in _PATTERNS:
        return _matching(_PATTERNS[kind], text, cleaner)
    if kind == "word":
        return _word(text, cleaner)
    simple = {"patient": cleaner.identifier, "time": cleaner.time, "sex": cleaner.sex, "text": cleaner.text}
    return simple[kind](text) if kind in simple else text


def _packed(text: str, parent: Element) -> bool:
    """Whether a text is base64, and of as many bytes as the element says that it stands in, if it says."""
    stated = (parent.findtext("LeadByteCountTotal") or "").strip()
    letters = len("".join(text.split()).rstrip("="))
    return bool(_BASE64.fullmatch(text)) and (not stated or stated == str(letters * 3 // 4))


def texts(found: Element, spec: Spec) -> Iterator[str]:
    """All that a tree says, but for samples and checksums."""
    for child in found:
        known = spec.get(child.tag)
        yield from child.attrib.values()
        if str(known).partition("@")[0] not in NO_TEXT:
            yield child.text or ""
        yield from texts(child, known if isinstance(known, Mapping) else {})
