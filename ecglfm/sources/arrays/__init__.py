"""Arrays of many recordings, read a row at a time where they lie: .npy, HDF5, Parquet and Zarr."""
