"""A person before a browser: chooses files, reads, asks why, with the keyboard alone, on a screen and on a phone."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.app.page.conftest import Page
from tests.unit.chromium import Chromium

#: What is wrong with a page, by its own account: it is too wide, a field has no name, a picture did not load.
FAULTS = """(() => {
  const found = [], width = document.documentElement.scrollWidth;
  if (width > innerWidth) found.push(`${width} px wide, of ${innerWidth}`);
  for (const one of document.querySelectorAll('input:not([type=hidden]), select'))
    if (!one.labels.length) found.push(`no label: ${one.name}`);
  for (const one of document.images) if (!one.complete || !one.naturalWidth) found.push('no picture');
  if (getComputedStyle(document.body).fontSize != '15px') found.push('no style');
  if (!document.body.innerText.includes('Research use, not a medical device.')) found.push('no notice');
  return found;
})()"""
HEADING = "document.querySelector('h1').innerText"
FOCUS = "(one => one.id || one.innerText)(document.activeElement)"


def files_of(path: Path) -> list[Path]:
    return [path.with_name(f"{path.name}{ending}") for ending in (".hea", ".dat")]


def until_answered(browser: Chromium) -> None:
    browser.wait("document.readyState == 'complete' && !document.getElementById('sent')")


def send(browser: Chromium) -> None:
    """Mark this page, so that the next one can be told from it, and press Enter on what has the focus."""
    browser.run("document.body.append(Object.assign(document.createElement('i'), {id: 'sent'})), 1")
    browser.press("Enter", 13, "\r")
    until_answered(browser)


@pytest.mark.parametrize("width", [1400, 390])
def test_upload_result_and_error(browser: Chromium, page: Page, width: int):
    browser.open(page.server.url, width)
    assert browser.run("innerWidth") == width
    assert browser.run(FAULTS) == []

    order = []
    for _ in range(6):  # by the keyboard alone
        browser.press("Tab", 9)
        order.append(browser.run(FOCUS))
    assert order == [
        "now",
        "An HDF5 file with several exams",
        "before",
        "An HDF5 file with several exams",
        "label",
        "Show",
    ]
    assert browser.run("getComputedStyle(document.activeElement).outlineStyle") == "solid"

    browser.choose("#now", files_of(page.ecgs[0])[1:])
    send(browser)
    assert "r0.dat came without its header" in browser.run("document.querySelector('[role=alert]').innerText")
    assert browser.run(FAULTS) == []

    browser.choose("#now", files_of(page.ecgs[0]))
    browser.choose("#before", files_of(page.ecgs[1]))
    browser.run("document.querySelector('button').focus()")
    send(browser)
    assert browser.run(HEADING) == "r0"
    assert browser.run("document.images.length") == 3
    assert browser.run(FAULTS) == []
    shown = browser.run("document.querySelector('table.answers').innerText")
    assert "LBBB" in shown
    assert "too few patients" in shown

    browser.run("document.querySelector('select').value = '-', document.querySelector('button').focus()")
    send(browser)  # the files are still there
    assert browser.run(HEADING) == "r0"
    assert browser.run("document.images.length") == 2
    assert browser.run(FAULTS) == []
