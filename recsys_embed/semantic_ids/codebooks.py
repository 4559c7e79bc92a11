"""Codebooks: content vectors to semantic IDs and back, with numpy alone."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recsys_embed.errors import InputError
from recsys_embed.row_maps.learned import digest_of
from recsys_embed.semantic_ids.nearest import TOO_LONG, Codes, Floats, NearestCodes
from recsys_embed.semantic_ids.networks import Perceptron

MAX_CODES = 1 << 16


@dataclass(frozen=True, eq=False)
class Codebooks:
    """L levels of K codes of D floats; each level quantizes what the levels before left over.

    Codebooks with the same digest give every content the same codes.

    Args:
        vectors: float32 (L, K, D), the codes e^l_k.
        encoder: from contents to code space (an RQ-VAE's); left out: contents are quantized as
            they are.
        decoder: from code space to contents, for `reconstruct`.

    Raises:
        InputError: for other shapes or values that are not finite.

    Example:
        >>> codebooks = Codebooks(np.array([[[0], [10]], [[-1], [1]]], np.float32))
        >>> codes = codebooks.encode([[9.5], [0.2]])
        >>> codes
        array([[1, 0],
               [0, 1]], dtype=int32)
        >>> codebooks.decode(codes)
        array([[9.],
               [1.]], dtype=float32)
    """

    vectors: Floats
    encoder: Perceptron | None = None
    decoder: Perceptron | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "vectors", np.ascontiguousarray(self.vectors, np.float32))
        shape = self.vectors.shape
        if len(shape) != 3 or not self.vectors.size or shape[1] > MAX_CODES:
            raise InputError(
                f"codebooks have shape (levels, codes up to {MAX_CODES:,}, width), got {shape}"
            )
        lengths = np.linalg.norm(self.vectors.astype(np.float64), axis=2)
        if not (lengths < TOO_LONG).all():
            level, code = np.argwhere(~(lengths < TOO_LONG))[0].tolist()
            raise InputError(
                f"codebooks must be finite and shorter than {TOO_LONG:g}; code {code} of level"
                f" {level + 1} has length {lengths[level, code]:g}"
            )
        for network, end in ((self.encoder, -1), (self.decoder, 0)):
            if network is not None and network.widths[end] != shape[2]:
                raise InputError(
                    f"codes of {shape[2]} floats do not meet a network of widths"
                    f" {network.widths.tolist()}"
                )

    @property
    def levels(self) -> int:
        """L, the codes of one semantic ID."""
        return len(self.vectors)

    @property
    def codes(self) -> int:
        """K, the codes of one level."""
        return int(self.vectors.shape[1])

    @property
    def width(self) -> int:
        """The floats of a content vector."""
        return int(self.encoder.widths[0]) if self.encoder else self.vectors.shape[2]

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Gives what decides codes, by name: all but the decoder; for `from_arrays`."""
        encoder = self.encoder
        return {
            "codebooks": self.vectors,
            "encoder": encoder.weights if encoder else np.zeros(0, np.float32),
            "encoder_widths": encoder.widths if encoder else np.zeros(0, np.int64),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Makes codebooks of the arrays that `arrays` gave."""
        widths = arrays["encoder_widths"]
        return cls(
            arrays["codebooks"], Perceptron(widths, arrays["encoder"]) if len(widths) else None
        )

    @functools.cached_property
    def digest(self) -> str:
        """The version: XXH64 of what decides codes, 16 hexadecimal digits."""
        return digest_of(self.arrays())

    @functools.cached_property
    def _nearest(self) -> NearestCodes:
        return NearestCodes(self.vectors)

    def encode(self, contents: ArrayLike) -> Codes:
        """Gives the semantic IDs of N contents, int32 (N, L): the nearest code, level by level.

        Args:
            contents: (N, width), rounded to float32.

        Raises:
            InputError: for another width, or naming the first content that is not finite.
        """
        given = checked_contents(contents, self.width)
        return self._nearest.encode(self.encoder(given) if self.encoder else given)

    def decode(self, codes: ArrayLike) -> Floats:
        """Gives sum_l e^l_{c_l} of N semantic IDs in code space, float32 (N, D).

        Args:
            codes: integers in [0, K), (N, L); with fewer columns, of prefixes.

        Raises:
            InputError: for more columns than levels or codes that do not exist.
        """
        given = checked_codes(codes, self.levels, self.codes)
        total = np.zeros((len(given), self.vectors.shape[2]), np.float32)
        for level in range(given.shape[1]):
            total += self.vectors[level][given[:, level]]
        return total

    def reconstruct(self, codes: ArrayLike) -> Floats:
        """Gives the contents that N semantic IDs stand for, float32 (N, width).

        Raises:
            InputError: as `decode`, or if there is an encoder but no decoder.
        """
        if self.encoder and not self.decoder:
            raise InputError(
                f"codebooks {self.digest} have an encoder but no decoder: decode gives their codes"
                " in code space, contents cannot be reconstructed"
            )
        return self.decoder(self.decode(codes)) if self.decoder else self.decode(codes)

    def relative_error(self, contents: ArrayLike) -> float:
        """Gives sum |x - reconstruction|^2 / sum |x|^2 over N contents; 0 where all x are 0."""
        given = checked_contents(contents, self.width).astype(np.float64)
        missed = np.square(given - self.reconstruct(self.encode(given))).sum()
        whole = np.square(given).sum()
        return float(missed / whole) if whole else 0.0


def checked_contents(contents: ArrayLike, width: int) -> Floats:
    """Checks contents (N, width) and gives them as float32."""
    given = np.asarray(contents)
    if given.ndim != 2 or given.shape[1] != width or given.dtype.kind not in "fiu":
        raise InputError(
            f"expected content vectors of shape (N, {width}), got {given.dtype} {given.shape}"
        )
    return np.ascontiguousarray(given, np.float32)


def checked_codes(codes: ArrayLike, levels: int, per_level: int) -> Codes:
    """Checks codes (N, up to `levels`), each in [0, per_level), and gives them as int32."""
    given = np.asarray(codes)
    if given.ndim != 2 or given.shape[1] > levels or given.dtype.kind not in "iu":
        raise InputError(f"expected codes of shape (N, {levels}), got {given.dtype} {given.shape}")
    if given.size and not 0 <= given.min() <= given.max() < per_level:
        raise InputError(f"codes must be in [0, {per_level}), got {given.min()} to {given.max()}")
    return np.ascontiguousarray(given, np.int32)
