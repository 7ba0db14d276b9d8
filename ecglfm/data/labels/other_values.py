"""What a column says of recordings that are of no class of a task: a slip of the pen, or meant to be left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pandas as pd

from ecglfm.config.wording import counted
from ecglfm.data.columns import NOT_STATED

_SHOWN = 5


class OtherValues:
    """Cells of columns, told of piece by piece, of recordings of no class."""

    def __init__(self) -> None:
        self._values: dict[str, Counter[str]] = {}

    def add(self, name: str, cells: pd.Series) -> None:
        """Tell of a piece of a column; a cell that is empty, or a word for that, says nothing."""
        texts = cells.dropna().astype(str).str.strip()
        self._values.setdefault(name, Counter()).update(texts[~texts.str.casefold().isin(NOT_STATED)])

    def told(self) -> Iterator[str]:
        """A sentence for each column that has any, with the commonest of them."""
        for name, values in self._values.items():
            if values:
                shown = ", ".join(repr(value) for value, _ in values.most_common(_SHOWN))
                more = ", …" if len(values) > _SHOWN else ""
                what = counted(values.total(), "recording, which is of no class", "recordings, which are of no class")
                yield f"{name} has {shown}{more} in {what} and left out"
