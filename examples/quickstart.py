"""Train a collisionless table inside a torch model, save it, read the rows back without torch."""

import tempfile

import torch
from torchrec import EmbeddingBagConfig, KeyedJaggedTensor

from recsys_embed import FeatureRule, RowwiseAdagrad, hash_string
from recsys_embed.nn import EmbeddingBagCollection
from recsys_embed.snapshot import open_snapshot, write_snapshot

item = EmbeddingBagConfig(
    name="item", embedding_dim=8, num_embeddings=1000, feature_names=["clicks"]
)
embeddings = EmbeddingBagCollection(
    [item],
    optimizer=RowwiseAdagrad(),
    lr=0.1,
    rules={"clicks": FeatureRule("clicks", threshold=2, ttl_s=30 * 86_400)},
)
model = torch.nn.Linear(8, 1)

mug, lamp = hash_string("WHITE HANGING HEART"), hash_string("LAVA LAMP")
bags = KeyedJaggedTensor.from_lengths_sync(
    keys=["clicks"], values=torch.tensor([mug, lamp, mug, -1]), lengths=torch.tensor([3, 1])
)
embeddings.set_time(1_290_000_000)  # of the events, in seconds: what rows expire by
logits = model(embeddings(bags).values())
torch.nn.functional.binary_cross_entropy_with_logits(
    logits, torch.tensor([[1.0], [0.0]])
).backward()  # the fused optimizer steps here

table = embeddings.tables["item"]
print(
    f"{len(table)} row: seen twice, the mug was admitted; {table.stats().filtered} occurrences wait"
)

with tempfile.TemporaryDirectory() as folder:
    write_snapshot(folder, embeddings.tables)
    answer = open_snapshot(folder).tables["item"].lookup([mug, lamp])
    print(
        "found:", answer.found, "bit for bit:", (answer.values == table.lookup([mug, lamp])).all()
    )
