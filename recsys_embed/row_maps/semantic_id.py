"""Semantic IDs as rows: items of near contents share some of their rows."""

import dataclasses
import functools
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recsys_embed.errors import ConfigError, InputError
from recsys_embed.row_maps.hashed import bucket, check_lookups, check_seed, salt
from recsys_embed.row_maps.learned import Learned, digest_of
from recsys_embed.row_maps.protocol import RowIds
from recsys_embed.semantic_ids.codebooks import MAX_CODES, Codebooks, checked_codes
from recsys_embed.semantic_ids.grams import Gram, Tokens, prefixes, regions
from recsys_embed.semantic_ids.nearest import Codes
from recsys_embed.semantic_ids.pieces import Pieces

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class SemanticId(Learned):
    """Gives an id the sum of the rows of its item's semantic ID; near items have rows in common.

    Tokens say what of codes c_1 ... c_L has a row: each code ("unigram", L rows summed), runs of
    `ngram` codes ("ngram"), all prefixes ("prefix") or frequent runs ("pieces", 1 to L rows).
    An id without a semantic ID gets one by hashing, code l = mix(id, salt of l) mod K. An item that
    was never seen has its rows by its codes (`rows_of_codes`), and its codes by its contents
    (`encode`).

    Singh et al., arXiv 2306.08121; prefixes: Zheng et al., arXiv 2504.02137.

    Args:
        rows: all of them; where there are fewer than tokens, tokens share rows.
        digest: of ids, codes, codebooks and pieces.
        levels: L, 1 to 64.
        codes_per_level: K, 1 to 65,536.
        tokens: "unigram", "ngram", "prefix" or "pieces".
        ngram: codes of an n-gram.
        memorize_rows: as many of the rows hold, by hashing, what is particular to an id: one more
            row is summed. 0: none.
        seed: of all hashing.

    Example:
        >>> codebooks = Codebooks(np.array([[[0], [10]], [[0], [1]]], np.float32))
        >>> codes = codebooks.encode([[0], [1], [11]])
        >>> items = SemanticId.of([7, 8, 9], codes, codebooks, tokens="unigram", rows=4)
        >>> items.map(np.array([7, 9])).rows  # codes (0, 0) and (1, 1)
        array([[0, 2, 1, 3]])
        >>> items.rows_of_codes(items.encode([[10.2]])).rows
        array([[1, 2]])
    """

    kind: ClassVar[str] = "semantic_id"
    columns: ClassVar[dict[str, str]] = {
        "ids": "<i8",
        "codes": "<i4",
        "codebooks": "<f4",
        "encoder": "<f4",
        "encoder_widths": "<i8",
        "piece_codes": "<i4",
        "piece_scores": "<f4",
    }
    levels: int
    codes_per_level: int
    tokens: Tokens = "prefix"
    ngram: int = 2
    memorize_rows: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_seed(self.kind, self.seed)
        check_lookups(self.kind, "levels", self.levels)
        check_lookups(self.kind, "ngram", self.ngram)
        if not 1 <= self.codes_per_level <= MAX_CODES:
            raise ConfigError(
                f"{self.kind}.codes_per_level must be in [1, {MAX_CODES:,}],"
                f" got {self.codes_per_level}"
            )
        if not 0 <= self.memorize_rows < self.rows:
            raise ConfigError(
                f"{self.kind}.memorize_rows must be in [0, rows = {self.rows}),"
                f" got {self.memorize_rows}"
            )
        self._grams()
        singles = self.levels * self.codes_per_level
        if self.tokens == "pieces" and self.token_rows < singles:
            raise ConfigError(
                f"{self.kind} pieces of {self.levels} levels of {self.codes_per_level} codes need"
                f" {singles} rows or more, got {self.token_rows}"
            )

    @classmethod
    def of(
        cls,
        ids: ArrayLike,
        codes: ArrayLike,
        codebooks: Codebooks,
        *,
        rows: int,
        pieces: Pieces | None = None,
        **fields: Any,
    ) -> Self:
        """Builds the map of K items with known semantic IDs.

        Args:
            ids: int64 (K,), distinct.
            codes: integers (K, L), as `codebooks.encode` gave them.
            codebooks: they travel with the map, and encode items that come later.
            rows: all rows.
            pieces: of tokens="pieces".
            fields: tokens, ngram, memorize_rows, seed.

        Raises:
            ConfigError: for ids that repeat, codes that are not the codebooks', too few rows, or
                pieces that are missing or not wanted.
        """
        keys, given = np.asarray(ids, np.int64), np.asarray(codes)
        if keys.ndim != 1 or given.shape != (len(keys), codebooks.levels):
            raise ConfigError(
                f"expected ids (K,) and codes (K, {codebooks.levels}), got {keys.shape} and"
                f" {given.shape}"
            )
        order = np.argsort(keys, kind="stable")
        none = np.zeros((0, codebooks.levels), np.int32), np.zeros(0, np.float32)
        piece_codes, piece_scores = (pieces.codes, pieces.scores) if pieces else none
        arrays: dict[str, NDArray[Any]] = {
            "ids": keys[order],
            "codes": checked_codes(given, codebooks.levels, codebooks.codes)[order],
            **codebooks.arrays(),
            "piece_codes": piece_codes,
            "piece_scores": piece_scores,
        }
        row_map = cls(rows, digest_of(arrays), codebooks.levels, codebooks.codes, **fields)
        return row_map.with_arrays(arrays)

    @property
    def token_rows(self) -> int:
        """The rows of codes; behind them lie those that memorize."""
        return self.rows - self.memorize_rows

    @functools.cached_property
    def codebooks(self) -> Codebooks:
        """What gives contents their codes."""
        self.array("codebooks")
        return Codebooks.from_arrays(self.arrays)

    def check(self) -> None:
        """Refuses arrays that do not fit the fields, or each other.

        Raises:
            ConfigError: naming the numbers.
        """
        ids, codes, books = (self.array(name) for name in ("ids", "codes", "codebooks"))
        pieces = len(self.array("piece_scores"))
        given = (self.levels, self.codes_per_level)
        if books.shape[:2] != given or codes.shape != (len(ids), self.levels):
            raise ConfigError(
                f"{self.kind} row map of {given} levels and codes has codebooks {books.shape},"
                f" {len(ids)} ids and codes {codes.shape}; they do not fit"
            )
        if (ids[1:] <= ids[:-1]).any():
            raise ConfigError(f"ids must be distinct and ascend, got {len(ids)} that do not")
        if codes.size and not 0 <= codes.min() <= codes.max() < self.codes_per_level:
            raise ConfigError(
                f"codes must be in [0, {self.codes_per_level}), got {codes.min()} to {codes.max()}"
            )
        if (self.tokens == "pieces") != (pieces > 0) or pieces > self.token_rows:
            raise ConfigError(
                f"{self.kind} row map with tokens={self.tokens!r} and {self.token_rows} rows for"
                f" them has {pieces} pieces; the map does not fit its table"
            )

    def encode(self, contents: ArrayLike) -> Codes:
        """Gives the semantic IDs of N contents, int32 (N, L); seen before or not.

        Raises:
            InputError: as `Codebooks.encode`.
        """
        return self.codebooks.encode(contents)

    def with_items(self, ids: ArrayLike, contents: ArrayLike) -> Self:
        """Gives a map that knows more items, by their contents; those it knew keep their rows.

        Raises:
            ConfigError: for an id that is known or repeats.
            InputError: as `Codebooks.encode`.
        """
        codes = np.concatenate([self.array("codes"), self.encode(contents)])
        arrays = dict(self.arrays)
        arrays["ids"] = np.concatenate([self.array("ids"), np.asarray(ids, np.int64)])
        order = np.argsort(arrays["ids"], kind="stable")
        arrays |= {"ids": arrays["ids"][order], "codes": codes[order]}
        return dataclasses.replace(self, digest=digest_of(arrays)).with_arrays(arrays)

    def codes_of(self, ids: NDArray[np.int64]) -> Codes:
        """Gives the semantic IDs of N ids, int32 (N, L); of unknown ones, hashed."""
        at = self.places(ids)
        codes = np.empty((len(ids), self.levels), np.int32)
        codes[at >= 0] = self.array("codes")[at[at >= 0]]
        codes[at < 0] = self._hashed_codes(ids[at < 0])
        return codes

    def map(self, ids: NDArray[np.int64], feature: str = "") -> RowIds:
        """Gives the rows of each id's tokens, and the one that memorizes it."""
        at = self.places(ids)
        rows = np.take(self._known_rows, at, axis=0, mode="wrap")
        unknown = np.flatnonzero(at < 0)
        rows[unknown] = self._token_rows(self._hashed_codes(ids[unknown]))
        return self._row_ids(rows, self._memory(ids) if self.memorize_rows else None)

    def rows_of_codes(self, codes: ArrayLike, ids: ArrayLike | None = None) -> RowIds:
        """Gives the rows of N items by their semantic IDs.

        Args:
            codes: integers (N, L).
            ids: int64 (N,); given, each also has the row that memorizes it.

        Raises:
            InputError: for codes that do not exist.
        """
        given = checked_codes(codes, self.levels, self.codes_per_level)
        if given.shape[1] != self.levels:
            raise InputError(f"expected {self.levels} codes an ID, got {given.shape[1]}")
        has_memory = ids is not None and self.memorize_rows
        memory = self._memory(np.asarray(ids, np.int64)) if has_memory else None
        return self._row_ids(self._token_rows(given), memory)

    @functools.cached_property
    def _known_rows(self) -> Rows:
        # One row more stands where the last is: position -1, the index's answer to an unknown id.
        none = np.zeros((1, self.levels), np.int32)
        return self._token_rows(np.concatenate([self.array("codes"), none]))

    @functools.cached_property
    def _pieces(self) -> Pieces:
        return Pieces(self.array("piece_codes"), self.array("piece_scores"))

    def _token_rows(self, codes: Codes) -> Rows:
        """Gives the rows of N IDs' tokens, (N, most tokens an ID has), -1 behind the last."""
        if self.tokens == "pieces":
            return self._pieces.segment(codes)
        return np.stack([g.rows(codes, self.codes_per_level) for g in self._grams()], axis=1)

    def _grams(self) -> tuple[Gram, ...]:
        if self.tokens == "pieces":
            return ()
        if self.tokens == "prefix":
            return prefixes(self.levels, self.codes_per_level, self.token_rows)
        n = self.ngram if self.tokens == "ngram" else 1
        return regions(self.levels, self.codes_per_level, self.token_rows, n)

    def _hashed_codes(self, ids: NDArray[np.int64]) -> Codes:
        salts = [salt(self.kind, level, self.seed) for level in range(self.levels)]
        codes = [bucket(ids, s, self.codes_per_level).astype(np.int32) for s in salts]
        return np.stack(codes, axis=1)

    def _memory(self, ids: NDArray[np.int64]) -> Rows:
        return self.token_rows + bucket(ids, self.seed, self.memorize_rows)

    def _row_ids(self, tokens: Rows, memory: Rows | None) -> RowIds:
        rows = tokens if memory is None else np.concatenate([tokens, memory[:, None]], axis=1)
        if self.tokens != "pieces":
            return RowIds(rows.reshape(1, -1), rows.shape[1])
        return RowIds(rows[rows >= 0][None, :], np.count_nonzero(rows >= 0, axis=1))
