"""Recordings that stand in the data twice: found by fingerprints, verified by correlation, moved as one."""
