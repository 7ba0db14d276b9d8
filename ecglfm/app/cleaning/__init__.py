"""What of a results folder could go, and what in it is still of people who were left out: `ecglfm clean`."""

from __future__ import annotations

from ecglfm.app.cleaning.parts import find_parts, remove_parts, show_parts, size_of
from ecglfm.app.cleaning.remains import find_remains, show_remains

__all__ = ["find_parts", "find_remains", "remove_parts", "show_parts", "show_remains", "size_of"]
