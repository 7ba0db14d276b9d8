"""What lies in a folder, whose it is, and which names and ids must be left nowhere: read before anything is written."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from tqdm import tqdm

from ecglfm.app.deidentification import table
from ecglfm.app.deidentification.cleaning import Cleaner, Names
from ecglfm.app.deidentification.spelling import Forbidden, Removed
from ecglfm.app.deidentification.survey import Survey, Surveyor, stem
from ecglfm.config import UserError
from ecglfm.sources.parallel import ordered_map

UNKNOWN = "recording "  # begins what stands for the person of a recording of whom nothing is known
_SIGNALS = (".dat", ".mat")


class Refused(NamedTuple):
    """A file that is not let through, by its path in the folder, and why."""

    path: str
    reason: str


@dataclass
class Plan:
    """What is let through, and what for all of it is known.

    Attributes
    ----------
    files : list of str
        Headers, XML files and tables.
    refused : list of Refused
    people : dict
        Person of each recording, by its path without ending; dates of one go back together.
    everybody, known : set of str
        As in `Survey`, of all files.
    short : int
    """

    files: list[str] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    people: dict[str, str] = field(default_factory=dict)
    everybody: set[str] = field(default_factory=set)
    known: set[str] = field(default_factory=set)
    short: int = 0


def listed(folder: Path) -> tuple[list[str], list[Refused]]:
    """Files of a folder in order of path, and what in it is no file; symbolic links are not followed.

    Raises
    ------
    UserError
        A folder cannot be listed.
    """
    files: list[str] = []
    refused: list[Refused] = []

    def fail(error: OSError) -> None:
        raise UserError(f"{error.filename}: cannot be listed: {error.strerror}")

    for place, folders, names in os.walk(folder, onerror=fail):
        folders.sort()
        for name in [*folders, *names]:
            path = Path(place, name)
            relative = path.relative_to(folder).as_posix()
            if path.is_symlink():
                refused.append(Refused(relative, "a symbolic link; copy what it leads to"))
            elif name in names and not path.is_file():
                refused.append(Refused(relative, "no file"))
            elif name in names and not relative.isprintable():
                refused.append(
                    Refused(relative.encode(errors="replace").decode(), "a name that is not UTF-8; rename it")
                )
            elif name in names:
                files.append(relative)
    return sorted(files), refused


def make_plan(folder: Path, names: Names, *, workers: int, look_for: Iterable[Removed] = ()) -> Plan:
    """Read a folder.

    Parameters
    ----------
    folder : path
    names : Names
    workers : int
        Processes; the plan does not depend on it.
    look_for : iterable of Removed
        More that must be left nowhere.

    Raises
    ------
    UserError
        A table has columns without a rule, or two tables disagree about whose a recording is.
    """
    files, refused = listed(folder)
    plan = Plan(refused=refused)
    readable = [path for path in files if path.lower().endswith((".hea", ".xml", ".csv"))]
    _check_tables(folder, [path for path in readable if path.lower().endswith(".csv")], names)
    forbidden = Forbidden().add(look_for, set(names.rules.words))
    plan.everybody |= forbidden.of_all()
    plan.known |= forbidden.words | forbidden.listed
    surveys: dict[str, Survey] = {}
    found = ordered_map(Surveyor(folder, names), readable, workers)
    for one in tqdm(found, total=len(readable), desc="read", unit="file", disable=None):
        surveys[one.path] = one
        plan.everybody |= one.everybody
        plan.known |= one.known
        plan.short += one.short
    _refuse(plan, files, surveys)
    plan.files = [path for path in readable if not surveys[path].refused]
    _find_people(plan, surveys)
    return plan


def _check_tables(folder: Path, tables: list[str], names: Names) -> None:
    """Raise UserError with a line for each table that has no rules."""
    faults = []
    for path in tables:
        try:
            table.Columns(folder / path, Cleaner(names))
        except UserError as error:
            faults.append(str(error))
    if faults:
        raise UserError("\n".join(faults))


def _refuse(plan: Plan, files: list[str], surveys: dict[str, Survey]) -> None:
    """Take out what cannot be read, records that lack a segment, and files that nobody vouches for."""
    there = {stem(path): path for path in surveys if path.lower().endswith(".hea")}
    for path, one in surveys.items():
        lacking = [part for part in one.parts if part not in there or surveys[there[part]].refused]
        if lacking and not one.refused:
            surveys[path] = one._replace(refused=f"its segment {lacking[0]} is refused or missing")
    vouched = {signal for one in surveys.values() if not one.refused for signal in one.signals}
    plan.refused += [Refused(path, one.refused) for path, one in surveys.items() if one.refused]
    for path in files:
        if path in surveys or path in vouched:
            continue
        signal = path.lower().endswith(_SIGNALS)
        why = "of no format that is known: WFDB, MUSE or CardioSoft XML, CSV"
        if signal:
            why = "no header that is let through describes it"
        plan.refused.append(Refused(path, why))
    plan.refused.sort()


def _find_people(plan: Plan, surveys: dict[str, Survey]) -> None:
    """Whose each recording is: as its file says, else as a table says, else its own."""
    stated: dict[str, str] = {}
    for path in plan.files:
        beside = PurePosixPath(path).parent
        for given, person in surveys[path].linked:
            for key in dict.fromkeys((stem(given), str(beside / stem(given)))):
                if stated.setdefault(key, person) != person:
                    raise UserError(f"{path}: {given}: tables name two patients for this recording")
    recordings = [path for path in plan.files if not path.lower().endswith(".csv")]
    unique = {name for name, n in Counter(PurePosixPath(stem(path)).name for path in recordings).items() if n == 1}
    masters = {part: stem(path) for path in recordings for part in surveys[path].parts}

    def person_of(path: str) -> str:
        own = surveys[path].patient
        name = PurePosixPath(stem(path)).name
        return own or stated.get(stem(path), "") or (stated.get(name, "") if name in unique else "")

    people = {stem(path): person_of(path) for path in recordings}
    for key, person in people.items():
        master = masters.get(key, key)
        plan.people[key] = person or people.get(master) or f"{UNKNOWN}{master}"


def persons(plan: Plan) -> Callable[[str], str]:
    """What finds the person of a recording at a path as a table has it."""
    by_name: dict[str, set[str]] = {}
    for key, person in plan.people.items():
        by_name.setdefault(PurePosixPath(key).name, set()).add(person)

    def find(path: str) -> str:
        named = by_name.get(PurePosixPath(stem(path)).name, set())
        return plan.people.get(stem(path)) or (next(iter(named)) if len(named) == 1 else f"{UNKNOWN}{stem(path)}")

    return find


def strays(folder: Path, written: set[str]) -> Iterator[str]:
    """Files of a folder that are not among those that were written."""
    files, others = listed(folder)
    yield from (path for path in [*files, *(one.path for one in others)] if path not in written)
