"""Counts and quantiles of tables in pieces: those of pandas over the whole table."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest

from ecglfm.evaluation.report.counting import ALL, NONE, count_rows, spreads, tallies

RNG = np.random.default_rng(0)
COUNT = 200
TABLE = pd.DataFrame(
    {
        "patient_id": [f"p{number}" for number in RNG.integers(0, 60, COUNT)],
        "source": RNG.choice(["b", "a"], COUNT),
        "split": pd.Series(RNG.choice(["train", "valid", "test", None], COUNT), dtype="str"),
        "age": np.where(RNG.random(COUNT) < 0.2, np.nan, RNG.integers(20, 90, COUNT)),
        "n": RNG.integers(1000, 5000, COUNT),
        "rate": RNG.choice([250, 500], COUNT),
    }
)


def pieces(columns: list[str]) -> Iterator[pd.DataFrame]:
    """The table, 30 rows at a time."""
    yield from (TABLE.iloc[start : start + 30][columns] for start in range(0, COUNT, 30))


def test_records_and_patients() -> None:
    found = tallies(pieces)
    assert found.sources() == ["a", "b"]
    for source in ("a", "b", ALL):
        own = TABLE if source == ALL else TABLE[TABLE["source"] == source]
        counts = found.of(source)
        for split in ("train", "valid", "test", NONE, ALL):
            part = {ALL: own, NONE: own[own["split"].isna()]}.get(split, own[own["split"] == split])
            assert counts[split] == (len(part), part["patient_id"].nunique()), (source, split)


def test_rows_by_their_values_with_nothing_as_none() -> None:
    found = count_rows(pieces, ["source", "split"])
    wanted = TABLE.fillna({"split": NONE}).groupby(["source", "split"]).size()
    assert dict(found) == wanted.to_dict()


@pytest.mark.parametrize("columns", [["age"], ["n", "rate"]])
def test_quantiles_are_those_of_pandas(columns: list[str]) -> None:
    at = [0.0, 0.25, 0.5, 0.9, 1.0]
    found = spreads(pieces, columns, ["source", "split"], at)
    value = TABLE["age"] if columns == ["age"] else TABLE["n"] / TABLE["rate"]
    groups = (
        TABLE.fillna({"split": NONE}).assign(value=value).dropna(subset="value").groupby(["source", "split"])["value"]
    )
    assert list(found) == sorted(groups.groups)
    for group, values in groups:
        assert found[group].known == len(values)
        assert found[group].quantiles == pytest.approx(values.quantile(at).tolist())


def test_a_group_without_a_known_value_is_left_out() -> None:
    def none_of_b(columns: list[str]) -> Iterator[pd.DataFrame]:
        yield TABLE.assign(age=TABLE["age"].where(TABLE["source"] == "a"))[columns]

    assert list(spreads(none_of_b, ["age"], ["source"], [0.5])) == [("a",)]
