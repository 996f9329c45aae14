"""What was told lately, by name: the newest entries stay, the oldest are forgotten."""

from collections import OrderedDict
from typing import Self, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Remembered(OrderedDict[K, V]):
    """A mapping that keeps its newest entries.

    A plain dict looks for its first entry past all those deleted before it, thousands
    of them in a steady stream; here the oldest is at hand.

    Args:
        most: how many entries are kept.
    """

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most

    def remember(self, name: K, value: V) -> None:
        """Note an entry; one with the same name keeps its age."""
        self[name] = value
        if len(self) > self.most:
            self.popitem(last=False)

    def copy(self) -> Self:
        """Return another that remembers the same."""
        other = type(self)(self.most)
        other.update(self)
        return other
