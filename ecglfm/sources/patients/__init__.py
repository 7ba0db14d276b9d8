"""Whose a recording is: ids and their spellings, people who withdrew, tables of people."""
