"""`ecglfm app`: a page on this machine that shows a recording, what a model says of it, and why."""

from __future__ import annotations

from ecglfm.app.page.server import run_page

__all__ = ["run_page"]
