"""Give items semantic IDs by their contents.

Contents are vectors (a .npy file of shape (items, dimensions), from any encoder) or texts (columns
of a CSV, TSV or Parquet table), which become vectors by TF-IDF and a truncated SVD. A quantizer
turns each vector into a few codes, near ones into the same: its semantic ID. The output folder gets

  items.parquet            id, code_1, code_2, ... of each item
  codebooks.safetensors    turns contents into codes, also of items that come later
  text-vectors.safetensors turns texts into contents, where contents were texts
  items.rowmap             with --rows: the row map for a table's config
  health.json, health.png  perplexity and dead codes by level, distinct IDs, error
  prefixes.json            how near the contents of items are that share their first codes
  epochs.jsonl, epochs.png the RQ-VAE's learning curve

A healthy codebook has a perplexity near the number of codes, hardly any dead code, and a small
error. Items that share a semantic ID share all their rows: --memorize-rows tells them apart.

examples:
  recsys-train semantic-ids items.tsv --id item --text title --output runs/ids
  recsys-train semantic-ids vectors.npy --ids ids.npy --quantizer residual-kmeans --codes 64 \\
      --output runs/ids --rows 10000 --tokens prefix --memorize-rows 2000

Tokens (--tokens) are what of an ID c1 c2 c3 has a row; an item's vector is the sum of its rows:
  unigram  c1, c2, c3           ngram    runs of --ngram codes, one after the other
  prefix   c1, c1c2, c1c2c3     pieces   frequent runs, by SentencePiece; --rows of them

RQ-VAE and tokens: arXiv 2306.08121; prefixes: arXiv 2504.02137.
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from rich.console import Console

    from recsys_embed.nn.rq_vae import Epoch
    from recsys_embed.row_maps.semantic_id import SemanticId
    from recsys_embed.semantic_ids import Codebooks, Health
    from training.readers.items import Items

TOKENS = ("unigram", "ngram", "prefix", "pieces")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Says what the command takes."""
    parser.add_argument("contents", help="vectors in a .npy file, or a table with texts")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR")
    parser.add_argument("--ids", metavar="FILE", help="with .npy: item ids (0, 1, 2, ...)")
    parser.add_argument("--id", dest="id_column", metavar="COLUMN", help="with a table: item ids")
    parser.add_argument(
        "--text", dest="text_columns", action="append", metavar="COLUMN", help="may repeat"
    )
    parser.add_argument("--text-dim", type=int, default=64, help="dimensions of text vectors (64)")
    parser.add_argument("--quantizer", choices=("rq-vae", "residual-kmeans"), default="rq-vae")
    parser.add_argument("--levels", type=int, default=3, help="codes of a semantic ID (3)")
    parser.add_argument("--codes", type=int, default=256, help="codes a level (256)")
    parser.add_argument("--dim", type=int, default=32, help="of the RQ-VAE's code space (32)")
    parser.add_argument("--epochs", type=int, default=60, help="of the RQ-VAE (60)")
    parser.add_argument("--seed", type=int, default=0)
    rows = parser.add_argument_group("row map")
    rows.add_argument("--rows", type=int, help="rows of the table; writes items.rowmap")
    rows.add_argument("--tokens", choices=TOKENS, default="prefix", help="what has a row (prefix)")
    rows.add_argument("--ngram", type=int, default=2, help="codes of an n-gram (2)")
    rows.add_argument(
        "--memorize-rows", type=int, default=0, help="of the rows, for one hashed row an item (0)"
    )


def run(options: argparse.Namespace) -> int:
    """Reads contents, learns codebooks, writes the folder."""
    from rich.console import Console

    from recsys_embed.semantic_ids import measure_health
    from recsys_embed.semantic_ids.files import write_codebooks

    console = Console()
    items = _read(options)
    options.output.mkdir(parents=True, exist_ok=True)
    contents = _contents(items, options)
    console.print(f"{len(contents):,} items with contents of {contents.shape[1]} floats")
    codebooks = _learn(contents, options, console)
    write_codebooks(options.output / "codebooks.safetensors", codebooks)
    codes = codebooks.encode(contents)
    _write_items(options.output, items.ids, codes)
    health = measure_health(codebooks, contents)
    _write_health(options.output, health, codes)
    if options.rows is not None:
        _write_row_map(options, _row_map(options, items, codes, codebooks), console)
    console.print(_sentences(health), soft_wrap=True)
    console.print(_prefixes(options.output, codes, contents), soft_wrap=True)
    console.print(f"codebooks {codebooks.digest} and all else in {options.output}", soft_wrap=True)
    return 0


def _read(options: argparse.Namespace) -> "Items":
    from recsys_embed.errors import InputError
    from training.readers.items import read_texts, read_vectors

    if Path(options.contents).suffix == ".npy":
        return read_vectors(options.contents, options.ids)
    if not options.id_column or not options.text_columns:
        raise InputError(
            f"{options.contents} is not a .npy file; say which columns of the table hold ids and"
            " texts: --id COLUMN --text COLUMN"
        )
    return read_texts(options.contents, options.id_column, options.text_columns)


