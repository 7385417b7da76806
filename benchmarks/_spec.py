"""What is measured: the variants of the seed job, their data, and the message that names both."""

from __future__ import annotations

from dataclasses import asdict, dataclass

REGIONS = ("africa", "america", "antarctica", "asia", "australia", "europe", "oceania")
"""The second, low-cardinality key, in sorted order."""

ROW_GROUP_ROWS = 1 << 20


@dataclass(frozen=True)
class Variant:
    """One shape of the seed job."""

    name: str
    title: str
    keys: tuple[str, ...] = ("category",)
    aggregates: tuple[str, ...] = ("sum",)
    above: float | None = None
    """Keep only rows whose value is above this."""

    @property
    def columns(self) -> list[str]:
        """The columns an engine has to read."""
        return [*self.keys, "value"]

    @property
    def outputs(self) -> list[str]:
        """The names of the aggregated columns in the answer."""
        return ["value"] if self.aggregates == ("sum",) else list(self.aggregates)


VARIANTS = {
    variant.name: variant
    for variant in (
        Variant("seed", "The seed job: sum of value by category"),
        Variant("filtered", "Filtered: rows with value > 0.5", above=0.5),
        Variant("two_keys", "Two keys: category and region", keys=("category", "region")),
        Variant(
            "five_aggregates",
            "Five aggregates: sum, mean, min, max, count",
            aggregates=("sum", "mean", "min", "max", "count"),
        ),
    )
}


@dataclass(frozen=True)
class Dataset:
    """One generated table. Equal descriptions give equal bytes."""

    rows: int
    keys: int
    key_bytes: int = 12
    files: int = 4

    def __post_init__(self) -> None:
        if self.rows < 1 or self.keys < 1 or self.files < 1:
            raise ValueError(f"rows, keys and files must be positive: {self}")
        if self.key_digits < len(str(self.keys - 1)):
            raise ValueError(f"{self.key_bytes} bytes are too few for {self.keys} distinct keys")

    @property
    def key_digits(self) -> int:
        """A key is `id` and its number, padded with zeros to `key_bytes` bytes."""
        return self.key_bytes - 2

    @property
    def name(self) -> str:
        return f"v1-rows{self.rows}-keys{self.keys}-bytes{self.key_bytes}-files{self.files}"

    def file_rows(self) -> list[int]:
        """Rows of each file; they differ by one at most."""
        each, left = divmod(self.rows, self.files)
        return [each + (number < left) for number in range(self.files)]


@dataclass(frozen=True)
class Spec:
    """What an engine is asked to run. Travels to the engine's process as JSON."""

    directory: str
    variant_name: str
    threads: int
    calls: int = 1
    """How often one request repeats the job, where a single call is too short to time."""

    @property
    def variant(self) -> Variant:
        return VARIANTS[self.variant_name]

    def to_json(self) -> dict[str, object]:
        return asdict(self)
