"""How pages are made from templates: the same look, every value escaped, an unknown name an error."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined

from ecglfm.config.kinds import areas, titles
from ecglfm.evaluation.plots import with_interval


def environment() -> Environment:
    """Templates of this package, with the filters and the names of metrics that they share."""
    made = Environment(
        loader=PackageLoader("ecglfm.evaluation.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals |= {"titles": titles(), "areas": areas()}
    made.filters |= {
        "ci": with_interval,
        "percent": lambda share: "–" if share is None else f"{100 * share:.1f} %",
        "number": lambda value: "–" if value is None else f"{value:.4g}",
        "count": lambda value: f"{value:,}".replace(",", "\u202f"),
    }
    return made
