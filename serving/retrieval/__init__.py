"""Candidates for a query at one moment: towers, indexes, what the newest embeddings say."""
