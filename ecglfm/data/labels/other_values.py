"""What columns say that no label of a task takes: a slip of the pen, or meant.

A recording with such a cell is of no class of a `multiclass` task, and left out. Of other tasks it counts as one
without the label. There a column may well say much else that nobody asked for (`LBBB` where `AF` is the label), so
that only columns of yes and no are looked at, where `ja` beside `1` is hardly meant for a no.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ecglfm.config import Selector
from ecglfm.config.expression import Comparison, Condition, Not, comparisons, parse_condition
from ecglfm.config.text import as_text
from ecglfm.config.wording import counted
from ecglfm.data.columns import NOT_STATED, find_column, resolve

_SHOWN, _COLUMNS = 5, 5  # values of a column, and columns, that are named
_YES = frozenset({"1", "true", "t", "yes", "y", "j", "ja", "oui", "si", "x", "+", "pos", "positive", "present"})
_NO = frozenset({"0", "false", "f", "no", "n", "nein", "non", "-", "neg", "negative", "absent"})


class Words(NamedTuple):
    """What a column is compared with: as `as_text` has it, and letter by letter."""

    folded: frozenset[str] = frozenset()
    exact: frozenset[str] = frozenset()

    def with_(self, other: Words) -> Words:
        """Both together."""
        return Words(self.folded | other.folded, self.exact | other.exact)


def words_asked_for(selector: Selector, offered: Collection[str], where: str) -> dict[str, Words]:
    """Columns of a table that a selector takes single values of, and does nothing else with, and these values."""
    found = {find_column(offered, name, where): _folded(values) for name, values in selector.column.items()}
    written = None if selector.where is None else parse_condition(selector.where)
    for condition in (written, selector.condition("event"), selector.condition("competing")):
        if condition is None:
            continue
        columns = resolve(condition, offered, where)
        taken = {} if _turned(condition) else _taken(condition)
        for name, column in columns.items():
            if name in taken:
                found[column] = found.get(column, Words()).with_(taken[name])
            else:
                found.pop(column, None)
    return found


def _folded(values: Iterable[Any]) -> Words:
    return Words(folded=frozenset(str(as_text(value)) for value in values))


def _turned(condition: Condition) -> bool:
    """Whether a `not` stands in it."""
    if isinstance(condition, Comparison):
        return False
    return isinstance(condition, Not) or any(map(_turned, condition.parts))


def _taken(condition: Condition) -> dict[str, Words]:
    """Columns that a condition asks for single values of."""
    found, others = dict[str, Words](), set[str]()
    for one in comparisons(condition):
        if one.operator not in ("==", "in"):
            others.add(one.column)
            continue
        values = one.value if one.operator == "in" else [one.value]
        exact = frozenset(value for value in values if isinstance(value, str))
        words = _folded([*values, *(int(value) for value in values if isinstance(value, bool))])
        words = Words(frozenset() if exact else words.folded, exact)
        found[one.column] = found.get(one.column, Words()).with_(words)
    return {column: words for column, words in found.items() if column not in others}


class OtherValues:
    """Cells of columns, told of piece by piece, that no label takes.

    Parameters
    ----------
    exclusive : bool
        Of classes of which a recording has one: what every column of theirs says of recordings of no class.
    """

    def __init__(self, *, exclusive: bool) -> None:
        self._exclusive = exclusive
        self._asked: dict[str, Words | None] = {}
        self._values: dict[str, Counter[str]] = {}

    def watch(self, names: Mapping[str, str], words: Mapping[str, Words]) -> None:
        """Of a selector: what its columns are called, and the single values that it takes of them, if it does."""
        for name, column in names.items():
            before = self._asked.get(name, Words())
            self._asked[name] = None if before is None or column not in words else before.with_(words[column])

    @property
    def names(self) -> list[str]:
        """Columns whose cells are looked at, sorted."""
        return sorted(name for name in self._asked if self._exclusive or self._ordinary(name) is not None)

    def rows(self, columns: Iterable[np.ndarray]) -> np.ndarray:
        """Which of some recordings are looked at, by their labels, and whether they are taken out on purpose, (n,)."""
        *labels, out = columns
        return ~np.any([value != 0 for value in (*labels, out)], axis=0) if self._exclusive else out == 0

    def add(self, name: str, cells: pd.Series) -> None:
        """Tell of a piece of a column; a cell that is empty, or a word for that, says nothing."""
        texts = cells.dropna().astype(str).str.strip()
        ordinary = self._ordinary(name) or Words()
        other = ~(texts.map(as_text).isin(NOT_STATED | ordinary.folded) | texts.isin(ordinary.exact)).to_numpy(bool)
        self._values.setdefault(name, Counter()).update(texts[other])

    def _ordinary(self, name: str) -> Words | None:
        """Of a column of yes and no, what a label takes and the opposite of it; of another one None."""
        asked = self._asked.get(name) or Words()
        folded = asked.folded | {str(as_text(word)) for word in asked.exact}
        if not folded or not folded <= _YES | _NO:
            return None
        return asked.with_(Words(folded=_NO if folded <= _YES else _YES if folded <= _NO else frozenset()))

    def told(self) -> Iterator[str]:
        """A sentence for each of the first columns that have any, with the commonest of them."""
        having = [(name, values) for name, values in self._values.items() if values]
        for name, values in having[:_COLUMNS]:
            shown = ", ".join(repr(value[:60]) for value, _ in values.most_common(_SHOWN))
            more = f", … ({len(values)} different ones)" if len(values) > _SHOWN else ""
            if self._exclusive:
                of = counted(values.total(), "recording, which is of no class", "recordings, which are of no class")
                yield f"{name} has {shown}{more} in {of} and left out"
            else:
                of = counted(values.total(), "recording, which counts", "recordings, which count")
                yield (
                    f"{name} has {shown}{more} in {of} as without the label: no selector names it; name it, too, or"
                    " leave the cell empty where nothing is known"
                )
        if (left := len(having) - _COLUMNS) > 0:
            yield f"{counted(left, 'more column has', 'more columns have')} such values"
