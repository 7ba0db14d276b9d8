"""`ecglfm deidentify`: a folder of recordings and tables, as it may be given away.

Everything is read before anything is written, so that a name in one file is searched for in what is made of every
other. A file appears in the output whole, searched, and under its final name, or not at all; none is replaced, so a run
that was interrupted goes on when it is started again, and gives the same bytes.
"""

from __future__ import annotations

import csv
import filecmp
import os
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from ecglfm.app.deidentification import table, wfdb_header, xml_tree
from ecglfm.app.deidentification.cleaning import Cleaner, Names
from ecglfm.app.deidentification.dates import header_date
from ecglfm.app.deidentification.plan import UNKNOWN, Plan, Refused, make_plan, persons, strays
from ecglfm.app.deidentification.secret import Secret
from ecglfm.app.deidentification.spelling import Forbidden, Removed, words
from ecglfm.app.deidentification.survey import stem
from ecglfm.app.deidentification.vendors import VENDORS
from ecglfm.config import UserError
from ecglfm.config.deidentification import DeidentificationRules
from ecglfm.provenance import atomic
from ecglfm.records import RecordError
from ecglfm.sources.devices import read_xml
from ecglfm.sources.inside import Root
from ecglfm.sources.parallel import ordered_map
from ecglfm.sources.wfdb_reader import parse_header

_PSEUDONYM = re.compile(r"\b[pr][0-9a-f]{20}(?![0-9a-f])")
_REPORT = ("file", "format", "kind", "removed")
_REFUSED = ("file", "reason")


class Written(NamedTuple):
    """What became of one file: the files that were made, what was removed by kind, or why there is none."""

    path: str
    format: str
    files: tuple[str, ...]
    removed: dict[str, int]
    refused: str = ""


@dataclass
class Outcome:
    """What a run did: files, values removed by kind, what was not let through, values too short to search for."""

    files: int = 0
    removed: Counter[str] = field(default_factory=Counter)
    refused: list[Refused] = field(default_factory=list)
    short: int = 0


def run_deidentify(
    source: Path,
    target: Path,
    *,
    secret: Secret,
    rules: DeidentificationRules,
    look_for: Sequence[str] = (),
    workers: int = 1,
) -> Outcome:
    """Write what may be given away of `source` into `target`, and a report beside it.

    Parameters
    ----------
    source, target : path
        Folders, neither within the other; `target` may hold what an earlier run made.
    secret : Secret
    rules : DeidentificationRules
    look_for : sequence of str
        More names, ids and dates that must be left nowhere.
    workers : int
        Processes; what is written does not depend on it.

    Returns
    -------
    Outcome
        `{target}.report.csv` has what was removed, by new file and kind; `{target}.refused.csv`, for the owner alone,
        what was not let through, and why.

    Raises
    ------
    UserError
        A folder is not there or within the other, a table has columns without a rule, or a report is another's file.
    """
    source, target = _folders(source, target)
    reports = [target.with_name(f"{target.name}.{what}.csv") for what in ("report", "refused")]
    for path, header in zip(reports, (_REPORT, _REFUSED), strict=True):
        if path.exists() and not path.read_text(encoding="utf-8").startswith(",".join(header)):
            raise UserError(f"{path}: is there already, and no report of this command; move it away")
    listed = [Removed(_kind(text), text) for text in look_for]
    plan = make_plan(source, Names(rules, secret), workers=workers, look_for=listed)
    target.mkdir(parents=True, exist_ok=True)
    for path in target.rglob(".deidentify-*.tmp"):
        path.unlink()
    writer = Writer(source, target, Names(rules, secret, frozenset(plan.known)), plan, tuple(listed))
    outcome = Outcome(refused=list(plan.refused), short=plan.short)
    there: set[str] = set()
    with _table(reports[0], _REPORT) as write:
        done = ordered_map(writer, plan.files, workers)
        for one in tqdm(done, total=len(plan.files), desc="write", unit="file", disable=None):
            there.update(one.files)
            if one.refused:
                outcome.refused.append(Refused(one.path, one.refused))
                continue
            outcome.removed.update(one.removed)
            for kind, count in sorted(one.removed.items()) or [("", 0)]:
                write((one.files[0], one.format, kind, count))
    outcome.files = len(there)
    outcome.refused += [Refused(f"{target.name}/{path}", "made by no run on this folder; take it away")
                        for path in strays(target, there)]  # fmt: skip
    with _table(reports[1], _REFUSED, private=True) as write:
        for refused in outcome.refused:
            write(refused)
    return outcome


