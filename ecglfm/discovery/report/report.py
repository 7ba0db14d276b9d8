"""The step `discover report`: one self-contained page of a folder `discover/{encoder}`.

It holds no time stamp: the same files give the same page.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader

from ecglfm.config import UserError
from ecglfm.discovery.report.facts import headline, planted_lines, planted_tables
from ecglfm.discovery.report.parts import PARTS, PLANTED, Part, Table
from ecglfm.discovery.report.tables import Shown, read_table, shown
from ecglfm.evaluation.plots import data_uri
from ecglfm.evaluation.report import environment, link, report_of
from ecglfm.provenance import code_version, write_text

logger = logging.getLogger(__name__)


def run_discovery_report(
    folder: Path, output: Path, *, planted: Path | None = None, without: Sequence[str] = ()
) -> None:
    """Write the page.

    Parameters
    ----------
    folder : path
        `<results>/discover/{encoder}`; whichever steps have run are shown.
    output : path
        The HTML file. Pictures are inside it; tables are linked relative to it.
    planted : path, optional
        `planted.tsv` of simulated genotypes.
    without : sequence of str
        Names of sections to leave out: the folder may hold what an earlier config made.

    Raises
    ------
    UserError
        No such folder, no such section, or a file cannot be read.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; `snakemake discover` makes it")
    unknown = sorted(set(without) - {part.name for part in PARTS})
    if unknown:
        raise UserError(f"--without {unknown[0]}: no such section; there are {', '.join(part.name for part in PARTS)}")
    sections = [_planted(folder, planted, output)] if planted is not None and (folder / "loci.tsv").is_file() else []
    sections += [_section(part, folder, output) for part in PARTS if part.name not in without]
    sections = [section for section in sections if section["lines"] or section["tables"] or section["pictures"]]
    content = {
        "home_link": link(output, report_of(folder.parents[1])),
        "title": f"From ECG to SNP: {folder.name}",
        "section": _templates().get_template("discovery.html.j2").render(sections=sections, headline=headline(folder)),
        "code": code_version(),
    }
    write_text(output, environment().get_template("analysis.html.j2").render(content))
    logger.info("report: %s", output)


def _templates() -> Environment:
    """Those of this room, with the look and the filters of every page."""
    shared = environment()
    assert shared.loader is not None
    return shared.overlay(loader=ChoiceLoader([PackageLoader("ecglfm.discovery.report", "templates"), shared.loader]))


def _planted(folder: Path, planted: Path, output: Path) -> dict[str, Any]:
    tables = [_linked(table, output) for table in planted_tables(folder, planted)]
    return PLANTED | {"lines": planted_lines(folder, planted), "tables": tables, "pictures": [], "also": []}


def _section(part: Part, folder: Path, output: Path) -> dict[str, Any]:
    tables = [*part.made(folder), *filter(None, (_table(table, folder) for table in part.tables))]
    pictures = []
    for picture in part.pictures:
        found = sorted(folder.glob(picture.pattern))
        group = []
        for path in found[: picture.most]:
            name = "" if len(found) == 1 else path.name.removesuffix(".png")
            source = data_uri(path.read_bytes())
            group.append({"source": source, "says": picture.says, "name": name})
        if group:
            pictures.append({"group": group, "more": max(len(found) - picture.most, 0)})
    return {
        "name": part.name, "title": part.title, "read": part.read, "limits": part.limits, "lines": part.lines(folder),
        "tables": [_linked(table, output) for table in tables], "pictures": pictures,
        "also": [_address(path, folder, output) for pattern in part.also for path in sorted(folder.glob(pattern))],
    }  # fmt: skip


def _table(table: Table, folder: Path) -> Shown | None:
    path = folder / f"{table.file}.tsv"
    if not path.is_file():
        return None
    parquet = path.with_suffix(".parquet")
    files = [path, *([parquet] if parquet.is_file() else [])]
    return shown(read_table(path), table.title, *files, columns=table.columns, by=table.by, most=table.most)


def _linked(table: Shown, output: Path) -> dict[str, Any]:
    files = [_address(path, output.parent, output) for path in table.files]
    columns = list(zip(table.heads, table.numeric, strict=True))
    return {"title": table.title, "columns": columns, "rows": table.rows, "total": table.total, "files": files}


def _address(path: Path, folder: Path, output: Path) -> dict[str, str]:
    name = path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.name
    return {"name": f"{name}/" if path.is_dir() else name, "href": link(output, path)}
