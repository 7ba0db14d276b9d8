"""`discover.heritability`, `mr`, `replication`, `phewas`: what belongs together."""

from __future__ import annotations

from pathlib import Path
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


def test_files_of_cohorts(tmp_path: Path) -> None:
    """Of each cohort those that are there; a bracket in a folder's name is a bracket."""
    names = ("b[1]/edf_0001.tsv.gz", "b[1]/edf_0002.tsv.gz", "b[1]/edf_0001.yaml", "b1/edf_0001.tsv.gz",
             "c/edf_0001/all.tsv")  # fmt: skip
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    cohorts = {"b": f"{tmp_path}/b[1]/{{edf}}.tsv.gz", "c": f"{tmp_path}/c/{{edf}}/all.tsv", "d": "absent/{edf}.tsv"}
    cohorts |= {"e": {"edf_0003": f"{tmp_path}/{names[3]}"}}
    config = parse(DiscoverConfig, {"replication": {"cohorts": cohorts}}, "config.yaml").replication
    assert config.files == [f"{tmp_path}/{names[place]}" for place in (3, 0, 1, 4)]
    assert config.file("d", "edf_0003") == "absent/edf_0003.tsv"
    assert config.file("e", "edf_0003") == f"{tmp_path}/{names[3]}"
    assert config.file("e", "edf_0001") is None
    assert DiscoverConfig().replication.files == []
