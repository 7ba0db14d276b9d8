"""A line says what is called first, and is never longer than some labels."""

from __future__ import annotations

from types import SimpleNamespace

from ecglfm.app.explanation.answers import answer_line
from ecglfm.config.kinds import KINDS


def asked(kind: str, **values: float) -> tuple[SimpleNamespace, dict[str, object]]:
    model = SimpleNamespace(label_names=list(values), link=SimpleNamespace(kind=KINDS[kind]))
    row: dict[str, object] = {"abstained": False, "reason": ""}
    for name, value in values.items():
        row[KINDS[kind].output_column(name)] = value
        if KINDS[kind].has_classes:
            row |= {f"threshold.{name}": 0.3, f"decision.{name}": value >= 0.3}
    return SimpleNamespace(models=[model]), row


def test_labels_that_are_called_stand_first_then_the_nearest():
    predictor, row = asked("multilabel", A=0.1, B=0.31, C=0.29, D=0.9)
    assert answer_line(predictor, row) == "D 0.90 yes, B 0.31 yes, C 0.29 no, A 0.10 no"


def test_many_labels_are_cut_and_it_is_said():
    predictor, row = asked("multilabel", **{f"L{number}": number / 100 for number in range(10)})
    assert answer_line(predictor, row).endswith("L3 0.03 no, and 3 more")


def test_numbers_stay_in_their_order_and_no_answer_has_its_reason():
    predictor, row = asked("survival", HF=1.5)
    assert answer_line(predictor, row | {"within_5.HF": 0.25}) == "HF 1.50 (25 % within 5)"
    predictor, row = asked("regression", age=61.0, weight=80.0)
    assert answer_line(predictor, row) == "age 61.00, weight 80.00"
    assert (
        answer_line(predictor, row | {"abstained": True, "reason": "amplitude: flat"}) == "no answer: amplitude: flat"
    )
