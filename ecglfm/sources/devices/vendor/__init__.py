"""Recordings in the formats of devices and hospitals, through libraries: `ecglfm[formats]`.

`dicom` reads with pydicom and `library` the other formats with ecgdatakit; `guards` looks at a file before they do.
What was compared with what is in docs/vendor-files.md.
"""

from __future__ import annotations

import os

from ecglfm.config import UserError
from ecglfm.records import RecordError
from ecglfm.sources.devices.recognition import Format
from ecglfm.sources.devices.vendor.contents import NATIVE, Contents
from ecglfm.sources.devices.vendor.dicom import read_dicom
from ecglfm.sources.devices.vendor.guards import MAX_BYTES, check_size, check_xml
from ecglfm.sources.devices.vendor.library import read_library
from ecglfm.sources.inside import Root

__all__ = ["NATIVE", "read_vendor"]


def read_vendor(root: Root, path: str, found: Format, checks: str = "stated") -> Contents:
    """Read the file at a path, relative to the root, in a format of `ecglfm[formats]`.

    Parameters
    ----------
    root : Root
    path : str
    found : Format
        Of `ecglfm.sources.devices.recognition`.
    checks : {'stated', 'strict', 'off'}
        `off`: a checksum that is wrong is a flag of the recording; else the recording is left out.

    Raises
    ------
    RecordError
        `path_outside_root`, `signal_missing`, `format_not_installed`, `format_unsupported`, `signal_unreadable`,
        `signal_truncated`, `signal_checksum`, `signal_too_long`, `signal_empty`, `header_invalid`, `xml_invalid`.
    """
    folder, name = root.split(path)
    with root.open(folder, name, "signal_missing") as (descriptor, size):
        if found.reader in MAX_BYTES:
            check_size(path, found.reader, size)
        else:
            check_xml(root, path, found.reader)
        try:
            if found.reader == "dicom":
                with os.fdopen(descriptor, "rb", closefd=False) as file:
                    return read_dicom(file, path)
            return read_library(f"/proc/self/fd/{descriptor}", path, found.reader, checks)
        except RecordError:
            raise
        except UserError as error:  # of `need`
            raise RecordError("format_not_installed", f"{path}: {error}") from None
        except Exception as error:  # whatever a library raises over a damaged file: its own errors, struct's, recursion
            text = " ".join(str(error).replace(f"/proc/self/fd/{descriptor}", path).split())[:200]
            raise RecordError("signal_unreadable", f"{path}: {found.name}: {text or type(error).__name__}") from None
