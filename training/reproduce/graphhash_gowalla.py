"""GraphHash on Gowalla: matrix factorization and LightGCN over seven row maps of equal rows.

Wu et al., GraphHash, arXiv 2412.17245, §5. Their split is not public; this is that of NGCF, with a
validation part carved from its train part. Clusters and frequencies are of what is left for
training. "modulo" is what the paper calls random: the id modulo the rows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import torch
from matplotlib.figure import Figure

from recsys_embed.errors import ConfigError
from recsys_embed.graphhash.engines import Method
from recsys_embed.row_maps import RowMapConfig
from training.reproduce.drawing import bars_by_group
from training.reproduce.equal_rows import MAPS, SIDES, learned_numbers, row_map_of
from training.reproduce.experiment import Claim, Outcome, Rows
from training.reproduce.pairs import clusters_of, read_parts
from training.retrieval.embedding import MappedEmbedding
from training.retrieval.fit import Fit, fit
from training.retrieval.interactions import Interactions
from training.retrieval.models import LightGCN, MatrixFactorization
from training.retrieval.ranking import rank

MODELS = ("mf", "lightgcn")
RANDOM = " random"
GAIN, SMALLER = 2.0, 0.8


@dataclass(frozen=True)
class Chosen:
    """What the validation part chose for a case.

    Args:
        lr: of Adam.
        weight_decay: of Adam.
    """

    lr: float
    weight_decay: float


@dataclass(frozen=True)
class GraphHashGowalla:
    """Configures the reproduction.

    Args:
        path: folder with train.txt and test.txt.
        fits: how each model is trained; rates and decays are the cases'.
        chosen: rate and decay by case, "MODEL MAP", or "MODEL MAP random" on a random split.
        published: figures by case.
        validation: share of each user's train pairs.
        resolution: of the modularity.
        method: of its search.
        dim: of vectors.
        layers: of LightGCN.
        threads: of torch.
        users: the first so many users alone, and items with five pairs of theirs; 0: everything.
    """

    kind: ClassVar[str] = "graphhash-gowalla"
    summary: ClassVar[str] = "MF and LightGCN over clustered and hashed rows, Gowalla"
    metrics: ClassVar[Mapping[str, str]] = {
        "recall": "Recall@20",
        "recall_capped": "Recall@20, /min(20, n)",
        "ndcg": "NDCG@20",
    }
    path: str
    fits: Mapping[str, Fit]
    chosen: Mapping[str, Chosen]
    published: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    validation: float = 0.1
    resolution: float = 200.0
    method: Method = "louvain"
    dim: int = 64
    layers: int = 2
    threads: int = 2
    users: int = 0

    def __post_init__(self) -> None:
        known = [f"{model} {name}" for model in MODELS for name in MAPS]
        for case in self.chosen:
            if case.removesuffix(RANDOM) not in known:
                raise ConfigError(f"chosen.{case!r} is no case; they are {', '.join(known)}")
            if case.split()[0] not in self.fits:
                raise ConfigError(f"case {case!r} needs [fits.{case.split()[0]}]")

    @property
    def cases(self) -> Sequence[str]:
        """Those that have chosen values."""
        return list(self.chosen)

    def run(self, case: str, seed: int) -> Outcome:
        """Trains until the validation part is best; ranks the test part once."""
        torch.set_num_threads(self.threads)
        is_random = case.endswith(RANDOM)
        interactions = read_parts(self.path, self.validation, self.users, is_random=is_random)
        model_name, name = case.removesuffix(RANDOM).split()
        found = clusters_of(interactions, self.resolution, self.method, seed)
        maps = [row_map_of(name, side, interactions.train, found, seed) for side in SIDES]
        model = self._model(model_name, maps, interactions, seed)
        config = replace(self.fits[model_name], **self.chosen[case].__dict__)
        fitted = fit(model, interactions, config, seed)
        test = rank(model.vectors(), interactions.test, interactions.known, config.k)
        rows = sum(len(embedding.rows) for embedding in (model.users, model.items))
        figures = {name: getattr(test, name) for name in self.metrics}
        return Outcome(
            figures,
            rows,
            rows * self.dim + sum(learned_numbers(name, row_map) for row_map in maps),
            {"epoch": fitted.epoch, "validation_recall": fitted.validation.recall},
        )

    def quick(self) -> Self:
        """Takes a tenth of the users and few epochs."""
        fits = {n: replace(f, epochs=8, batch_size=f.batch_size // 8) for n, f in self.fits.items()}
        return replace(self, users=3000, fits=fits, resolution=self.resolution / 10)

    def claims(self, rows: Rows) -> Sequence[Claim]:
        """Compares GraphHash with double-frequency hashing, and with the full table's rows."""
        claims = []
        for case, ours in rows.items():
            model, name = case.removesuffix(RANDOM).split()
            theirs = rows.get(case.replace("graphhash", "double-frequency"))
            full = rows.get(f"{model} full")
            if name != "graphhash" or not theirs or not full:
                continue
            saved = 1 - ours.rows / full.rows
            gain = ours.mean("recall") / theirs.mean("recall")
            text = f"{case}, {saved:.0%} fewer rows: Recall@20 over that of double-frequency"
            claims.append(Claim(text, gain, least=GAIN if model == "mf" else 1.0))
            claims.append(Claim(f"{case}, share of rows saved", saved, least=SMALLER))
        return claims

    def draw(self, rows: Rows, path: Path) -> None:
        """Draws Recall@20 and NDCG@20 of each row map."""
        figure = Figure(figsize=(11, 4), layout="constrained")
        for axes, metric in zip(figure.subplots(1, 2), ("recall", "ndcg"), strict=True):
            bars_by_group(axes, rows, metric, self.metrics[metric])
        figure.savefig(path, dpi=120)

    def _model(
        self, name: str, maps: Sequence[RowMapConfig], interactions: Interactions, seed: int
    ) -> MatrixFactorization | LightGCN:
        generator = torch.Generator().manual_seed(seed)
        numbers = interactions.num_users, interactions.num_items
        users, items = (
            MappedEmbedding(row_map, np.arange(number), self.dim, generator=generator)
            for row_map, number in zip(maps, numbers, strict=True)
        )
        if name == "mf":
            return MatrixFactorization(users, items)
        return LightGCN(users, items, interactions, self.layers)
