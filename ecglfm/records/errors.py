"""What is wrong with one recording, which the others outlive."""

from __future__ import annotations

from ecglfm.config.text import legible


class RecordError(ValueError):
    """One recording cannot be used. It becomes one ledger row and the rest of the data goes through.

    Parameters
    ----------
    reason : str
        A short snake_case word, the same for every record with this fault, e.g. `signal_truncated`.
    detail : str
        What was found, where, for a person. It may quote the file: control characters are shown by their numbers.
    """

    def __init__(self, reason: str, detail: str) -> None:
        self.reason, self.detail = reason, legible(detail)
        super().__init__(f"{reason}: {self.detail}")
