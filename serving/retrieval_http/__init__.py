"""Retrieval over HTTP: requests to questions, candidates to answers, and nothing in between."""
