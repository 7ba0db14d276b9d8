"""The generated pages say what the config is."""

from __future__ import annotations

import re
from pathlib import Path

from ecglfm.config.documentation import PAGES, TEXTS, pages, schema
from ecglfm.config.project.project import ProjectConfig
from ecglfm.config.source_kinds import KINDS
from ecglfm.config.sources import SourceConfig


def test_generated_files_are_up_to_date(repository: Path) -> None:
    assert (repository / "config/schema.json").read_text() == schema(), "run `make docs`"
    shipped = {page.name: page.read_text() for page in (repository / "docs/config").iterdir()}
    assert shipped == pages(), "run `make docs`"


def test_every_key_of_the_config_is_on_one_page() -> None:
    told = [
        key
        for tables in PAGES.values()
        for table in tables
        if table.section is ProjectConfig
        for key in table.keys or ()
    ]
    assert sorted(told) == sorted(ProjectConfig.model_fields), (
        "put it on a page, in PAGES of ecglfm/config/documentation.py"
    )
    assert sorted(PAGES) == sorted(text.name.removesuffix(".md") for text in TEXTS.iterdir())


def _named(text: str, start: str, end: str) -> list[str]:
    """What stands in backticks between two words of a page, each once."""
    part = text[text.index(start) + len(start) :]
    return list(dict.fromkeys(re.findall("`([a-z0-9_]+)`", part[: part.index(end)])))


def test_every_kind_of_database_is_told_of_where_one_looks_for_it() -> None:
    """A new one in `ecglfm/config/source_kinds.py` is named in `ecglfm/config/pages/data.md`, among those of its sort."""
    text = TEXTS.joinpath("data.md").read_text(encoding="utf-8")
    told = "name it in ecglfm/config/pages/data.md, then `make docs`"
    published = _named(text, "database by its layout:", "Kinds for your own files")
    table = text[text.index("| kind | files | table |") :].partition("\n\n")[0]
    own = re.findall(r"^\| `([a-z0-9_]+)` \|", table, flags=re.M)
    assert sorted([*published, *own]) == sorted(KINDS), told
    homes = {name for name, kind in KINDS.items() if kind.home}
    assert set(_named(text, "source that has a public home (", ")")) == homes, told
    needed = set(re.findall(r"^\| `([a-z0-9_]+)` \|.*\| needed \|$", table, flags=re.M))
    assert needed == {name for name, kind in KINDS.items() if "table" in kind.required}, told


def test_descriptions_name_the_kinds_that_take_a_key() -> None:
    fields = SourceConfig.model_fields
    optional = {option for kind in KINDS.values() for option in kind.options}
    for key in optional - {"columns"}:  # which goes with `table`
        takers = {name for name, kind in KINDS.items() if key in kind.options}
        described = (fields[key].description or "").partition("; null")[0]
        assert takers <= set(re.findall("`([a-z0-9_]+)`", described)), key
