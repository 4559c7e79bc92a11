"""Learns pieces of semantic IDs with SentencePiece."""

import io
import tempfile
from pathlib import Path

import numpy as np
import sentencepiece
from numpy.typing import ArrayLike, NDArray

from recsys_embed.errors import InputError
from recsys_embed.semantic_ids.codebooks import checked_codes
from recsys_embed.semantic_ids.nearest import Codes
from recsys_embed.semantic_ids.pieces import Pieces

FIRST_SYMBOL = 0xF0000  # plane 15 is for private use
SYMBOLS = 65_533
UNSEEN = 10.0  # as SentencePiece scores unknown symbols: below the worst known piece by so much


def train_pieces(codes: ArrayLike, counts: ArrayLike, rows: int, per_level: int) -> Pieces:
    """Learns at most `rows` pieces of the IDs of N items, each weighed by its count.

    There are fewer pieces only if the IDs have fewer distinct runs of codes.

    Singh et al., arXiv 2306.08121, §4.2 (SPM over semantic IDs of impressed items).

    Args:
        codes: (N, L), of the items.
        counts: integers (N,), how often each was shown; items with 0 teach nothing.
        rows: pieces wanted, L * K at least.
        per_level: K.

    Raises:
        InputError: for fewer rows than single codes, or counts that are negative or all 0.

    Example:
        >>> pieces = train_pieces([[0, 1], [1, 0]], [9, 1], rows=5, per_level=2)
        >>> len(pieces), (pieces.segment([[0, 1], [1, 1]]) >= 0).sum(axis=1)
        (5, array([1, 2]))
    """
    given = np.asarray(codes)
    shown = checked_codes(given, given.shape[-1], per_level)
    distinct, weights = _summed(shown, np.asarray(counts))
    levels = shown.shape[1]
    if levels * per_level > min(rows, SYMBOLS):
        raise InputError(
            f"{levels} levels of {per_level} codes are {levels * per_level} pieces by themselves;"
            f" got {rows} rows, and SentencePiece takes up to {SYMBOLS} such pieces"
        )
    unseen = _unseen(distinct, per_level)
    model = _train(distinct, weights, rows - len(unseen), per_level)
    pieces = np.concatenate([_codes_of_pieces(model, levels, per_level), unseen])
    scores = [model.get_score(piece) for piece in range(1, model.get_piece_size())]
    return Pieces(pieces, np.array(scores + [min(scores) - UNSEEN] * len(unseen), np.float32))


def _summed(codes: Codes, counts: NDArray[np.int64]) -> tuple[Codes, NDArray[np.int64]]:
    if counts.shape != (len(codes),) or counts.dtype.kind not in "iu":
        raise InputError(
            f"expected integer counts of {len(codes)} items, got {counts.dtype} {counts.shape}"
        )
    if counts.min(initial=0) < 0 or not counts.any():
        raise InputError(
            f"counts must be 0 or more and not all 0, got a sum of {counts.sum()} over"
            f" {len(counts)} items and {np.count_nonzero(counts < 0)} below 0"
        )
    distinct, inverse = np.unique(codes[counts > 0], axis=0, return_inverse=True)
    weights = np.zeros(len(distinct), np.int64)
    np.add.at(weights, inverse, counts[counts > 0])
    return distinct, weights


def _unseen(codes: Codes, per_level: int) -> Codes:
    """Gives the single codes that no item has, as pieces (U, L)."""
    missing = []
    for level in range(codes.shape[1]):
        for code in np.setdiff1d(np.arange(per_level), codes[:, level]):
            missing.append(np.full(codes.shape[1], -1))
            missing[-1][level] = code
    return np.array(missing, np.int32).reshape(-1, codes.shape[1])


def _train(
    codes: Codes, weights: NDArray[np.int64], size: int, per_level: int
) -> sentencepiece.SentencePieceProcessor:
    symbols = np.arange(codes.shape[1]) * per_level + codes + FIRST_SYMBOL
    texts = ["".join(map(chr, row)) for row in symbols.tolist()]
    model = io.BytesIO()
    with tempfile.TemporaryDirectory() as folder:
        # By itself it looks for first candidates among runs of bytes and finds next to none where
        # all symbols begin with the same bytes.
        seeds = Path(folder) / "runs.tsv"
        seeds.write_text("".join(f"{run}\t{n}\n" for run, n in _runs(texts, weights).items()))
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=(f"{t}\t{n}" for t, n in zip(texts, weights, strict=True)),
            input_format="tsv",
            model_writer=model,
            model_type="unigram",
            vocab_size=size + 1,  # <unk>
            hard_vocab_limit=False,
            seed_sentencepieces_file=str(seeds),
            max_sentencepiece_length=codes.shape[1],
            character_coverage=1.0,
            normalization_rule_name="identity",
            add_dummy_prefix=False,
            remove_extra_whitespaces=False,
            split_by_unicode_script=False,
            split_by_number=False,
            split_by_whitespace=False,
            unk_id=0,
            bos_id=-1,
            eos_id=-1,
            pad_id=-1,
            num_threads=1,  # sums then run in one order
            minloglevel=2,
        )
    return sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())


def _runs(texts: list[str], weights: NDArray[np.int64]) -> dict[str, int]:
    runs: dict[str, int] = {}
    for text, weight in zip(texts, weights.tolist(), strict=True):
        for start in range(len(text)):
            for end in range(start + 1, len(text) + 1):
                runs[text[start:end]] = runs.get(text[start:end], 0) + weight
    return runs


def _codes_of_pieces(
    model: sentencepiece.SentencePieceProcessor, levels: int, per_level: int
) -> Codes:
    codes = np.full((model.get_piece_size() - 1, levels), -1, np.int32)
    for number, row in enumerate(codes, start=1):
        for symbol in model.id_to_piece(number):
            level, code = divmod(ord(symbol) - FIRST_SYMBOL, per_level)
            row[level] = code
    return codes
