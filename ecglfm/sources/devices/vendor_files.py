"""A tree of files in the formats of devices, each recognised by its content, whatever its ending: `ecglfm[formats]`.

Without a `table` every file that is a recording is one, also one in a format that is known and not read, which becomes
a row of the ledger. Pictures, tables, archives and what is not known are counted in a warning. Native id: path relative
to the root with its ending, for `a.dcm` and `a.xml` are two recordings.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from ecglfm.config import SourceConfig
from ecglfm.config.wording import counted
from ecglfm.extras import need
from ecglfm.records import Record
from ecglfm.sources.devices.readers import known_format, read_device_file, read_device_head
from ecglfm.sources.devices.recognition import identify
from ecglfm.sources.devices.recording_files import Head, RecordingFiles
from ecglfm.sources.devices.vendor import NATIVE
from ecglfm.sources.tree import files_of

logger = logging.getLogger(__name__)

#: What MUSE's and CardioSoft's XML, which are read without a library, call the columns of `NATIVE`.
_OWN_NAMES = {
    "acquired": ("ObservationDateTime",),
    "model": ("AcquisitionDevice", "Desc"),
    "heart_rate": ("VentricularRate",),
    "pr_interval": ("PRInterval", "PQInterval"),
    "qrs_duration": ("QRSDuration",),
    "qt_interval": ("QTInterval",),
}


class VendorFiles(RecordingFiles):
    """Recordings as the module's docstring says.

    Raises
    ------
    UserError
        `ecglfm[formats]` is not installed.
    """

    endings = ("",)
    native = NATIVE

    def __init__(self, name: str, root: str | Path, config: SourceConfig) -> None:
        need("ecgdatakit", "pydicom", extra="formats", what=f"source {name}: `kind: vendor_files`")
        super().__init__(name, root, config)

    def files(self) -> Iterator[str]:
        """Paths of the files that are recordings, by their content."""
        others: Counter[str] = Counter()
        first = ""
        for path in files_of(self._inside, self.endings):
            found = identify(self._inside, path)
            if found is not None and found.recording:
                yield path
            elif path not in self.config.tables:
                others[found.name if found else "a file of no known format"] += 1
                first = first or path
        if others:
            logger.warning(
                "source %s: %s (%s), the first: %s",
                self.name, counted(
                    others.total(), "file is no recording and is not used", "files are no recordings and are not used"
                ),
                ", ".join(f"{n} {name}" for name, n in others.most_common(5)), first,
            )  # fmt: skip

    def head(self, path: str) -> Head:
        """See `RecordingFiles`; raises as `read_device_head`."""
        found = known_format(self._inside, path)
        head = read_device_head(self._inside, path, found, self.config.checks)
        native = {name: _first(head.native, name, *_OWN_NAMES.get(name, ())) for name in NATIVE}
        muse = [head.native.get(name) or "" for name in ("AcquisitionDate", "AcquisitionTime")]
        native["acquired"] = native["acquired"] or " ".join(muse).strip() or None
        return head._replace(native=native | {"format": native["format"] or found.name.split(" ", 1)[1]})

    def read(self, path: str) -> Record:
        """Read the recording at `path`; raises as `known_format` and `read_device_file`."""
        return read_device_file(self._inside, path, known_format(self._inside, path), self.config.checks)


def _first(said: dict[str, str | None], *names: str) -> str | None:
    return next((value for name in names if (value := said.get(name))), None)
