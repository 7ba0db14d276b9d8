"""Pages before a person's browser: no window is too narrow, dark systems get dark pages, nothing is fetched or complained of."""

from __future__ import annotations

import base64
import re
from pathlib import Path

from matplotlib.figure import Figure

from ecglfm.evaluation.plots import save_png
from ecglfm.evaluation.report.card import run_card
from ecglfm.evaluation.report.model_sections import FittedModel
from tests.unit.chromium import Chromium
from tests.unit.evaluation.report.pages_read import page_of

#: What is wrong with a page: it is wider than the window, a picture did not load, something was fetched.
FAULTS = """(() => {
  const found = [], width = document.documentElement.scrollWidth;
  if (width > innerWidth) found.push(`${width} px wide, of ${innerWidth}`);
  for (const one of document.images) if (!one.complete || !one.naturalWidth) found.push('no picture');
  for (const one of performance.getEntriesByType('resource')) if (!one.name.startsWith('data:')) found.push(one.name);
  if (window.complaints.length) found.push(...window.complaints);
  return found;
})()"""
LISTEN = "window.complaints = []; addEventListener('error', event => complaints.push(event.message))"
PAPER = "getComputedStyle(document.body).backgroundColor"
#: Headings that may stand alone at the end of a printed page.
ORPHANS = """[...document.querySelectorAll('h2, h3, h4')].filter(one => getComputedStyle(one).breakAfter != 'avoid')
  .map(one => one.textContent)"""
HINT = "getComputedStyle(document.querySelector('.scroll:has(table.wide)'), '::before').fontSize"


def test_every_window_dark_systems_and_paper(browser: Chromium, results: Path) -> None:
    for name in ("curves", "calibration"):
        save_png(Figure(figsize=(8.4, 4.0)), results / f"evaluate/tiny/super/full-s0/{name}.png")
    page_of(results)
    card = results / "evaluate/tiny/super/full-s0/card.html"
    run_card(results, FittedModel("tiny", "super", "full-s0"), card)
    report = results / "report/index.html"
    browser.call("Page.addScriptToEvaluateOnNewDocument", source=LISTEN)
    for width in (360, 768, 2560):
        for path in (report, card):
            browser.open(path.as_uri(), width)
            assert browser.run(FAULTS) == [], (path.name, width)
        assert browser.run(PAPER) == "rgb(255, 255, 255)"
    browser.open(report.as_uri(), 360)
    assert browser.run(HINT) == "12px"  # the table says that it scrolls
    browser.open(report.as_uri(), 2560)
    assert browser.run(HINT) == "0px"
    browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])
    assert browser.run(PAPER) == "rgb(21, 24, 28)"
    pdf = base64.b64decode(browser.call("Page.printToPDF", preferCSSPageSize=True)["data"])
    assert len(re.findall(rb"/Type\s*/Page[^s]", pdf)) <= 4  # of one small model
    browser.call("Emulation.setEmulatedMedia", media="print")
    assert browser.run(ORPHANS) == []
