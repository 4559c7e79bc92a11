"""Training that never ends: records come from a source, and changed rows go out as deltas."""
