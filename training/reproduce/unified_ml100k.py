"""The multiplexing tutorial of TensorFlow Recommenders on MovieLens-100K.

Coleman et al., Unified Embedding, arXiv 2305.12102; docs/examples/uet.ipynb of
tensorflow/recommenders. It has no validation part, and nothing is chosen here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from training.reproduce.ctr import Clicks
from training.reproduce.experiment import Claim, Rows

CLOSE = 0.004


@dataclass(frozen=True)
class UnifiedML100K(Clicks):
    """Configures the reproduction."""

    kind: ClassVar[str] = "unified-ml100k"
    summary: ClassVar[str] = "one pool of rows for all features, the official tutorial on ML-100K"
    metrics: ClassVar[Mapping[str, str]] = {"auc": "AUC"}

    def claims(self, rows: Rows) -> Sequence[Claim]:
        """Compares each published AUC with the mean obtained."""
        return [
            Claim(
                f"{row.case}: AUC beside the published {row.published['auc']}",
                abs(row.mean("auc") - row.published["auc"]),
                most=CLOSE,
            )
            for row in rows.values()
            if "auc" in row.published
        ]
