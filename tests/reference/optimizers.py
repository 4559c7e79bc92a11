"""One optimizer step of one segment of one row, in float64, rounded to float32 once at the end."""

import numpy as np
from numpy.typing import NDArray

from recsys_embed.optimizers import FTRL, SGD, Adagrad, Adam, Optimizer, RowwiseAdagrad

Floats = NDArray[np.float64]


def fresh_state(optimizer: Optimizer, dim: int) -> Floats:
    """Gives the optimizer floats of a row that never took a step."""
    match optimizer:
        case SGD():
            return np.zeros(0)
        case Adagrad():
            return np.full(dim, optimizer.initial_accumulator)
        case RowwiseAdagrad():
            return np.full(1, optimizer.initial_accumulator)
        case Adam():
            return np.zeros(1 + 2 * dim)
        case FTRL():
            return np.zeros(2 * dim)


def stepped(
    optimizer: Optimizer, weights: Floats, state: Floats, gradient: Floats, lr: float
) -> tuple[Floats, Floats]:
    """Gives weights and state after one step along the summed gradient of one row."""
    g = gradient + optimizer.weight_decay * weights
    match optimizer:
        case SGD():
            return weights - lr * g, state
        case Adagrad():
            n = state + g**2
            return weights - lr * g / (np.sqrt(n) + optimizer.eps), n
        case RowwiseAdagrad():
            n = state + np.mean(g**2)
            return weights - lr * g / (np.sqrt(n) + optimizer.eps), n
        case Adam():
            return _adam(optimizer, weights, state, g, lr)
        case FTRL():
            return _ftrl(optimizer, weights, state, g, lr)


def _adam(o: Adam, w: Floats, state: Floats, g: Floats, lr: float) -> tuple[Floats, Floats]:
    t = state[0] + 1
    m, v = np.split(state[1:], 2)
    m = o.beta1 * m + (1 - o.beta1) * g
    v = o.beta2 * v + (1 - o.beta2) * g**2
    m_hat = m / (1 - o.beta1**t)
    v_hat = v / (1 - o.beta2**t)
    w = w - lr * m_hat / (np.sqrt(v_hat) + o.eps)
    return w, np.concatenate([[t], m, v])


def _ftrl(o: FTRL, w: Floats, state: Floats, g: Floats, lr: float) -> tuple[Floats, Floats]:
    z, n = np.split(state, 2)
    n_new = n + g**2
    z = z + g - (np.sqrt(n_new) - np.sqrt(n)) / lr * w
    leader = -(z - np.sign(z) * o.l1) / ((o.beta + np.sqrt(n_new)) / lr + o.l2)
    return np.where(np.abs(z) <= o.l1, 0.0, leader), np.concatenate([z, n_new])