def _contents(items: "Items", options: argparse.Namespace) -> "NDArray[np.floating]":
    from recsys_embed.semantic_ids import TextVectors
    from recsys_embed.semantic_ids.files import write_text_vectors

    if items.contents is not None:
        return items.contents
    texts = items.texts or []
    vectors = TextVectors.fit(texts, options.text_dim, options.seed)
    write_text_vectors(options.output / "text-vectors.safetensors", vectors)
    return vectors(texts)


def _learn(
    contents: "NDArray[np.floating]", options: argparse.Namespace, console: "Console"
) -> "Codebooks":
    from rich.progress import Progress

    with Progress(console=console, disable=not console.is_terminal) as progress:
        if options.quantizer == "rq-vae":
            return _learn_rq_vae(contents, options, progress)
        from recsys_embed.semantic_ids import ResidualKMeans

        kmeans = ResidualKMeans(options.levels, options.codes, seed=options.seed)
        bar = progress.add_task("levels", total=options.levels)
        return kmeans.fit(contents, lambda done, _: progress.update(bar, completed=done))


def _learn_rq_vae(
    contents: "NDArray[np.floating]", options: argparse.Namespace, progress: Any
) -> "Codebooks":
    import json

    from recsys_embed.nn.rq_vae import RQVAE
    from recsys_embed.semantic_ids.plots import draw_epochs

    config = RQVAE(
        options.levels, options.codes, options.dim, epochs=options.epochs, seed=options.seed
    )
    bar = progress.add_task("epochs", total=config.epochs)
    curve: list[Epoch] = []

    def hear(epoch: "Epoch") -> None:
        curve.append(epoch)
        progress.update(bar, completed=epoch.epoch)
        if epoch.epoch % max(1, config.epochs // 10) == 0:
            progress.console.print(_sentence(epoch), soft_wrap=True)

    codebooks = config.fit(contents, hear)
    lines = "".join(json.dumps(epoch._asdict()) + "\n" for epoch in curve)
    (options.output / "epochs.jsonl").write_text(lines)
    draw_epochs(options.output / "epochs.png", curve)
    return codebooks


def _sentence(epoch: "Epoch") -> str:
    return (
        f"epoch {epoch.epoch}: loss {epoch.loss:.4f}, error {epoch.relative_error:.4f},"
        f" perplexity {' / '.join(f'{p:.0f}' for p in epoch.perplexity)},"
        f" dead codes {' / '.join(map(str, epoch.dead_codes))},"
        f" distinct IDs {epoch.unique_ids:.1%}"
    )


def _write_items(output: Path, ids: "NDArray[np.int64]", codes: "NDArray[np.int32]") -> None:
    import polars as pl

    columns = {f"code_{level + 1}": column for level, column in enumerate(codes.T)}
    pl.DataFrame({"id": ids, **columns}).write_parquet(output / "items.parquet")


def _write_health(output: Path, health: "Health", codes: "NDArray[np.int32]") -> None:
    from recsys_embed.semantic_ids.plots import draw_health

    health.write(output / "health.json")
    draw_health(output / "health.png", health, codes)


def _row_map(
    options: argparse.Namespace, items: "Items", codes: "NDArray[np.int32]", codebooks: "Codebooks"
) -> "SemanticId":
    from recsys_embed.row_maps.semantic_id import SemanticId

    pieces = None
    if options.tokens == "pieces":
        from recsys_embed.semantic_ids.piece_training import train_pieces

        rows = options.rows - options.memorize_rows
        pieces = train_pieces(codes, items.counts, rows, options.codes)
    return SemanticId.of(
        items.ids,
        codes,
        codebooks,
        rows=options.rows,
        pieces=pieces,
        tokens=options.tokens,
        ngram=options.ngram,
        memorize_rows=options.memorize_rows,
        seed=options.seed,
    )


def _write_row_map(options: argparse.Namespace, row_map: "SemanticId", console: "Console") -> None:
    from recsys_embed.row_maps.files import write_row_map

    write_row_map(options.output / "items.rowmap", row_map)
    console.print(f"row map {row_map.digest} of {row_map.rows:,} rows, tokens {row_map.tokens}")


def _sentences(health: "Health") -> str:
    levels = "\n".join(
        f"level {level}: perplexity {perplexity:.1f} of {health.codes} codes, {dead} dead"
        for level, (perplexity, dead) in enumerate(
            zip(health.perplexity, health.dead_codes, strict=True), start=1
        )
    )
    return (
        f"{levels}\n{health.unique_ids:.1%} as many semantic IDs as items, up to"
        f" {health.largest_bucket:,} items share one; relative error {health.relative_error:.4f}"
    )


def _prefixes(output: Path, codes: "NDArray[np.int32]", contents: "NDArray[np.floating]") -> str:
    import json

    from recsys_embed.semantic_ids import shared_prefixes

    found = [prefix for prefix in shared_prefixes(codes, contents) if prefix.pairs]
    (output / "prefixes.json").write_text(
        json.dumps([prefix._asdict() for prefix in found], indent=2) + "\n"
    )
    return "\n".join(
        f"items that share {prefix.length} codes: mean cosine {prefix.mean_cosine:.3f},"
        f" {prefix.mean_items:,.1f} items under a prefix"
        for prefix in found
    )
