"""What a label set would hold, as text, before anything is trained: counts, overlaps, codes that match nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from ecglfm.config import Selector, TaskSlice
from ecglfm.config.tasks import CLAUSES
from ecglfm.config.wording import counted
from ecglfm.data.labels.counts import LabelCounts
from ecglfm.data.labels.labels import LabelledRecords, finisher, is_learnt
from ecglfm.data.labels.reasons import DETAILS
from ecglfm.data.labels.selectors import near_spellings, select
from ecglfm.data.labels.source_targets import SourceTargets
from ecglfm.data.tables import table_pieces
from ecglfm.records import SPLITS

_MOST_OVERLAPS = 20


def describe(slice: TaskSlice, manifest: Path, index: list[Path]) -> str:  # noqa: A002
    """Text about one label set.

    Parameters
    ----------
    slice : TaskSlice
    manifest : path
        `manifest/records.parquet`.
    index : list of path
        `index/{source}.parquet` of the task's sources.

    Raises
    ------
    UserError
        As `LabelledRecords`.
    """
    records = LabelledRecords(slice, manifest, index)
    counts, reasons = _counts(slice, records, {})
    rare = counts.rare() if is_learnt(slice, counts) else {}
    kept = counts
    if slice.config.rare == "leave_out" and slice.config.task_kind.exclusive and rare:
        kept, reasons = _counts(slice, records, rare)
    n_labels = counted(len(counts.names), "label")
    parts = [
        [f"{slice.task}: {slice.config.kind}, {n_labels}. {slice.config.description}".strip()],
        _record_table(slice, kept),
        [f"left out, {why}: {number} ({DETAILS[why]})" for why, number in sorted(reasons.items())],
        _label_table(slice, counts),
        _overlaps(counts) if slice.config.task_kind.independent else [],
        _unmatched(slice, records),
        _rare(slice, counts, rare),
    ]
    return "\n\n".join("\n".join(lines) for lines in parts if lines)


def _counts(
    slice: TaskSlice,  # noqa: A002
    records: LabelledRecords,
    rare: dict[str, str],
) -> tuple[LabelCounts, Counter[str]]:
    """Counts of all labels over the records that stay when the rare ones are left out, and why others do not stay."""
    counts, reasons = LabelCounts(slice, records.folds), Counter[str]()
    whole, finish = finisher(slice, {}), finisher(slice, rare)
    for chunk in records.chunks():
        (labelled, _), (_, reason) = whole(chunk), finish(chunk)
        counts.add(labelled[reason.isna()])
        reasons.update(reason.dropna())
    return counts, reasons


def text_table(rows: list[list[str]]) -> list[str]:
    """Lines with the first column to the left and the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join([row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))])
        for row in rows
    ]


def _record_table(slice: TaskSlice, counts: LabelCounts) -> list[str]:  # noqa: A002
    rows = [["records", *SPLITS, "all"]]
    for source in (*slice.kinds, None) if len(slice.kinds) > 1 else slice.kinds:
        numbers = [counts.records(split=split, source=source) for split in (*SPLITS, None)]
        rows.append([source or "all", *map(str, numbers)])
    return text_table(rows)


def _label_table(slice: TaskSlice, counts: LabelCounts) -> list[str]:  # noqa: A002
    """Records that carry each label (events, known numbers) by split, of how many, and by source."""
    kind = slice.config.task_kind
    carried, known = counts.of("carried"), counts.of("known")
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = counts.of("sum") / known
        statistics = {"mean": mean, "spread": np.sqrt(np.maximum(counts.of("squares") / known - mean**2, 0))}
        shares = [f"{100 * share:.1f} %" if share == share else "-" for share in carried / known]
    columns = {split: _whole(counts.of("carried", split=split)) for split in SPLITS} | {"all": _whole(carried)}
    if kind.carried:
        columns |= {"known": _whole(known), "share": shares}
    columns |= {title: [f"{number:.4g}" for number in statistics[what]] for title, what in kind.statistics.items()}
    for source in slice.kinds if len(slice.kinds) > 1 else ():
        of = zip(counts.of("carried", source=source), counts.of("known", source=source), strict=True)
        columns[source] = [f"{there:.0f}/{out_of:.0f}" if out_of else "unknown" for there, out_of in of]
    return text_table(
        [
            [kind.listed, *columns],
            *([name, *cells] for name, *cells in zip(counts.names, *columns.values(), strict=True)),
        ]
    )


