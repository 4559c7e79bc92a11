"""The online side: a snapshot in, vectors out over HTTP. Imports neither training nor torch."""
