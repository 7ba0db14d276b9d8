"""What a model says of one recording, in a line."""

from __future__ import annotations

from typing import Any

from ecglfm.app.prediction import Predictor, percents

_SHOWN = 7  # labels of a line


def answer_line(predictor: Predictor, row: dict[str, Any]) -> str:
    """`AFIB 0.94 yes, LBBB 0.12 no`: labels that are called first, then the nearest to that.

    Parameters
    ----------
    predictor : Predictor
    row : dict
        Of `Predictor.answer`.
    """
    if row["abstained"]:
        return f"no answer: {row['reason']}"
    model = predictor.models[0]
    kind = model.link.kind
    said = []
    for name in model.label_names:
        value, decision = row[kind.output_column(name)], row.get(f"decision.{name}")
        called = "" if decision is None else " yes" if decision else " no"
        nearness = value - row.get(f"threshold.{name}", 0.0)
        said.append(
            (
                not decision,
                -nearness if kind.has_classes else 0.0,
                " ".join([f"{name} {value:.2f}{called}", *_in_brackets(percents(row, name))]),
            )
        )
    shown = [text for *_, text in sorted(said, key=lambda one: one[:2])]
    rest = f", and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else ""
    return ", ".join(shown[:_SHOWN]) + rest


def _in_brackets(texts: list[str]) -> list[str]:
    return [f"({', '.join(texts)})"] if texts else []
