"""`ecglfm app`: a page on this machine that shows a recording, what a model says of it, and why."""

from __future__ import annotations

from ecglfm.app.page.server import PageServer, run_page

__all__ = ["PageServer", "run_page"]
