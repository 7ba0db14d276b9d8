"""How pages are made from templates: the same look, every value escaped, an unknown name an error."""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined

from ecglfm.config import BASELINES
from ecglfm.config.difference import shown
from ecglfm.evaluation.metrics import all_metrics, chances, title_of
from ecglfm.evaluation.plots import with_interval
from ecglfm.evaluation.report.model_sections import FittedModel
from ecglfm.evaluation.verification import MEASURES


def environment() -> Environment:
    """Templates of this package, with the filters and the names of metrics that they share."""
    made = _compiled()
    beside = [name for name, metric in all_metrics().items() if metric.beside_constant]
    made.globals |= {"title_of": title_of, "chances": chances(), "beside_constant": beside, "called": BASELINES}
    made.globals["measures"] = {name: metric.title for name, metric in MEASURES.items()}
    return made


@cache
def _compiled() -> Environment:
    """What keeps the templates that it has compiled, once in a process."""
    made = Environment(
        loader=PackageLoader("ecglfm.evaluation.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "ci": with_interval,
        "percent": lambda share: "–" if share is None else f"{100 * share:.1f} %",
        "number": lambda value: "–" if value is None else f"{value:.4g}",
        "count": _count,
        "noun": _noun,
        "setting": shown,  # as a config file would say it
        "counted": lambda value, one: f"{_count(value)} {_noun(value, one)}",
    }
    return made


def _count(number: int) -> str:
    return f"{number:,}".replace(",", "\u202f")


def _noun(number: int, one: str) -> str:
    return one if number == 1 else f"{one}s"


def link(page: Path, target: Path) -> str:
    """Address of another file of the results on a page, relative, so that the folder can be moved and served.

    Parameters
    ----------
    page : path
        The file that the link stands on.
    target : path
    """
    return quote(Path(os.path.relpath(target.absolute(), page.absolute().parent)).as_posix())


def report_of(results: Path) -> Path:
    """The report of a results folder, to which every page leads back."""
    return results / "report/index.html"


def card_links(results: Path, page: Path, fits: Iterable[FittedModel]) -> dict[str, str]:
    """Address of each card that there is, by the path of its model."""
    cards = {fit.path: results / "evaluate" / fit.path / "card.html" for fit in fits}
    return {name: link(page, card) for name, card in cards.items() if card.exists()}
