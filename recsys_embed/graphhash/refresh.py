"""A new clustering that leaves as many ids as possible in the rows they have."""

import dataclasses
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.sparse import coo_array, csr_array, diags_array, hstack
from scipy.sparse.csgraph import min_weight_full_bipartite_matching

from recsys_embed.graphhash.budget import Report, cluster_to_budget
from recsys_embed.graphhash.clusters import Clustering, Labels, Part
from recsys_embed.graphhash.engines import Method
from recsys_embed.graphhash.interactions import Bipartite
from recsys_embed.graphhash.searching import RowBudget


@dataclass(frozen=True)
class Churn:
    """What a refresh changed on one side.

    Args:
        ids_kept: ids that were there before and have the same row.
        ids_moved: ids that were there before and have another row.
        ids_new: ids that had no row of their cluster before.
        ids_gone: ids that have none any more.
        rows_kept: rows with at least one id that stayed.
        rows_new: rows that no id had before, or that all of theirs have left.
        rows_freed: rows that nobody has any more.
    """

    ids_kept: int
    ids_moved: int
    ids_new: int
    ids_gone: int
    rows_kept: int
    rows_new: int
    rows_freed: int


class Refreshed(NamedTuple):
    """A clustering in the rows of an earlier one, and what that changed."""

    clustering: Clustering
    users: Churn
    items: Churn


def refresh(
    old: Clustering,
    graph: Bipartite,
    budget: RowBudget | None = None,
    *,
    method: Method = "leiden",
    engine: str = "native",
    iterations: int = 2,
    seed: int = 0,
    report: Report | None = None,
) -> Refreshed:
    """Clusters all interactions known by now, beginning with old clusters, in the old rows.

    Args:
        old: the clustering before; ids that joined it later included.
        graph: old and new interactions, as far as they still count.
        budget: the rows there shall be; left out: as many of users and of items as before.
        method: as for `cluster`.
        engine: as for `cluster`.
        iterations: as for `cluster`.
        seed: as for `cluster`.
        report: as for `cluster_to_budget`.

    Raises:
        InputError: as `cluster_to_budget` does.

    Example:
        >>> from recsys_embed.graphhash import cluster, from_arrays
        >>> old = cluster(from_arrays([1, 2, 3], [10, 20, 30]))
        >>> refresh(old, from_arrays([0, 1, 2, 3], [10, 10, 20, 30])).users.ids_kept
        3
    """
    wanted = budget or RowBudget(users=old.users.num_rows, items=old.items.num_rows)
    new = cluster_to_budget(
        graph,
        wanted,
        method=method,
        engine=engine,
        iterations=iterations,
        seed=seed,
        start=old,
        report=report,
    )
    return with_old_rows(old, new)


def with_old_rows(old: Clustering, new: Clustering) -> Refreshed:
    """Renumbers the new rows so that as many ids as possible have their old ones; exactly so.

    Which new row takes which old number is a matching of the largest total overlap. Numbers stay
    below the new number of rows; rows without an old number take the lowest that are left.
    """
    users, items = _renumbered(old.users, new.users), _renumbered(old.items, new.items)
    kept = dataclasses.replace(new, users=users, items=items)
    return Refreshed(kept, _churn(old.users, users), _churn(old.items, items))


def _renumbered(old: Part, new: Part) -> Part:
    num = new.num_rows
    before, after = _rows_of_both(old, new)
    fits = before < num
    numbers = _matching(after[fits], before[fits], num)
    rows = np.where(new.rows >= 0, numbers[new.rows], np.int32(-1))
    return dataclasses.replace(new, rows=rows)


def _matching(after: Labels, before: Labels, num: int) -> Labels:
    """Gives each of `num` new rows a number of its own below `num`."""
    overlap = csr_array(coo_array((np.ones(len(after)), (after, before)), shape=(num, num)))
    overlap.data += 1  # a new row without an old number weighs 1, so that overlap alone decides
    apart = hstack([overlap, diags_array(np.ones(num))], format="csr")
    rows, columns = min_weight_full_bipartite_matching(apart, maximize=True)
    numbers = np.full(num, -1, np.int32)
    numbers[rows[columns < num]] = columns[columns < num]
    free = np.setdiff1d(np.arange(num, dtype=np.int32), numbers)
    numbers[numbers < 0] = free
    return numbers


def _churn(old: Part, new: Part) -> Churn:
    before, after = _rows_of_both(old, new)
    had, has = np.unique(old.known_rows), np.unique(new.known_rows)
    stayed = int((before == after).sum())
    rows_kept = len(np.unique(after[before == after]))
    return Churn(
        ids_kept=stayed,
        ids_moved=len(before) - stayed,
        ids_new=len(new.known) - len(before),
        ids_gone=len(old.known) - len(before),
        rows_kept=rows_kept,
        rows_new=len(has) - rows_kept,
        rows_freed=len(np.setdiff1d(had, has)),
    )


def _rows_of_both(old: Part, new: Part) -> tuple[Labels, Labels]:
    """Gives the old and the new rows of the ids that have both."""
    _, at_old, at_new = np.intersect1d(old.known, new.known, True, return_indices=True)
    return old.known_rows[at_old], new.known_rows[at_new]
