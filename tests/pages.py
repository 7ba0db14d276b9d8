"""The code in the pages that people read, and who runs it.

Every block is fenced and says its language. Directly above a block of bash or Python stands `<!-- run by: test_name -->`
(several, with commas) or `<!-- not run: why -->`, which no reader sees; YAML is checked against the config's classes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

FENCE = re.compile(r"^```(\S*)\n(.*?)^```$", re.M | re.S)
NOTE = re.compile(r"<!-- (run by|not run): ([^>]+?) -->\n+\Z")
COMMENT = re.compile(r"(?:^|\s+)# .*")


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, what is in it, and what the comment above it says."""

    page: Path
    line: int
    language: str
    text: str
    run_by: tuple[str, ...]
    not_run: str

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"

    @property
    def commands(self) -> list[str]:
        """Its lines as a shell reads them: without comments, and those that go on in one."""
        lines = self.text.replace("\\\n", " ").splitlines()
        return [re.sub(r"\s\s+", " ", command) for line in lines if (command := COMMENT.sub("", line).strip())]


def blocks(page: Path, *languages: str) -> list[Block]:
    """Blocks of a page, of these languages or of all."""
    text, found = page.read_text(encoding="utf-8"), []
    for fence in FENCE.finditer(text):
        if languages and fence[1] not in languages:
            continue
        said = NOTE.search(text, 0, fence.start())
        named = tuple(re.split(r",\s+", said[2])) if said and said[1] == "run by" else ()
        why = said[2] if said and said[1] == "not run" else ""
        found.append(Block(page, text.count("\n", 0, fence.start()) + 1, fence[1], fence[2], named, why))
    return found


def commands(page: Path) -> list[str]:
    """Every command of a page, in its order."""
    return [command for block in blocks(page, "bash") for command in block.commands]
