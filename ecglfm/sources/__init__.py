"""Databases, one adapter file per kind."""
