"""Recordings in WFDB format (header(5), signal(5)): fast and verified, with `wfdb` for what is rare."""
