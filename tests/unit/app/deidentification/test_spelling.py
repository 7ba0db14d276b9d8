"""What must go is found however it is spelled, and what only looks like it is not."""

from __future__ import annotations

from datetime import date

import pytest

from ecglfm.app.deidentification.spelling import _ADDRESS, Forbidden, Removed, _without_host, fold


def forbidden(kind: str, value: str | date) -> Forbidden:
    return Forbidden().add([Removed(kind, value)], {"male", "v1"})


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        ("name", "Müller", "MUELLER"), ("name", "Mueller", "muller, h."), ("name", "Müller", "Mu\u0308ller"),
        ("name", "Doe^Jane", "seen:JANE_x"), ("name", "Smith", "xSmith2"), ("name", "Kim", "Kim V1"),
        ("name", "Łukasz", "lukasz"), ("staff", "Dr. O'Hara", "hara"), ("id", "0048-1516-23", "0048151623"),
        ("id", "48151623", "No.48151623/7"), ("id", "AB-12C", "ab12c"), ("id", "12-345-678", "12 345 678"),
        ("birth date", "07.03.1931", "3/7/31"), ("date", date(2020, 5, 5), "5 May 2020"),
        ("id", "48151623", "Nr. 4815-1623"), ("name", "王伟", "患者王伟住院"),
        ("site", "St. Swithin", "at st swithin's"), ("unknown", "asked for water", "Asked  for: WATER!"),
    ],
)  # fmt: skip
def test_it_is_found(kind: str, value: str | date, text: str) -> None:
    assert forbidden(kind, value).found_in(text) is not None
    assert forbidden(kind, value).found_in("Sinus rhythm 72 V1 male 16 0 -35 16715 0 II") is None


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        ("name", "Kim", "akimbo"), ("name", "Male", "male"), ("id", "500", "500 Hz"), ("id", "00000000", "00000000"),
        ("id", "123456", "12 3456"), ("id", "123456", "12-3456.5"), ("name", "王", "国王"), ("unknown", "yes", "yes"), ("age", "94", "94"),
    ],
)  # fmt: skip
def test_what_is_too_short_or_a_word_of_the_format_is_not(kind: str, value: str, text: str) -> None:
    assert forbidden(kind, value).found_in(text) is None


def test_days_that_were_put_in_are_allowed() -> None:
    days = forbidden("date", date(2020, 5, 5))
    assert days.found_in("2020-05-05", allowed={date(2020, 5, 5)}) is None
    assert days.found_in("2020-05-05", allowed={date(2020, 5, 4)}) == "a date"


def test_names_of_everybody_are_searched_for_as_words() -> None:
    everybody = forbidden("name", "Long John").of_all()
    assert everybody == {"long", "john"}
    assert Forbidden().found_in("long QT", everybody) is not None
    assert Forbidden().found_in("prolonged", everybody) is None


def test_a_text_is_cut() -> None:
    own = forbidden("name", "Mühlenbeck")
    text = "Frau MUEHLENBECK (*07.03.31, Nr. 48151623): sinus rhythm, Dr Ward, 72/min"
    assert own.cut(text, {"ward"}) == "Frau [removed] (*[date], Nr. [removed]): sinus rhythm, Dr [removed], 72/min"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("SSN 123-45-6789, tel (555) 867-5309", "SSN [removed], tel (555) [removed]"),
        ("MRN 481-516 or 4815-16", "MRN [removed] or [removed]"), ("write to a.b@mail.example.org.", "write to [removed]."),
        ("born March 1931, again 05/2020", "born [date], again [date]"), ("born 7 March 1931", "born [date]"),
        ("PR 120-180 ms, 0.1234-0.2345 s, QT/QTc 380/420", "PR 120-180 ms, 0.1234-0.2345 s, QT/QTc 380/420"),
        ("患者王小明住院, sinus", "[removed], sinus"), ("2:1 block, axis -30", "2:1 block, axis -30"),
    ],
)  # fmt: skip
def test_numbers_in_parts_months_and_addresses_are_cut_out_of_texts(text: str, left: str) -> None:
    own = Forbidden().add([Removed("id", "481516"), Removed("name", "王小明")], set())
    assert own.cut(text) == left


@pytest.mark.parametrize(
    ("listed", "text", "is_there"),
    [
        ("4711", "seen as 4711 again", True), ("4711", "No.4711/7", True), ("4711", "seen as 47112", False),
        ("4711", "4711", False), ("4711", "QTc 4711.5", True), ("7", "bed 7", True), ("A12", "was a12", True),
        ("Ward 12", "12 mm/s", False), ("4711", "4711, 4712", False),
    ],
)  # fmt: skip
def test_short_ids_are_searched_for_as_words_of_texts_where_somebody_lists_them(
    listed: str, text: str, is_there: bool
) -> None:
    one = forbidden("listed", listed)
    assert one.has_listed([text]) == is_there
    assert one.short == 0
    assert not forbidden("id", listed).has_listed([text])
    assert forbidden("listed", "48151623").found_in("Nr. 48151623") is not None


def test_short_ids_are_cut_out_of_texts() -> None:
    assert forbidden("listed", "77").cut("was 77, rate 77/min, 771") == "was [removed], rate [removed]/min, 771"
    assert forbidden("id", "4711").cut("ECG of 4711, 72/min") == "ECG of [removed], 72/min"
    assert forbidden("id", "72").cut("ECG of 72, 72/min") == "ECG of 72, 72/min"  # too short to be told from a rate


def test_how_many_are_too_short_is_counted() -> None:
    found = Forbidden().add([Removed("name", "Li Wu"), Removed("id", "77"), Removed("name", "Lee")], set())
    assert (found.short, found.words) == (2, {"lee"})


def test_letters_are_folded() -> None:
    assert fold("ÅSA Œuvre Straße ﬁ Łódź Ğ") == "asa oeuvre strasse fi lodz g"


def test_addresses_are_cut_out_and_a_long_word_is_gone_through_once() -> None:
    text = "mail ann.b-c+d@x-y.example.org, a@b.c+d@e.f or a@b@c.d, not a@b; " + "a-" * 10**5
    cut = "mail [removed], [removed][removed] or a@[removed], not a@b; " + "a-" * 10**5
    assert _ADDRESS.sub(_without_host, text) == cut
