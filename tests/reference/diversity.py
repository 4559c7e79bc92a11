"""Diversity as its definition says, pair by pair."""


def mmr(scores, vectors, k, balance):
    """Chooses, k times, the item with the highest margin, comparing it with all chosen ones."""
    chosen = []

    def margin(item):
        near = max((inner(vectors[item], vectors[other]) for other in chosen), default=0)
        return balance * scores[item] - (1 - balance) * near

    while len(chosen) < min(k, len(scores)):
        rest = [item for item in range(len(scores)) if item not in chosen]
        chosen.append(max(rest, key=lambda item: (margin(item), -item)))
    return chosen


def inner(one, other):
    """Multiplies two vectors."""
    return sum(float(a) * float(b) for a, b in zip(one, other, strict=True))


def capped(rows, caps, k):
    """Keeps an item if, with it, no value is shared by more kept items than its cap allows."""
    kept = []
    for place in range(len(rows)):
        if len(kept) < k and is_within([rows[i] for i in [*kept, place]], caps):
            kept.append(place)
    return kept


def is_within(rows, caps):
    """Tells whether no value of a capped attribute stands in more rows than its cap allows."""
    for name, most in caps.items():
        listed = [values_of(row, name) for row in rows]
        for value in {value for values in listed for value in values}:
            if sum(value in values for values in listed) > most:
                return False
    return True


def values_of(row, name):
    """Gives the set of values that an item has of an attribute."""
    value = (row or {}).get(name)
    return set() if value is None else set(value) if isinstance(value, tuple) else {value}
