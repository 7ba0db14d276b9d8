"""Lines of the doctor."""

from __future__ import annotations


def lines(findings) -> list[str]:
    return [str(finding) for finding in findings]
