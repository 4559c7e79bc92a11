"""Filters as their definition says, item by item."""

BOUNDS = {
    "gt": lambda value, bound: value > bound,
    "gte": lambda value, bound: value >= bound,
    "lt": lambda value, bound: value < bound,
    "lte": lambda value, bound: value <= bound,
}


def matches(json, item):
    """Tells whether an item, a dict of its attributes, satisfies a filter."""
    if "and" in json:
        return all(matches(part, item) for part in json["and"])
    if "or" in json:
        return any(matches(part, item) for part in json["or"])
    if "not" in json:
        return not matches(json["not"], item)
    value = item.get(json["field"])
    return all(holds(op, value, asked) for op, asked in json.items() if op != "field")


def holds(operator, value, asked):
    """Tells whether one operator of a condition holds for a value, None if there is none."""
    if operator == "exists":
        return (value is not None) == asked
    if value is None:
        return False
    if operator in BOUNDS:
        return BOUNDS[operator](value, asked)
    wanted = [asked] if operator == "eq" else asked
    return any(tag in wanted for tag in (value if isinstance(value, tuple) else [value]))
