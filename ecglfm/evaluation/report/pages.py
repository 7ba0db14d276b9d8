"""How pages are made from templates: the same look, every value escaped, an unknown name an error."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined

from ecglfm.evaluation.metrics import all_metrics, chances, title_of
from ecglfm.evaluation.plots import with_interval
from ecglfm.evaluation.verification import MEASURES


def environment() -> Environment:
    """Templates of this package, with the filters and the names of metrics that they share."""
    made = Environment(
        loader=PackageLoader("ecglfm.evaluation.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    beside = [name for name, metric in all_metrics().items() if metric.beside_constant]
    made.globals |= {"title_of": title_of, "chances": chances(), "beside_constant": beside}
    made.globals["measures"] = {name: metric.title for name, metric in MEASURES.items()}
    made.filters |= {
        "ci": with_interval,
        "percent": lambda share: "–" if share is None else f"{100 * share:.1f} %",
        "number": lambda value: "–" if value is None else f"{value:.4g}",
        "count": lambda value: f"{value:,}".replace(",", "\u202f"),
    }
    return made
