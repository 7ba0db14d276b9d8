"""Published databases, a file each: what its tables say and where its recordings lie."""
