"""`ecglfm embed`: one vector a recording, of files that a person names or of a database that is prepared already."""

from __future__ import annotations

from ecglfm.app.embedding.embedder import RecordEmbedder
from ecglfm.app.embedding.run import run_embed, run_embed_prepared

__all__ = ["RecordEmbedder", "run_embed", "run_embed_prepared"]
