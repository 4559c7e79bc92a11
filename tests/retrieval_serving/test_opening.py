"""What cannot be served is refused at the start by a sentence; lookups alone carry nothing."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recsys_embed.delta_log import DirectoryLog
from recsys_embed.errors import ConfigError, RecsysEmbedError
from recsys_embed.snapshot import open_snapshot, write_snapshot
from serving.cli import main
from serving.lookup import LookupService
from serving.retrieval.items_log import LINEAGE
from tests.delta_log.places import LINEAGE as ANOTHER
from tests.retrieval_serving.planted import Planted
from tests.retrieval_serving.retrieving import amended, held, retrieving

Told, Dense = dict[str, Any], dict[str, Any]
ROOT = Path(__file__).resolve().parents[2]


def of(told: Told) -> Any:
    return told["indexes"]["items"]


DAMAGES: dict[str, tuple[Callable[[Told, Dense], Any], str]] = {
    "a table that is not there": (
        lambda told, dense: of(told).update(vectors="item_vectr"),
        "'item_vectr'.*did you mean.*'item_vector'",
    ),
    "a tower that is not described": (
        lambda told, dense: of(told).update(user_tower="usr"),
        "'usr'.*did you mean 'user'",
    ),
    "no file of a tower": (lambda told, dense: dense.pop("towers/user.onnx"), "found none"),
    "half a file of a tower": (
        lambda told, dense: dense.update({"towers/user.onnx": dense["towers/user.onnx"][:99]}),
        "tower 'user' cannot be run",
    ),
    "the file of another tower": (
        lambda told, dense: dense.update({"towers/user.onnx": dense["towers/item.onnx"]}),
        "expected the inputs .*'customer'.*found .*'price'",
    ),
    "a tower of another width": (
        lambda told, dense: told["towers"]["user"].update(dim=9),
        "found an array",
    ),
    "users of another width": (
        lambda told, dense: of(told).update(users="customer"),
        "8 dimensions.*'customer' gives 4",
    ),
    "relations of another width": (
        lambda told, dense: of(told)["relations"]["similar"].update(queries="customer"),
        "queries of table 'customer' have 4",
    ),
    "attributes of another kind": (
        lambda told, dense: of(told)["attributes"].update(price="tags"),
        "attribute 'price'",
    ),
    "an attribute of a kind that is none": (
        lambda told, dense: of(told)["attributes"].update(price="number"),
        "price must be one of .*'number'",
    ),
    "attributes of fewer items": (
        lambda told, dense: dense.update({"indexes/items/ids": dense["indexes/items/ids"][:-1]}),
        "attributes of 199 items",
    ),
    "items that come twice": (
        lambda told, dense: dense.update({"indexes/items/ids": np.zeros(200, np.int64)}),
        "distinct",
    ),
    "tuning queries of another width": (
        lambda told, dense: dense.update({"indexes/items/queries": np.ones((3, 9), np.float32)}),
        r"shape \(q, 8\)",
    ),
    "a setting of the index that is none": (
        lambda told, dense: of(told)["config"].update(nprobes=3),
        "'nprobes'",
    ),
    "a relevance adapter that is not there": (
        lambda told, dense: of(told).update(relevance=True),
        "adapter",
    ),
    "a bridge that is not there": (
        lambda told, dense: of(told).update(
            bridges=[{"to": "zero", "kind": "mean", "recall": 0.9, "k": 10, "queries": 5}]
        ),
        "mean bridge",
    ),
    "a description of a later version": (
        lambda told, dense: told.update(version=2),
        "newer recsys-embed",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_contradiction_is_named(
    damage: str, shop: Planted, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change, sentence = DAMAGES[damage]
    path = amended(shop.path, tmp_path, change)
    with pytest.raises(RecsysEmbedError, match=sentence):
        with retrieving(LookupService.open(path)):
            pass
    with pytest.raises(SystemExit) as end:
        main(["--snapshot", str(path), "--port", "0"])
    assert end.value.code == 2
    assert capsys.readouterr().err.startswith("recsys-serve: ")


def test_items_without_attributes_and_an_index_without_items_are_served(
    shop: Planted, tmp_path: Path
) -> None:
    def change(told: Told, dense: Dense) -> None:
        for name in [name for name in dense if name.startswith("indexes/items/")]:
            del dense[name]

    snapshot = open_snapshot(amended(shop.path, tmp_path, change))
    tables = {name: table.restore() for name, table in snapshot.tables.items()}
    tables["item_vector"].evict(shop.ids)
    path = write_snapshot(tmp_path, tables, dense=dict(snapshot.dense), extra=snapshot.extra)
    with retrieving(LookupService.open(path)) as retriever:
        assert held(retriever) == set()


def test_another_log_is_not_written_over(
    shop: Planted, service: LookupService, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = DirectoryLog(tmp_path / "log")
    with log.open_writer(ANOTHER) as writer:
        writer.append(1, 0, b"rows of a trainer")
    with pytest.raises(ConfigError, match=ANOTHER):
        with retrieving(service, log):
            pass
    with pytest.raises(SystemExit):
        main(["--snapshot", str(shop.path), "--items", str(tmp_path / "log"), "--port", "0"])
    assert ANOTHER in capsys.readouterr().err
    assert log.head().lineage == ANOTHER != LINEAGE


def test_a_server_of_lookups_alone_loads_neither_faiss_nor_onnxruntime(
    shop: Planted, tmp_path: Path
) -> None:
    snapshot = open_snapshot(shop.path)
    tables = {name: table.restore() for name, table in snapshot.tables.items()}
    path = write_snapshot(tmp_path, tables)
    code = (
        "import sys; from pathlib import Path; from serving import app, cli; "
        "from serving.settings import Settings; from serving.state import State; "
        "from serving.lookup import LookupService; "
        f"settings = Settings(snapshot=Path({str(path)!r})); app.create_app(settings); "
        "cli._checked(settings); state = State(settings); "
        "state.begin(LookupService.open(settings.snapshot)); "
        "assert state.retriever is None; "
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert not set(done.stdout.split()) & {"faiss", "onnxruntime", "torch"}
