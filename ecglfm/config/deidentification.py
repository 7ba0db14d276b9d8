"""What `ecglfm deidentify` may keep: the rules that a person writes down, a file of its own beside `config.yaml`."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from ecglfm.config.base import Section

_RULE = re.compile(r"(patient|id|path|date( .*%.*)?|birth|age( days)?|name|text|keep|drop)")


def _known(rule: str) -> str:
    if not _RULE.fullmatch(rule):
        raise ValueError(
            f"{rule!r} is no rule: patient, id, path, date, 'date %d/%m/%Y', birth, age, 'age days', name, text, keep, "
            "drop"
        )
    return rule


#: What becomes of a column of a table, or of a comment in a header.
Rule = Annotated[str, AfterValidator(_known)]


class DeidentificationRules(Section):
    """Rules of `ecglfm deidentify`; what no rule and no format says is harmless is removed."""

    columns: dict[str, Rule] = Field(
        {}, description="of tables, by column: patient (whose row it is), id (any other id), path (of a file, or a "
        "record's name), date (or `date %d/%m/%Y`), birth, age (or `age days`), name, text, keep, drop",
    )  # fmt: skip
    comments: dict[str, Rule] = Field(
        {}, description="of WFDB headers, by key in lower case, as `columns`; without a rule only Age, Sex and Dx stay"
    )
    elements: dict[str, Literal["keep", "drop"]] = Field(
        {}, description="of XML, by name: text that stays though it is not known to be harmless, or goes though it is"
    )
    leads: list[str] = Field([], description="names of channels that are harmless, beside the usual ones")
    words: list[str] = Field(
        [], description="words that are somebody's name and harmless all the same (Long, White): not searched for"
    )
    text: Literal["drop", "keep"] = Field(
        "drop",
        description="free text (reports, statements): drop it, or keep it less names, ids, dates and long numbers",
    )
    names: Literal["hash", "keep"] = Field(
        "hash", description="names of files and folders: all by keyed hash, or only those that hold what was removed"
    )
    time: Literal["keep", "hour", "day"] = Field("keep", description="time of day: as it is, the full hour, none")
    shift_days: int = Field(
        365, ge=1, le=36500, description="a person's dates all go back by the same 1 to so many days, by the secret"
    )
    muse_dates: Literal["month_first", "day_first"] = Field(
        "month_first",
        description="order of the numbers in a MUSE file's dates, 07-03-2020, which no such file says: GE writes the"
        " month first. The report counts dates that could be either (`unclear date`) and those that are none so and are"
        " left out (`unread date`)",
    )
    ids: Literal["number", "text", "as_written"] = Field(
        "number", description="which spellings of an id are one person: 007 and 7.0; letters' case and spaces; none"
    )
