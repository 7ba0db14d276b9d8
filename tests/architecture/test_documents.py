"""What must stay true of the pages that people read."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

import ecglfm
from tests.architecture import picture

LONGEST_CELL = 150
#: A path in a text, perhaps with a name in it: `ecglfm/records/record.py`, `ecglfm/training/pretraining/loop.py: update`.
PATH = re.compile(r"`((?:ecglfm|workflow|config|tests|docs)/[\w./-]+)(?:: \w+)?`")


def pages(repository: Path) -> list[Path]:
    """All but the changelog and what is generated from the config's own descriptions."""
    found = [*repository.glob("*.md"), *repository.glob("docs/*.md"), *repository.glob("config/*.md")]
    return [page for page in sorted(found) if page != repository / "CHANGELOG.md"]


def test_no_cell_of_a_table_is_a_paragraph(repository: Path) -> None:
    assert repository / "docs/performance.md" in pages(repository)
    long = [
        f"{page.name}:{number}: {len(cell.strip())} characters"
        for page in pages(repository)
        for number, line in enumerate(page.read_text().splitlines(), 1)
        if line.startswith("|")
        for cell in re.split(r"(?<!\\)\|", line)
        if len(cell.strip()) > LONGEST_CELL
    ]
    assert long == []


def test_links_between_pages_lead_somewhere(repository: Path) -> None:
    broken = []
    for page in [*pages(repository), *repository.glob("docs/config/*.md")]:
        for target, anchor in re.findall(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]*))?\)", page.read_text()):
            file = (page.parent / target).resolve() if target else page
            if not file.exists():
                broken.append(f"{page.name}: {target}")
            elif anchor:
                titles = re.findall(r"^#+ (.*)$", file.read_text(), re.M)
                if anchor not in {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}:
                    broken.append(f"{page.name}: {target}#{anchor}")
    assert broken == []


def test_the_citation_has_what_its_format_requires(repository: Path) -> None:
    """Of https://github.com/citation-file-format, 1.2.0; and it is of this version."""
    about = yaml.safe_load((repository / "CITATION.cff").read_text())
    assert about["cff-version"] == "1.2.0"
    for cited in (about, *about["references"]):
        assert cited["title"]
        assert all(author["name"] for author in cited["authors"])
    assert about["message"]
    assert about["version"] == ecglfm.__version__
    assert about["license"] in (repository / "LICENSE").read_text()
    assert {one["doi"] for one in about["references"]} <= set(
        re.findall(r"https://doi\.org/([^)]+)", (repository / "README.md").read_text())
    )


def test_pictures_of_the_pages_are_light(repository: Path) -> None:
    pictures = [*repository.glob("docs/*.png"), *repository.glob("docs/*.svg")]
    assert [(one.name, size) for one in pictures if (size := one.stat().st_size) > 150_000] == []


def test_files_that_architecture_names_exist(repository: Path) -> None:
    named = PATH.findall((repository / "docs/architecture.md").read_text())
    assert len(named) > 40
    assert [name for name in named if not (repository / name).exists()] == []


def test_the_picture_of_the_rooms_is_of_this_house() -> None:
    assert picture.PICTURE.read_text() == picture.drawn(), "draw it anew: python -m tests.architecture.picture"
