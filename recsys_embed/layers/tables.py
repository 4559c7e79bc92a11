"""All tables at one entry of a log: a snapshot, and the deltas behind it as layers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from recsys_embed.deltas import Delta
from recsys_embed.errors import DeltaError, SnapshotError
from recsys_embed.layers.layer import Layer
from recsys_embed.layers.table import LayeredTable
from recsys_embed.snapshot import Snapshot

EXTRA = "log"  # of a snapshot: the lineage and the number of the entry that it stands at


@dataclass(frozen=True, eq=False)
class LayeredTables:
    """Tables as their trainer's were at an entry of its log; any number of threads may read them.

    Attributes:
        snapshot: what lies beneath, at entry `base`.
        lineage, number: of the entry.
        created_s: when it was written, in seconds since the epoch.
        tables: by name.
    """

    snapshot: Snapshot
    lineage: str
    base: int
    number: int
    created_s: float
    tables: Mapping[str, LayeredTable]

    @staticmethod
    def of(snapshot: Snapshot) -> "LayeredTables":
        """Begins with a snapshot that a trainer with a log has written.

        Raises:
            SnapshotError: if it does not say at which entry it stands.
        """
        match snapshot.extra.get(EXTRA):
            case {"lineage": str(lineage), "number": int(number)}:
                created_s = datetime.fromisoformat(snapshot.manifest["created"]).timestamp()
                tables = {name: LayeredTable(table) for name, table in snapshot.tables.items()}
                return LayeredTables(snapshot, lineage, number, number, created_s, tables)
        raise SnapshotError(
            f"{snapshot.path}: expected the lineage and the number of an entry in extra[{EXTRA!r}],"
            f" found {snapshot.extra.get(EXTRA)!r}; a trainer that publishes a log writes them"
        )

    def after(self, deltas: Sequence[Delta]) -> "LayeredTables":
        """Gives the tables after deltas that follow on them, and on each other.

        Raises:
            DeltaError: if one is of another lineage, table, config or dimension, there is a gap
                before it, or it came before; says what was expected and what was found.
        """
        number = self.number
        for delta in deltas:
            self._refuse_unfit(delta, number)
            number = delta.number
        changed = {
            name: table.after([d.tables[name] for d in deltas if name in d.tables])
            for name, table in self.tables.items()
        }
        created_s = deltas[-1].created_s if deltas else self.created_s
        return replace(self, number=number, created_s=created_s, tables=changed)

    def count(self) -> int:
        """Counts all rows; what it finds out about the layers is kept for `num_rows`."""
        return sum(table.num_rows for table in self.tables.values())

    def merging(self) -> "Merging | None":
        """Says which layers to merge next, those of one table; None if they are few enough."""
        for name, table in self.tables.items():
            if layers := table.worth_merging():
                return lambda: self._merged(name, layers)
        return None

    def _merged(self, name: str, layers: tuple[Layer, ...]) -> "Change":
        merged = self.tables[name].merge(layers)

        def change(later: "LayeredTables") -> "LayeredTables":
            table = later.tables[name]
            if later.snapshot is not self.snapshot:
                return later
            tables = {**later.tables, name: table.with_merged(layers, merged)}
            return replace(later, tables=tables)

        return change

    @property
    def num_layers(self) -> int:
        """Layers of the table that has most."""
        return max((len(table.layers) for table in self.tables.values()), default=0)

    @property
    def layer_bytes(self) -> int:
        """Memory that all layers take."""
        return sum(table.layer_bytes for table in self.tables.values())

    @property
    def layer_rows(self) -> int:
        """Rows and tombstones in all layers."""
        return sum(len(layer) for table in self.tables.values() for layer in table.layers)

    def _refuse_unfit(self, delta: Delta, number: int) -> None:
        if delta.lineage != self.lineage:
            raise DeltaError(
                f"expected a delta of the lineage {self.lineage}, found one of {delta.lineage}"
            )
        if not delta.prev <= number < delta.number:
            raise DeltaError(
                f"expected a delta that follows {number}, found delta {delta.number}, which follows"
                f" {delta.prev}"
            )
        if unknown := sorted(delta.tables.keys() - self.tables.keys()):
            raise DeltaError(
                f"delta {delta.number}: expected changes of tables {sorted(self.tables)}, found"
                f" also {unknown}"
            )


Change = Callable[[LayeredTables], LayeredTables]
Merging = Callable[[], Change]  # takes long, in any thread; the change is made to later tables
