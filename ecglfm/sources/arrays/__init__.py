"""Arrays of many recordings, read a row at a time where they lie: .npy, HDF5, Parquet and Zarr."""

from __future__ import annotations

from ecglfm.sources.arrays.exams import N_SAMPLES, SAMPLING_RATE, ExamFile, split_path, without_padding
from ecglfm.sources.arrays.hdf5 import Hdf5File
from ecglfm.sources.arrays.npy import Array, read_npy_header, read_numbers
from ecglfm.sources.arrays.opened import open_rows
from ecglfm.sources.arrays.rows import Rows

__all__ = [
    "N_SAMPLES",
    "SAMPLING_RATE",
    "Array",
    "ExamFile",
    "Hdf5File",
    "Rows",
    "open_rows",
    "read_npy_header",
    "read_numbers",
    "split_path",
    "without_padding",
]
