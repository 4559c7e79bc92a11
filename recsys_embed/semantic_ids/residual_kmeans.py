"""Residual k-means: each level clusters what the levels before left over."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from recsys_embed.errors import ConfigError, InputError
from recsys_embed.semantic_ids.codebooks import MAX_CODES, Codebooks, checked_contents
from recsys_embed.semantic_ids.kmeans import kmeans
from recsys_embed.semantic_ids.nearest import Floats, NearestCodes

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class ResidualKMeans:
    """Quantizes contents by L k-means, one after the other, on residuals.

    Args:
        levels: L, 1 to 64.
        codes: K a level, 1 to 65,536.
        iterations: of Lloyd's, at most.
        points_per_code: no more than this many items a code, drawn at random, are clustered.
        seed: of all randomness.

    Example:
        >>> contents = np.random.default_rng(0).standard_normal((500, 8))
        >>> codebooks = ResidualKMeans(levels=2, codes=16).fit(contents)
        >>> codebooks.encode(contents).shape, codebooks.relative_error(contents) < 0.4
        ((500, 2), True)
    """

    levels: int = 3
    codes: int = 256
    iterations: int = 25
    points_per_code: int = 256
    seed: int = 0

    def __post_init__(self) -> None:
        limits = {
            "levels": (1, 64),
            "codes": (1, MAX_CODES),
            "iterations": (1, 10**6),
            "points_per_code": (1, 10**6),
            "seed": (0, 2**63 - 1),
        }
        for name, (least, most) in limits.items():
            if not least <= getattr(self, name) <= most:
                raise ConfigError(
                    f"ResidualKMeans.{name} must be in [{least}, {most}], got {getattr(self, name)}"
                )

    def fit(self, contents: ArrayLike, progress: Progress | None = None) -> Codebooks:
        """Learns codebooks of N contents; the same contents and seed give the same codebooks.

        A level after the first whose residuals have fewer distinct values than codes keeps the
        rest of its codes as copies of its first one, which nothing is given: dead codes.

        Args:
            contents: (N, D), rounded to float32.
            progress: hears (levels done, levels).

        Raises:
            InputError: for fewer items, or fewer distinct contents, than codes; or naming the
                first content that is not finite.
        """
        rest = sample_of(contents, self.codes, self.codes * self.points_per_code, self.seed)
        rng = np.random.default_rng([self.seed, 1])
        levels = []
        for level in range(self.levels):
            centers = kmeans(rest, self.codes, self.iterations, rng)
            if not level and len(centers) < self.codes:
                raise InputError(
                    f"{len(rest)} items have only {len(centers)} distinct content vectors, fewer"
                    f" than the {self.codes} codes of a level; use at most {len(centers)} codes"
                )
            levels.append(
                np.concatenate([centers, centers[:1].repeat(self.codes - len(centers), 0)])
            )
            rest = rest - levels[-1][NearestCodes(levels[-1][None]).encode(rest)[:, 0]]
            if progress:
                progress(level + 1, self.levels)
        return Codebooks(np.stack(levels))


def sample_of(contents: ArrayLike, codes: int, most: int, seed: int) -> Floats:
    """Checks contents (N, D) to learn codes of; draws `most` if there are more.

    Raises:
        InputError: for fewer items than codes, or naming the first content that is not finite.
    """
    given = np.asarray(contents)
    checked = checked_contents(given, given.shape[1] if given.ndim == 2 else 0)
    if len(checked) < codes:
        raise InputError(
            f"{len(checked)} items are fewer than the {codes} codes of a level; use at most"
            f" {len(checked)} codes or more items"
        )
    finite = np.isfinite(checked).all(axis=1)
    if not finite.all():
        raise InputError(
            f"{np.count_nonzero(~finite)} of {len(checked)} content vectors are not finite; the"
            f" first is that of item {int(np.argmin(finite))}"
        )
    if len(checked) <= most:
        return checked
    return checked[np.sort(np.random.default_rng(seed).choice(len(checked), most, replace=False))]
