"""`discover.heritability`, `mr`, `replication`, `phewas`: what belongs together."""

from __future__ import annotations

from typing import Any

import pytest

from ecglfm.config import UserError, parse
from ecglfm.config.discovery import DiscoverConfig


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ({"heritability": {"panel": ["a"], "ld_scores": "b"}}, "`panel` or `ld_scores`, not both"),
        ({"mr": {"outcomes": {"af": {}}}}, "`statistics` (a file of other people) or `column`"),
        ({"mr": {"outcomes": {"af": {"statistics": "a", "column": "b"}}}}, "one of the two"),
        ({"mr": {"outcomes": {"af": {"column": "af"}}}}, "`table` and outcomes with a `column` belong together"),
        ({"mr": {"table": "a.tsv"}}, "`table` and outcomes with a `column` belong together"),
        ({"replication": {"cohorts": {"b": "b.tsv"}}}, "a path with {edf} in it"),
        ({"phewas": {"codes": "a.tsv"}}, "`codes` and `definitions` belong together"),
    ],
)
def test_what_does_not_fit_is_said(content: dict[str, Any], says: str) -> None:
    with pytest.raises(UserError) as error:
        parse(DiscoverConfig, content, "config.yaml")
    assert says in str(error.value)


def test_what_fits() -> None:
    found = parse(
        DiscoverConfig,
        {
            "mr": {"outcomes": {"af": {"column": "af"}, "mi": {"statistics": "mi.tsv.gz"}}, "table": "a.tsv"},
            "replication": {"cohorts": {"b": "b/{edf}.tsv"}},
            "phewas": {"codes": "a", "definitions": "b", "table": "c"},
        },
        "config.yaml",
    )
    assert found.phewas.tables == ["a", "b", "c"]
    assert DiscoverConfig().phewas.tables == []