def _whole(numbers: np.ndarray) -> list[str]:
    return [str(int(number)) for number in numbers]


def _overlaps(counts: LabelCounts) -> list[str]:
    """Pairs of labels that stand together most often."""
    names, alone = counts.names, np.diag(counts.together)
    pairs = [
        (-int(counts.together[a, b]), names[a], names[b], a, b)
        for a in range(len(names))
        for b in range(a + 1, len(names))
        if counts.together[a, b]
    ]
    rows = [["together", "records", "of the first", "of the second"]]
    for number, first, second, a, b in sorted(pairs)[:_MOST_OVERLAPS]:
        rows.append([f"{first} and {second}", str(-number), *(f"{-100 * number / alone[i]:.1f} %" for i in (a, b))])
    more = len(pairs) - _MOST_OVERLAPS
    return [*text_table(rows), *([f"and {counted(more, 'pair')} more"] if more > 0 else [])] if pairs else []


def _rare(slice: TaskSlice, counts: LabelCounts, rare: dict[str, str]) -> list[str]:  # noqa: A002
    """What the stage does about each label that cannot be trained on."""
    config = slice.config
    if config.rare == "leave_out":
        stops = set(rare) if len(counts.names) - len(rare) < config.task_kind.least else set()
    else:
        stops = set(counts.too_few())
    words = {True: "stops `labels`", False: "left out" if config.rare == "leave_out" else "mind"}
    return [f"{words[name in stops]}: label {name!r} {why}" for name, why in rare.items()]


def _parts(selector: Selector) -> Iterator[tuple[str, Selector]]:
    """Yield a selector for each code, pattern, value and condition of a selector, with its name."""
    empty = {key: type(selector).model_fields[key].get_default() for key in CLAUSES}
    for key in selector.clauses:
        asked = getattr(selector, key)
        if isinstance(asked, dict):
            for name, values in asked.items():
                for value in values:
                    yield f"{name} {value!r}", selector.model_copy(update=empty | {key: {name: [value]}})
        elif isinstance(asked, list):
            for item in asked:
                yield f"{key} {item!r}", selector.model_copy(update=empty | {key: [item]})
        else:
            yield f"{key} {asked!r}", selector.model_copy(update=empty | {key: asked})


def _unmatched(slice: TaskSlice, records: LabelledRecords) -> list[str]:  # noqa: A002
    """Codes, patterns and values that no record of their kind of source has, with near spellings."""
    lines = []
    for kind in dict.fromkeys(slice.kinds.values()):
        pending = {
            (place, name): part
            for place, of, selector in slice.config.selectors()
            if of == kind
            for name, part in _parts(selector)
        }
        opened = [(targets, path) for source, targets, path in records.opened() if slice.kinds[source] == kind]
        for targets, path in opened:
            for piece in table_pieces(path, targets.columns):
                pending = {key: part for key, part in pending.items() if not _found(part, piece, targets, key[0])}
        hints = _hints(pending, opened) if pending else {}
        lines += [f"matches nothing: {place}: {name}{hints[place, name]}" for place, name in pending]
    return lines


def _found(part: Selector, index: pd.DataFrame, targets: SourceTargets, place: str) -> bool:
    return bool(select(index, part, place, targets.file_rows(index, part)).any())


def _hints(
    pending: dict[tuple[str, str], Selector], opened: list[tuple[SourceTargets, Path]]
) -> dict[tuple[str, str], str]:
    """What is near to each part that matches nothing, in the first of the sources that has anything near."""
    hints = dict.fromkeys(pending, "")
    for targets, path in opened:
        index = pd.read_parquet(path, columns=targets.columns)
        for key, part in pending.items():
            near = near_spellings(index, part, targets.file_rows(index, part)).partition(": ")[2]
            hints[key] = hints[key] or (f"; {near}" if near else "")
    return hints
