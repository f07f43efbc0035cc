"""What a run did, in numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas

__all__ = ["Statistics"]


class Statistics(dict[str, Any]):
    """What a run did, or has done so far: the object that `--stats` of the examples writes.

    `nodes` and `links` have a dict for each, by name; `latency_ms` one for each sink; `gpu` what the GPU did and holds;
    `seconds` how long the run has taken.
    """

    def __init__(self, values: dict[str, Any], earlier: list[dict[str, Any]]) -> None:
        super().__init__(values)
        self._earlier = earlier

    def to_pandas(self) -> pandas.DataFrame:
        """Give a table with a row for each node and link, for each time that `stats()` was asked during the run.

        `seconds` says when, `kind` is `node` or `link`, `name` is its name; the other columns are its numbers. Needs pandas.
        """
        import pandas

        rows: list[dict[str, Any]] = []
        for sample in [*self._earlier, self]:
            for kind in ("node", "link"):
                for name, numbers in sample[f"{kind}s"].items():
                    rows.append({"seconds": sample["seconds"], "kind": kind, "name": name, **_flat(numbers)})
        return pandas.DataFrame(rows)


def _flat(numbers: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Name what lies deeper by its way: `process_us.p50`."""
    flat: dict[str, Any] = {}
    for name, value in numbers.items():
        flat.update(_flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value})
    return flat
