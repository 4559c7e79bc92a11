"""`recsys-train retrieval`: a snapshot, figures that are right, and refusals that say why."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recsys_embed.retrieval.bridging import Bridging
from recsys_embed.retrieval.description import arrays_under, read
from recsys_embed.snapshot import open_snapshot
from tests.retrieval_towers.making import config, name, values
from training.cli import main
from training.retrieval.complementary import Dual
from training.retrieval.towers.baselines import factorized, popular
from training.retrieval.towers.related import judge_related
from training.retrieval.towers.shop import open_shop


def toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)} = {toml(v)}" for k, v in value.items()) + "}"
    return json.dumps(value)


def write_config(log: Path, folder: Path, **changes: Any) -> Path:
    path = folder / "colours.toml"
    given = {**values(log), **changes}
    path.write_text("".join(f"{key} = {toml(value)}\n" for key, value in given.items()))
    return path


@pytest.fixture(scope="module")
def ran(log: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run, and beside it that of another seed with a bridge to the first."""
    folder = tmp_path_factory.mktemp("ran")
    path = write_config(log, folder, complementary={"dim": 4, "epochs": 2})
    first, second = ("--output", str(folder / "first")), ("--output", str(folder / "second"))
    assert main(["retrieval", str(path), *first]) == 0
    bridge = ("--bridge-from", str(folder / "first" / "snapshot"))
    quick = ("--seed", "1", "--epochs", "3", "--set", "baselines=[]")
    assert main(["retrieval", str(path), *second, *bridge, *quick]) == 0
    return folder


def test_a_run_leaves_a_snapshot_and_its_figures(ran: Path) -> None:
    summary = json.loads((ran / "first" / "summary.json").read_text())
    snapshot = open_snapshot(ran / "first" / "snapshot")
    told = read(snapshot.extra)
    assert told is not None and told.tower_version == summary["tower_version"]
    assert set(told.indexes) == {"items", "similar", "complementary"}
    assert set(summary["test"]) == {"two towers", "popular", "recent", "mf-bpr"}
    recall = {who: at["20"]["recall"] for who, at in summary["test"].items()}
    assert recall["two towers"] > 0.9 > recall["popular"]
    unseen = {who: at["20"]["segments"]["unseen"] for who, at in summary["test"].items()}
    assert unseen["two towers"]["recall"] > 0.9 and unseen["popular"]["recall"] == 0.0
    lines = (ran / "first" / "metrics.jsonl").read_text().splitlines()
    lines = [json.loads(line) for line in lines]
    assert [line["epoch"] for line in lines] == [*range(1, len(lines) + 1)]
    assert max(line["validation_recall@5"] for line in lines) == summary["validation_recall@5"]
    assert (ran / "first" / "curve.png").stat().st_size > 1000


def test_a_bridge_is_recorded_with_what_it_was_measured_to_do(ran: Path) -> None:
    first, second = (
        read(open_snapshot(ran / one / "snapshot").extra) for one in ("first", "second")
    )
    assert first is not None and second is not None
    assert first.tower_version != second.tower_version and not first.indexes["items"].bridges
    (bridge,) = second.indexes["items"].bridges
    assert bridge.to == first.tower_version and 0 < bridge.recall <= 1 and bridge.queries > 10
    dense = open_snapshot(ran / "second" / "snapshot").dense
    arrays = arrays_under(dense, "items", f"bridges/{bridge.to}")
    assert Bridging.of(bridge.kind, arrays).shift.shape == (8,)
    summary = json.loads((ran / "second" / "summary.json").read_text())
    assert summary["bridge"]["recall"] == bridge.recall


def test_popular_is_what_sold_most_before(log: Path) -> None:
    shop = open_shop(config(log))
    part = shop.parts.test
    sold: dict[int, int] = {}
    month_ago = shop.baskets.times[part[0]] - 86_400
    recently: dict[int, int] = {}
    for basket in range(part[0]):
        for item in shop.baskets.items.values[slice(*shop.baskets.items.offsets[basket:][:2])]:
            if basket in shop.parts.train:
                sold[item] = sold.get(item, 0) + 1
            if shop.baskets.times[basket] >= month_ago:
                recently[item] = recently.get(item, 0) + 1
    for counts, days in ((sold, None), (recently, 1.0)):
        best = popular(shop, days)(part, 5)
        assert (best == best[0]).all() and len(best) == len(part)
        assert [counts[i] for i in best[0]] == sorted(counts.values(), reverse=True)[:5]


def test_factorization_knows_customers_by_id(log: Path) -> None:
    shop = open_shop(config(log))
    best = factorized(shop, dim=8, seed=0)(shop.parts.test, 5)
    wanted = [int(who.split()[1]) for who in shop.baskets.lines["who"][shop.parts.test]]
    of_colour = {i: c for c in range(4) for i, n in enumerate(shop.catalogue.names)
                 if n.startswith(name(c, 0).split()[0])}  # fmt: skip
    right = [of_colour[i] == c for row, c in zip(best.tolist(), wanted, strict=True) for i in row]
    assert np.mean(right) > 0.8 and best.max() < shop.known_items


def test_the_rest_of_a_basket_is_asked_for_with_each_of_its_items(log: Path) -> None:
    shop = open_shop(config(log))
    known = shop.known_items
    colour = np.array([n.split()[0] for n in shop.catalogue.names])
    alike = (colour[:, None] == np.unique(colour)).astype(np.float32)
    perfect = Dual(alike, alike)
    judged = judge_related(shop, perfect, shop.parts.validation, known // 4 - 1)
    # the others of one's colour are all there is to find, and as many as are asked for
    assert judged["complementary"].all.recall == judged["similar"].all.recall == 1.0
    assert judged["bought together"].all.recall == 1.0
    assert judged["popular"].all.recall < 0.6


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--set", "train.epoch=3"], "did you mean 'epochs'"),
        (["--set", "tables.itme.dim=3"], "did you mean 'item'"),
        (["--set", "item_input='words2'"], "did you mean 'words'"),
        (["--set", "item.interests=2"], "interests are of the user tower"),
        (["--set", "loss='bpr'", "--set", "learn_temperature=true"], "only a softmax loss"),
        (["--set", "item.inputs={item={kind='ids',column='what'}}"], "something else to go by"),
        (["--set", "user.inputs.customer.column='whom'"], "did you mean 'who'"),
        (["--set", "data.path='nowhere.parquet'"], "nowhere.parquet"),
        (["--set", "split.validation=0.0"], "look at \\[split\\]"),
        (["--bridge-from", "nowhere"], "nowhere"),
    ],
)
def test_bad_input_is_told_in_a_sentence(
    arguments: list[str], says: str, log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_config(log, tmp_path)
    assert main(["retrieval", str(path), "--output", str(tmp_path / "run"), *arguments]) == 2
    error = " ".join(capsys.readouterr().err.split())
    assert error.startswith("recsys-train:") and re.search(says, error), error


def test_a_folder_that_holds_a_run_is_not_written_into(
    ran: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(ran / "colours.toml")
    assert main(["retrieval", path, "--output", str(ran / "first")]) == 2
    assert "--overwrite" in capsys.readouterr().err
