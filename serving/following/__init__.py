"""A follower: a snapshot and the log behind it, applied while lookups are answered."""

from serving.following.follower import Follower
from serving.following.standing import Standing

__all__ = ["Follower", "Standing"]
