"""Codebooks and text vectors in files of their own."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys_embed.array_files import read_arrays, write_arrays
from recsys_embed.errors import InputError
from recsys_embed.semantic_ids.codebooks import Codebooks
from recsys_embed.semantic_ids.content import TextVectors
from recsys_embed.semantic_ids.networks import Perceptron


def write_codebooks(path: Path | str, codebooks: Codebooks) -> None:
    """Writes codebooks with their networks and digest, or leaves what was there.

    Raises:
        InputError: if the system refuses.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "codebooks.safetensors"
        >>> codebooks = Codebooks(np.array([[[0], [10]]], np.float32))
        >>> write_codebooks(path, codebooks)
        >>> read_codebooks(path).digest == codebooks.digest
        True
    """
    arrays = codebooks.arrays() | {"digest": _text(codebooks.digest)}
    if codebooks.decoder:
        arrays["decoder"] = codebooks.decoder.weights
        arrays["decoder_widths"] = codebooks.decoder.widths
    write_arrays(Path(path), arrays, "codebooks")


def read_codebooks(path: Path | str) -> Codebooks:
    """Reads codebooks and checks them against their digest.

    Raises:
        InputError: if there are none, or they are damaged.
    """
    arrays = read_arrays(Path(path), "codebooks")
    try:
        found = Codebooks.from_arrays(arrays)
        decoder = None
        if "decoder" in arrays:
            decoder = Perceptron(arrays["decoder_widths"], arrays["decoder"])
        written = arrays["digest"].tobytes().decode()
    except KeyError as error:
        raise InputError(f"expected codebooks in {path}, found no array {error}") from None
    if written != found.digest:
        raise InputError(
            f"expected codebooks with digest {written} in {path}, found {found.digest}"
        )
    return Codebooks(found.vectors, found.encoder, decoder)


def write_text_vectors(path: Path | str, vectors: TextVectors) -> None:
    """Writes what turns texts into vectors, or leaves what was there.

    Raises:
        InputError: if the system refuses.
    """
    words = _text("\n".join(vectors.words))
    arrays = {"words": words, "idf": vectors.idf, "directions": vectors.directions}
    write_arrays(Path(path), arrays, "text vectors")


def read_text_vectors(path: Path | str) -> TextVectors:
    """Reads what `write_text_vectors` wrote.

    Raises:
        InputError: if there is nothing of the kind, or it is damaged.
    """
    arrays = read_arrays(Path(path), "text vectors")
    try:
        words = tuple(arrays["words"].tobytes().decode().split("\n"))
        return TextVectors(words, arrays["idf"], arrays["directions"])
    except KeyError as error:
        raise InputError(f"expected text vectors in {path}, found no array {error}") from None


def _text(text: str) -> NDArray[Any]:
    return np.frombuffer(text.encode(), np.uint8)
