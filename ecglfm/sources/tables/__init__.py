"""Tables of any size: read in pieces, sorted through a file, joined in step."""
