"""Fetch a database from its public home: resumed after any interruption, every file checked against its checksum.

`listing.py` reads which files there are, `published.py` keeps that list and renews it, `transfer.py` brings one file,
`verified.py` remembers what is there, `archives.py` unpacks CODE-15's parts, `run.py` does all of it over a few
connections. Nothing else in the workflow depends on it: a database that is there already is used as it is.
"""

from __future__ import annotations

from ecglfm.sources.download.run import run_download

__all__ = ["run_download"]
