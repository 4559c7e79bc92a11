"""Dense layers and their optimizer as named arrays, and back, bit for bit."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

Arrays = dict[str, NDArray[Any]]


def dense_arrays(net: nn.Module, optimizer: torch.optim.Optimizer) -> Arrays:
    """Gives the layers (`net.…`), the optimizer (`optimizer.…`) and torch's random state.

    The arrays are views of what is in training: copy what must not change.
    """
    arrays = {f"net.{k}": v.numpy() for k, v in net.state_dict().items()}
    for number, slots in optimizer.state_dict()["state"].items():
        arrays |= {f"optimizer.{number}.{slot}": value.numpy() for slot, value in slots.items()}
    return arrays | {"torch_rng": torch.get_rng_state().numpy()}


def load_dense(
    net: nn.Module, optimizer: torch.optim.Optimizer, arrays: Mapping[str, NDArray[Any]]
) -> None:
    """Takes up what `dense_arrays` gave; other arrays are passed over."""
    tensors = {name: torch.from_numpy(np.array(array)) for name, array in arrays.items()}
    net.load_state_dict(_under("net.", tensors))
    optimizer.load_state_dict(_optimizer_state(optimizer, _under("optimizer.", tensors)))
    torch.set_rng_state(tensors["torch_rng"])


def _under(prefix: str, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def _optimizer_state(
    optimizer: torch.optim.Optimizer, tensors: dict[str, torch.Tensor]
) -> dict[str, Any]:
    state: dict[int, dict[str, torch.Tensor]] = {}
    for name, value in tensors.items():
        number, slot = name.split(".", 1)
        state.setdefault(int(number), {})[slot] = value
    return optimizer.state_dict() | {"state": state}