def _kind(text: str) -> str:
    """Of something to look for: a date, which may be of more than one day, an id or a name."""
    if header_date(text) is not None:
        return "date"
    return "listed" if any(map(str.isdigit, text)) else "name"


def _folders(source: Path, target: Path) -> tuple[Path, Path]:
    if not source.is_dir():
        raise UserError(f"{source}: is no folder")
    source, target = source.resolve(), target.resolve()
    if target.is_relative_to(source) or source.is_relative_to(target):
        raise UserError(f"{target}: one folder lies within the other; name a folder elsewhere")
    if target.exists() and not target.is_dir():
        raise UserError(f"{target}: is no folder")
    return source, target


@contextmanager
def _table(
    path: Path, header: Sequence[str], *, private: bool = False
) -> Iterator[Callable[[Sequence[object]], object]]:
    with atomic(path, private=private) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(header)
        yield rows.writerow


class Writer:
    """Makes of one file what may be given away; sent to worker processes once.

    Parameters
    ----------
    source, target : path
    names : Names
    plan : Plan
    look_for : tuple of Removed
    """

    def __init__(self, source: Path, target: Path, names: Names, plan: Plan, look_for: tuple[Removed, ...]) -> None:
        self._source, self._target, self._names, self._plan, self._look_for = source, target, names, plan, look_for

    def __call__(self, path: str) -> Written:
        """Write, search and name the files of one header, XML file or table."""
        cleaner = Cleaner(self._names, person=self._plan.people.get(stem(path), ""), everybody=self._plan.everybody)
        new = self._names.path(path)
        ending = path.lower().rpartition(".")[2]
        make = {"csv": self._table, "xml": self._xml, "hea": self._record}[ending]
        try:
            kind, files = make(path, new, cleaner)
        except (RecordError, UserError) as error:
            return Written(path, "", (), {}, getattr(error, "detail", str(error)))
        counts = Counter(kind for kind, _ in cleaner.removed)
        if PurePosixPath(new).stem != PurePosixPath(path).stem:
            counts["file name"] += 1
        return Written(path, kind, files, dict(counts))

    # ---- formats -------------------------------------------------------------------------------------------------

    def _xml(self, path: str, new: str, cleaner: Cleaner) -> tuple[str, tuple[str, ...]]:
        root = Root(self._source)
        found = read_xml(root, path)
        vendor = VENDORS[found.tag]
        content = self._twice(lambda one: xml_tree.cleaned(found, vendor.spec, one, path), cleaner, path)
        with self._new_file(new) as temporary:
            temporary.write_bytes(content)
            out, name = Root(temporary.parent), temporary.name
            self._search(path, [new, *xml_tree.texts(read_xml(out, name), vendor.spec)], cleaner)
            before, after = vendor.read(root, path), vendor.read(out, name)
            if before.leads != after.leads or not np.array_equal(before.signal, after.signal, equal_nan=True):
                raise RecordError("signal_changed", f"{path}: its samples would not be what they were")
        return vendor.title, (new,)

    def _record(self, path: str, new: str, cleaner: Cleaner) -> tuple[str, tuple[str, ...]]:
        root, beside = Root(self._source), PurePosixPath(path).parent
        found = wfdb_header.read(root, stem(path))
        content = self._twice(lambda one: wfdb_header.cleaned(found, stem(path), one), cleaner, path)
        before, after = found.header, parse_header(content.decode(), PurePosixPath(new).stem)
        if [signal[1:4] for signal in before.signals] != [signal[1:4] for signal in after.signals]:
            raise RecordError("signal_changed", f"{path}: its signals would not be what they were")
        files = {
            file: self._names.path(str(beside / file)) for file in dict.fromkeys(one.file for one in before.signals)
        }
        with self._new_file(new) as temporary:
            temporary.write_bytes(content)
            text = temporary.read_text(encoding="utf-8")
            said = [line.partition(":")[2] or line for line in text.splitlines() if line.startswith("#")]
            self._search(path, [new, *files.values(), text], cleaner, said=said)
            for file, copied in files.items():
                self._copy(root, str(beside / file), copied, cleaner)
        return "WFDB", (new, *files.values())

    def _copy(self, root: Root, path: str, new: str, cleaner: Cleaner) -> None:
        """Copy a signal file bit for bit."""
        folder, name = root.split(path)
        with root.open(folder, name, "signal_missing") as (descriptor, _), self._new_file(new) as temporary:
            with os.fdopen(os.dup(descriptor), "rb") as samples, temporary.open("wb") as copy:
                shutil.copyfileobj(samples, copy)
            self._search_bytes(path, temporary.read_bytes(), cleaner)

    def _table(self, path: str, new: str, cleaner: Cleaner) -> tuple[str, tuple[str, ...]]:
        columns = table.Columns(self._source / path, cleaner)
        everybody, extra = cleaner.everybody, Forbidden().add(self._look_for, cleaner.harmless)
        row = 1
        named = " | ".join(columns.kept(cleaner.rules.text))
        if any(any(map(str.isdigit, word)) and word in everybody for word in words(named)):
            raise RecordError("left", f"{path}: an id is the name of a column; not written")
        with self._new_file(new) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
            for number, (frame, forbidden) in enumerate(table.pieces(columns, cleaner, persons(self._plan))):
                frame.to_csv(file, index=False, header=number == 0, lineterminator="\n")
                for cells, known in zip(frame.itertuples(index=False), forbidden, strict=True):
                    row += 1
                    text = _PSEUDONYM.sub(" ", " | ".join(str(cell) for cell in cells if cell))
                    left = known.found_in(text, everybody) or extra.found_in(text)
                    left = left or ("an id that is listed" if extra.has_listed(map(str, cells)) else None)
                    if left:
                        raise RecordError("left", f"{path}: {left} is left in row {row} of what it became; not written")
        return "CSV", (new,)

    # ---- searching and writing -----------------------------------------------------------------------------------

    def _twice(self, make: Callable[[Cleaner], bytes], cleaner: Cleaner, path: str) -> bytes:
        """Clean a file, the second time with what its other fields say that texts must not have."""
        trial = Cleaner(self._names, person=cleaner.person, everybody=cleaner.everybody)
        make(trial)
        if not cleaner.person.startswith(UNKNOWN):
            trial.drop("id", cleaner.person)
        name = PurePosixPath(stem(path)).name
        if self._names.stem(name) != name:
            trial.drop("file name", name)
        cleaner.known = Forbidden().add([*trial.removed, *self._look_for], trial.harmless)
        return make(cleaner)

    def _search(self, path: str, texts: Sequence[str], cleaner: Cleaner, *, said: Sequence[str] | None = None) -> None:
        """Raise RecordError where something is left in what is made of a file; `said`: its values, one by one."""
        listed = cleaner.known.has_listed(texts if said is None else said)
        for text in texts:
            left = cleaner.known.found_in(_PSEUDONYM.sub(" ", text), self._plan.everybody, cleaner.new_days)
            left = left or ("an id that is listed" if listed else None)
            if left:
                raise RecordError("left", f"{path}: {left} is left in what it became; it is not written")

    def _search_bytes(self, path: str, content: bytes, cleaner: Cleaner) -> None:
        """Search a signal file for what is long enough, in letters of one byte and of two."""
        lower = content.lower()
        for part in cleaner.known.inside:
            if len(part) > 5 and (part.encode() in lower or part.encode("utf-16-le") in lower):
                raise RecordError("left", f"{path}: a name or an id is left in it; it is not written")

    @contextmanager
    def _new_file(self, path: str) -> Iterator[Path]:
        """Yield a temporary path; what is there in the end gets the name `path`, unless another file has it."""
        final = self._target / path
        final.parent.mkdir(parents=True, exist_ok=True)
        if not final.parent.resolve().is_relative_to(self._target):
            raise RecordError("path_outside_root", f"{final.parent}: leads out of the folder")
        temporary = final.with_name(f".deidentify-{os.getpid()}-{final.name}.tmp")
        try:
            yield temporary
            try:
                os.link(temporary, final)
            except FileExistsError:
                if final.is_symlink() or not filecmp.cmp(temporary, final, shallow=False):
                    raise RecordError(
                        "exists", f"{final}: is there already with other content (another secret, other rules?); "
                        "begin with an empty folder"
                    ) from None  # fmt: skip
        finally:
            temporary.unlink(missing_ok=True)
