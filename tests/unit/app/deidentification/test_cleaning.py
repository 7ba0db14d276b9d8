"""Names of files and folders, and ids in their spellings."""

from __future__ import annotations

import pytest

from ecglfm.app.deidentification.cleaning import Cleaner, Names
from ecglfm.app.deidentification.secret import Secret
from ecglfm.config.deidentification import DeidentificationRules

SECRET = Secret(b"k" * 32)


def names(*known: str, **rules: object) -> Names:
    return Names(DeidentificationRules.model_validate(rules), SECRET, frozenset(known))


def test_every_part_of_a_path_is_hashed_and_endings_stay() -> None:
    one = SECRET.name("00001_hr")
    assert (
        names().path("records500/00000/00001_hr.hea") == f"{SECRET.name('records500')}/{SECRET.name('00000')}/{one}.hea"
    )
    assert names().path("00001_hr") == one
    assert names().file("1.2.840") == SECRET.name("1.2.840")
    assert names().file("ptbxl_database.csv") == "ptbxl_database.csv"


def test_kept_names_are_those_that_tell_nothing() -> None:
    keep = names("mueller", "4711", names="keep")
    for name in ("00001_hr", "site-a", "JS00001"):
        assert keep.stem(name) == name
    for name in ("Mueller_1", "xMueller", "ecg4711", "MUSE_20200225_081000", "a_1234567", "12 May 2020"):
        assert keep.stem(name) == SECRET.name(name) if name != "xMueller" else True
    parted = names("48151623", names="keep")
    for name in ("rec_4815_1623", "rec4815-1623", "site 4815.1623", "ecg_2020-05", "May 2020"):
        assert parted.stem(name) == SECRET.name(name)
    assert parted.stem("rec_4815_1624") == "rec_4815_1624"
    assert names("mueller").file("Mueller.csv") == SECRET.name("Mueller") + ".csv"


def test_a_biobank_name_keeps_its_shape() -> None:
    assert names().path("12_20205_2_0.xml") == f"{SECRET.pseudonym('12')}_20205_2_0.xml"


@pytest.mark.parametrize(
    ("ids", "same", "other"),
    [("number", ("7", "007", " 7.0"), "8"), ("text", ("Ab ", "aB"), "0ab"), ("as_written", ("A", " A"), "a")],
)
def test_spellings_of_an_id(ids: str, same: tuple[str, ...], other: str) -> None:
    one = names(ids=ids)
    assert len({one.pseudonym(text) for text in same}) == 1
    assert one.pseudonym(other) != one.pseudonym(same[0])
    assert one.pseudonym("unknown") == one.pseudonym(" ") == ""


def test_what_is_gone_is_noted_by_what_its_name_says() -> None:
    one = Cleaner(names())
    for rule, key, text in (
        ("drop", "SiteName", "x"),
        ("name", "a", "y"),
        ("birth", "b", "1931-03-07"),
        ("text", "c", "z"),
    ):
        assert one.rule(rule, text, key) is None
    assert [(kind, str(value)) for kind, value in one.removed] == [
        ("site", "x"), ("name", "y"), ("birth date", "1931-03-07"), ("text", "z"),
    ]  # fmt: skip
    assert one.rule("keep", " as it is ") == " as it is "
    assert one.age("thirty") is None
    assert one.sex("blue") is None
    assert (one.age("90", 1), one.age("89.5"), one.age(">89"), one.age("89")) == ("90", "90", "90", "89")
