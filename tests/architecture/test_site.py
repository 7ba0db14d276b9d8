"""The site of docs/: it can be built, asks nobody for anything, and everything in it that could be run is run."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from mkdocs.commands.build import build
from mkdocs.config import load_config

from ecglfm.config import UserError, read_yaml
from ecglfm.config.base import parse
from ecglfm.config.deidentification import DeidentificationRules
from ecglfm.config.encoders.encoder import EncoderConfig
from ecglfm.config.project.project import ProjectConfig
from ecglfm.config.source_kinds import KINDS
from ecglfm.config.sources import SourceConfig
from ecglfm.config.tasks import TaskConfig
from tests.pages import Block, blocks

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "config/README.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site as `make site` writes it; a broken link, a lost anchor or a page that no menu names ends the build."""
    folder = tmp_path_factory.mktemp("site")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("NO_MKDOCS_2_WARNING", "1")
        build(load_config(str(ROOT / "mkdocs.yml"), site_dir=str(folder)))
    return folder


def test_the_site_needs_no_network(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) == len(list((ROOT / "docs").rglob("*.md"))) + 1  # and 404.html
    fetched = r"<(?:script|img|iframe|source)\b[^>]*\bsrc=\"?(?:https?:)?//|<link\b[^>]*\bhref=\"?(?:https?:)?//[^>]*stylesheet"
    assert [page.name for page in pages if re.search(fetched, page.read_text())] == []
    assert [
        sheet.name for sheet in site.rglob("*.css") if re.search(r"url\(['\"]?(https?:)?//", sheet.read_text())
    ] == []


def test_the_search_finds_what_a_page_says(site: Path) -> None:
    """Of files that nobody serves, too: there the index is a script."""
    text = (site / "search/search_index.js").read_text()
    found = json.loads(text.removeprefix("var __index = "))["docs"]
    assert any(one["location"] == "config/splits.html#duplicates" for one in found)
    assert any("LockException" in one["text"] and one["location"].startswith("faq.html") for one in found)


@pytest.mark.parametrize("fault", ["[x](no-such-page.md)", "[x](faq.md#no-such-title)"])
def test_a_link_that_leads_nowhere_ends_the_build(tmp_path: Path, fault: str) -> None:
    from mkdocs.exceptions import Abort

    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/index.md").write_text(f"# One\n\n{fault}\n")
    (tmp_path / "docs/faq.md").write_text("# Two\n")
    settings = (ROOT / "mkdocs.yml").read_text()
    validation = settings[settings.index("validation:") : settings.index("theme:")]
    (tmp_path / "mkdocs.yml").write_text(
        f"site_name: x\nstrict: true\nnav: [index.md, faq.md]\ntheme: null\n{validation}"
    )
    with pytest.raises(Abort):
        build(load_config(str(tmp_path / "mkdocs.yml")))


def _tests() -> set[str]:
    """Names of all tests and fixtures."""
    return {
        name for path in (ROOT / "tests").rglob("*.py") for name in re.findall(r"^def (\w+)", path.read_text(), re.M)
    }


def _runnable() -> list[Block]:
    return [block for page in PAGES for block in blocks(page, "bash", "sh", "python", "")]


def test_every_block_of_the_pages_has_its_test() -> None:
    """Or says why not; and none is without a language, or indented, and so unseen."""
    tests = _tests()
    nameless = [str(block) for block in _runnable() if not block.language]
    unlisted = [str(block) for block in _runnable() if block.language and not (block.run_by or block.not_run)]
    assert (nameless, unlisted) == ([], []), "above it write `<!-- run by: test_name -->` or `<!-- not run: why -->`"
    assert [f"{block}: {name}" for block in _runnable() for name in block.run_by if name not in tests] == []
    indented = [
        f"{page.name}: {line.strip()}"
        for page in PAGES
        for line in re.findall(
            r"^\n {4}(?! *[-*\d])\S.*", re.sub(r"^```.*?^```", "", page.read_text(), flags=re.S | re.M), re.M
        )
    ]
    assert indented == []


def _settings() -> list[Block]:
    return [block for page in PAGES for block in blocks(page, "yaml")]


@pytest.mark.parametrize("block", _settings(), ids=str)
def test_every_setting_in_the_pages_is_one(block: Block, tmp_path: Path) -> None:
    (tmp_path / "page.yaml").write_text(block.text)
    check(read_yaml(tmp_path / "page.yaml"))


def test_a_setting_that_is_none_is_found() -> None:
    for wrong in ("finetune: {lerning_rate: 1}", "kind: binary\nlabels: {MI: {ptbxl: {spc: [MI]}}}", "leeds: {C1: V1}"):
        with pytest.raises(UserError):
            check(yaml.safe_load(wrong))


def check(content: dict) -> None:
    """Raise `UserError` unless it is a file of config/, or a part of one, by the keys that it has."""
    if content.get("kind") in KINDS:
        parse(SourceConfig, content, "page")
    elif "shift_days" in content:
        parse(DeidentificationRules, content, "page")
    elif "labels" in content:
        parse(TaskConfig, content, "page")
    elif content.keys() <= ProjectConfig.model_fields.keys():
        every = ["clinic", *(path.stem for path in (ROOT / "config/sources").glob("*.yaml"))]
        project = parse(ProjectConfig, {"sources": every, "encoders": [], "tasks": []} | content, "page")
        for section, kind in (("sources", SourceConfig), ("tasks", TaskConfig)):
            for name, inner in getattr(project.define, section).items():
                parse(kind, inner, name)
        assert {key for inner in project.define.encoders.values() for key in inner} <= EncoderConfig.model_fields.keys()
    elif content.keys() <= EncoderConfig.model_fields.keys():
        parse(EncoderConfig, read_yaml(ROOT / "config/encoders/small.yaml") | content, "page")
    else:
        parse(SourceConfig, {"kind": "wfdb_folder", "root": "data", "table": "table.csv"} | content, "page")
