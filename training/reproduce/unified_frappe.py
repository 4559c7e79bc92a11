"""Every row map on Frappe_x1 at the same numbers of parameters, importance weights and remaps too.

Coleman et al., Unified Embedding, arXiv 2305.12102, §5: many narrow lookups into one pool beside a
hashed table a feature, and the other ways to share rows. 100% is a row for every value.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Self

from recsys_embed.errors import ConfigError
from training.reproduce.ctr import Clicks, merged
from training.reproduce.drawing import pareto
from training.reproduce.equal_floats import MAPS, Budget, changes, fits
from training.reproduce.experiment import Claim, Rows

FULL = "100% collisionless"
BETTER = 0.04


@dataclass(frozen=True)
class UnifiedFrappe(Clicks):
    """Configures the reproduction; `variants` say what the validation part chose, by share.

    Args:
        shares: of the parameters that a row for every value takes.
        maps: of MAPS.
    """

    kind: ClassVar[str] = "unified-frappe"
    summary: ClassVar[str] = "every row map at 50%, 10% and 2% of the parameters, Frappe_x1"
    shares: tuple[float, ...] = (0.5, 0.1, 0.02)
    maps: tuple[str, ...] = MAPS

    def __post_init__(self) -> None:
        for name in self.maps:
            if name not in MAPS:
                raise ConfigError(f"there is no map {name!r}; they are {', '.join(MAPS)}")

    @property
    def cases(self) -> Sequence[str]:
        """A row for every value, then every map at every share where it can be had."""
        small = [
            f"{share:.0%} {name}"
            for share in self.shares
            for name in self.maps
            if fits(name, Budget(share, self._dim))
        ]
        return [FULL, *small]

    def changes(self, case: str) -> Mapping[str, Any]:
        """Says what a case changes: its row maps, and what was chosen for its share."""
        percent, name = case.split()
        chosen = self.variants.get(percent, {})
        if case == FULL:
            return chosen
        share = next(share for share in self.shares if f"{share:.0%}" == percent)
        return merged(changes(name, Budget(share, self._dim)), chosen)

    def quick(self) -> Self:
        """Takes one share, four maps and what `quickly` says."""
        maps = ("hashed", "multiplexed-1", "multiplexed-2", "graphhash")
        return replace(super().quick(), shares=self.shares[1:2], maps=maps)

    def claims(self, rows: Rows) -> Sequence[Claim]:
        """Compares two narrow lookups into a pool with a hashed table a feature, by share."""
        claims = []
        for share in self.shares:
            ours, theirs = (rows.get(f"{share:.0%} {name}") for name in ("multiplexed-2", "hashed"))
            if ours and theirs:
                gain = ours.mean("auc") - theirs.mean("auc")
                text = f"at {share:.0%}, AUC of two lookups into a pool above hashed features"
                claims.append(Claim(text, gain, least=BETTER if share == 0.1 else 0.0))
        return claims

    def draw(self, rows: Rows, path: Path) -> None:
        """Draws AUC over parameters, a line a map."""
        pareto(rows, "auc", "test AUC", path)

    @property
    def _dim(self) -> int:
        return int(self.base["table"]["dim"])
