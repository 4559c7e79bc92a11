"""Trains recommenders on the tables of `recsys_embed`: an event log in, a snapshot and figures out.

Reads top to bottom: `config` (TOML → frozen dataclasses) → `readers` (files → a frame) → `events`
(ids, labels and times, in order) → `splits` → `batches` (KeyedJaggedTensor) → `models` → `step` →
`train` (the loop) → `report` (table, curve, summary).
"""
