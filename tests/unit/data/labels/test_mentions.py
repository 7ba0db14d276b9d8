"""Mentions in report texts: what is said, denied, or only possible."""

import csv
from pathlib import Path

import pytest

from ecglfm.config import Selector
from ecglfm.data.labels.mentions import Mentions, certainty


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Atrial fibrillation", "said"),
        ("ATRIAL FIBRILLATION with rapid ventricular response", "said"),
        ("No evidence of atrial fibrillation", "negated"),
        ("no P waves, atrial fibrillation", "said"),
        ("No acute infarct, flutter or atrial fibrillation", "negated"),
        ("Sinus rhythm without atrial fibrillation", "negated"),
        ("Atrial fibrillation no longer present", "negated"),
        ("Atrial fibrillation is not seen", "negated"),
        ("Atrial fibrillation has been replaced by sinus rhythm", "negated"),
        ("Atrial fibrillation has been ruled out.", "negated"),
        ("Cannot rule out atrial fibrillation", "uncertain"),
        ("can not exclude atrial fibrillation", "uncertain"),
        ("Atrial fibrillation cannot be excluded", "uncertain"),
        ("Possible atrial fibrillation", "uncertain"),
        ("Irregular rhythm, consider atrial fibrillation", "uncertain"),
        ("Atrial fibrillation is possible", "uncertain"),
        ("Atrial fibrillation?", "uncertain"),
        ("Possible right atrial abnormality; atrial fibrillation; Borderline ECG", "said"),
        ("No ST elevation. Atrial fibrillation", "said"),
        ("Poor R wave progression - probable normal variant - atrial fibrillation", "said"),
        ("No infarct but atrial fibrillation", "said"),
        ("No significant change in atrial fibrillation", "said"),
        ("No longer sinus rhythm; atrial fibrillation", "said"),
        ("Atrial fibrillation, age undetermined infarct not seen", "said"),
        ("ST depression of 0.5 mm without atrial fibrillation", "negated"),
        ("Abnormal ECG, cannot be interpreted; atrial fibrillation", "said"),
        ("Atrial fibrillation is not new", "said"),
    ],
)
def test_statements(text, expected):
    start = text.casefold().index("atrial fibrillation")
    assert certainty(text, start, start + len("atrial fibrillation")) == expected


STATEMENTS = list(csv.DictReader((Path(__file__).parent / "report_statements.csv").open(encoding="utf-8")))


@pytest.mark.parametrize("row", STATEMENTS, ids=lambda row: f"{row['half']}: {row['mention']} in {row['statement']}")
def test_statements_in_the_style_of_machine_reports(row):
    start = row["statement"].casefold().index(row["mention"].casefold())
    assert certainty(row["statement"], start, start + len(row["mention"])) == row["expected"]


REPORTS = ["atrial fibrillation", "no atrial fibrillation", "possible atrial fibrillation", "", "kein Vorhofflimmern"]


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({}, [True, False, True, False, True]),
        ({"uncertain": "negative"}, [True, False, False, False, True]),
        ({"negated": "count"}, [True, True, True, False, True]),
        ({"negated": "count", "uncertain": "negative"}, [True, True, False, False, True]),
        ({"not_report": [r"\bkein"]}, [True, False, True, False, False]),
    ],
)
def test_what_counts_is_configured(keys, expected):
    counts = Mentions(Selector(report=["atrial fibrillation", "vorhofflimmern"], **keys))
    assert [counts(report) for report in REPORTS] == expected


def test_one_mention_that_counts_is_enough_and_others_words_stay_in_their_statement():
    counts = Mentions(Selector(report=["vorhofflimmern"], not_report=["kein"]))
    assert counts("kein Infarkt; Vorhofflimmern")
    assert Mentions(Selector(report=["infarct"]))("No anterior infarct; inferior infarct")


def test_turkish_capital_that_folds_to_two_letters_shifts_nothing():
    text = "İ" * 9 + "; no flutter, atrial fibrillation"
    assert certainty(text, text.index("atrial"), len(text)) == "said"


def test_a_report_of_a_million_letters_is_read_in_no_time():
    """A mention was looked at in all of the report: a hundred thousand of them took hours."""
    counts = Mentions(Selector(report=["AF"], negated="negative"))
    assert not counts("no AF " * 160_000)
    assert not counts("no AF; " * 140_000)
    assert counts("x " * 400_000 + "AF")
