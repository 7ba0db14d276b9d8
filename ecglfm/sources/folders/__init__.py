"""A person's own recordings: folders of WFDB or NumPy files, and one big array, with a table beside them."""
