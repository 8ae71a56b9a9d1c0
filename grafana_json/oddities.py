"""Numbers that JSON has no words for: NaN and infinities, told by their rows as Grafana's data frames do."""

import numpy as np

from sisock.frames import Column


def oddities(column: Column) -> dict[str, list[int]]:
    """The rows of NaN, Inf and NegInf, as far as there are any; what is missing is none of these."""
    values = column.values
    if values.dtype.kind != "f":
        return {}
    there = np.ones(len(values), bool) if column.missing is None else ~column.missing
    odd = (("NaN", np.isnan(values)), ("Inf", values == np.inf), ("NegInf", values == -np.inf))
    found = {name: np.flatnonzero(where & there).tolist() for name, where in odd}
    return {name: rows for name, rows in found.items() if rows}
