"""Pages as a person reads them."""

from __future__ import annotations

import html
import re
from pathlib import Path

from ecglfm.evaluation.report.report import run_report


def page_of(results: Path, include: list[str] | None = None) -> str:
    run_report(results, results / "report/index.html", include)
    return (results / "report/index.html").read_text()


def words(page: str) -> str:
    """What a reader sees: tags, style and pictures taken away, one space between words."""
    body = re.sub(r"<style>.*?</style>|<svg.*?</svg>", " ", page, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())
