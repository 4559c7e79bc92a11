"""What every module over collisionless tables shares: the tables, rates, time, device and state."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NoReturn, Self

import torch
from torch import nn

from recsys_embed.config import near
from recsys_embed.errors import ConfigError, InputError
from recsys_embed.mapped_table import make_table
from recsys_embed.nn.fused import Fused, PooledStep, SequenceStep
from recsys_embed.table import CollisionlessTable
from recsys_embed.table_config import TableConfig
from recsys_embed.table_group import Rate


class TableModule(nn.Module):
    """Holds tables that learn inside backward; they stay on the CPU wherever the module goes.

    A forward in training mode with gradients enabled counts, admits and refreshes ids. Any other
    forward (`eval()`, `torch.no_grad()`, `torch.inference_mode()`) reads and changes nothing.
    Several forwards may precede their backwards. The tables are neither parameters nor buffers:
    torch optimizers do not see them, and `save` writes them.

    Args:
        configs: one for each table.
        lr: the learning rate; a rate for each segment; or either by table name.
        missing: what an id without a row reads as: "initial", "zeros", an array (D,), or "error",
            which holds for reading alone, as training admits ids and reads "initial".
        device: where results go; None: where the ids came from.
    """

    def __init__(
        self,
        configs: Sequence[TableConfig],
        *,
        lr: Rate | Mapping[str, Rate],
        missing: Any = "initial",
        device: torch.device | str | None = None,
    ) -> None:
        super().__init__()
        self._tables = {config.name: make_table(config) for config in configs}
        self._rates: dict[str, Rate] = {}
        self.set_lr(lr)
        self._time_s: int | None = None
        self._timed = [
            c.name for c in configs if c.clock == "event" and any(f.ttl_s for f in c.features)
        ]
        self._missing = missing
        self._device = None if device is None else torch.device(device)
        self._anchor = torch.zeros(1, requires_grad=True)

    @property
    def tables(self) -> Mapping[str, CollisionlessTable]:
        """The tables by name."""
        return MappingProxyType(self._tables)

    @property
    def device(self) -> torch.device:
        """Where results go if the ids are on the CPU."""
        return self._device or torch.device("cpu")

    @property
    def time_s(self) -> int | None:
        """The event time of the coming training forwards, seconds since the epoch."""
        return self._time_s

    def set_time(self, seconds: int | None) -> None:
        """Gives the coming training forwards their event time; a table with a ttl needs one."""
        self._time_s = seconds

    def set_lr(self, lr: Rate | Mapping[str, Rate]) -> None:
        """Sets the learning rate of the coming backwards, for all tables or by table name.

        Raises:
            ConfigError: for an unknown table, or as many rates as the table has no segments.
        """
        rates = dict(lr) if isinstance(lr, Mapping) else dict.fromkeys(self._tables, lr)
        for name, rate in rates.items():
            if name not in self._tables:
                raise ConfigError(f"lr has no table {name!r}; {near(name, list(self._tables))}")
            segments = len(self._tables[name].config.segments)
            if not isinstance(rate, int | float) and len(rate) != segments:
                raise ConfigError(
                    f"table {name!r} needs {segments} learning rates, got {len(rate)}"
                )
        self._rates |= {n: r if isinstance(r, int | float) else tuple(r) for n, r in rates.items()}
        if missing := [name for name in self._tables if name not in self._rates]:
            raise ConfigError(f"lr must name every table at first, but {missing} have none")

    def rate_of(self, table: str) -> Rate:
        """Gives the learning rate of a table."""
        return self._rates[table]

    def missing_in_training(self) -> Any:
        """Gives what an id reads as before it is admitted."""
        is_error = isinstance(self._missing, str) and self._missing == "error"
        return "initial" if is_error else self._missing

    def missing_in_evaluation(self) -> Any:
        """Gives what an id without a row reads as."""
        return self._missing

    def get_extra_state(self) -> torch.Tensor:
        """Marks this moment in `state_dict()`: (rows, seq) of each table, int64, not its rows."""
        return torch.tensor([[len(t), t.seq] for t in self._tables.values()], dtype=torch.int64)

    def set_extra_state(self, state: torch.Tensor) -> None:
        """Checks that a state dict belongs to the tables as they are.

        Raises:
            InputError: if it does not; the tables come back by `recsys_embed.nn.load`, before.
        """
        if not torch.equal(state, self.get_extra_state()):
            raise InputError(
                f"the state dict belongs to tables of (rows, seq) {state.tolist()}, but tables"
                f" {', '.join(self._tables)} are at {self.get_extra_state().tolist()}; a state dict"
                " holds no rows: save and load with recsys_embed.nn.save and recsys_embed.nn.load"
            )

    def __getstate__(self) -> NoReturn:
        raise InputError(
            f"{type(self).__name__} is neither pickled nor copied, because its tables are not;"
            " save it with recsys_embed.nn.save and load it into a new module"
        )

    def replace_tables(self, tables: Mapping[str, CollisionlessTable]) -> None:
        """Puts other tables of the same names in place of those held, as `load` does."""
        self._tables = {name: tables[name] for name in self._tables}
        self._tables_changed()

    def _tables_changed(self) -> None:
        """Renews what a subclass has made of the tables."""

    def _run(self, step: PooledStep | SequenceStep, device: torch.device) -> torch.Tensor:
        if not (self.training and torch.is_grad_enabled()):
            return step.peek().to(self._device or device)
        if self._timed and self._time_s is None:
            raise InputError(
                f"tables {', '.join(self._timed)} have a ttl, so training needs its events' time;"
                " call set_time(seconds) before the forward"
            )
        learned: torch.Tensor = Fused.apply(self._anchor, step)  # type: ignore[no-untyped-call]  # torch's
        return learned.to(self._device or device)

    def _apply(self, fn: Any, recurse: bool = True) -> Self:
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]  # torch's
        # Tables own no tensor that `.to(device)` could move, so an empty one shows where it leads.
        moved = fn(torch.empty(0)).device
        if self._device is not None or moved.type != "cpu":
            self._device = moved
        return self
