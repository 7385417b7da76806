"""Dead letters: items that failed for good and were put aside, to be looked at, run again or thrown away."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, overload

from rlm_hypervisor.errors import InvalidTaskError, RLMError

if TYPE_CHECKING:
    from rlm_hypervisor.submitting import Submitting

__all__ = ["DeadLetter", "DeadLetters"]


@dataclass(frozen=True)
class DeadLetter:
    """One item that was put aside.

    Attributes:
        id: names it among all.
        run: the run that it belonged to.
        operation: what the operation is called.
        item: its number in the run.
        error: what it failed with at last; `details["traceback"]` has the traceback of user code.
        attempts: how often it was tried.
        began: when it was first tried.
        failed: when it failed at last.
    """

    id: str
    run: str
    operation: str
    item: int
    error: RLMError
    attempts: int
    began: datetime
    failed: datetime
    _facts: dict[str, Any] = field(repr=False, compare=False)
    _client: Submitting = field(repr=False, compare=False)

    @property
    def input(self) -> Any:
        """What the operation was called on: the item, the batch, the value, or the rows as a pandas DataFrame."""
        _, payload = self._client._engine.dead_letter(self.id)
        return self._value(payload)

    def _value(self, payload: list[bytes]) -> Any:
        kind = self._facts["kind"]
        if kind == "items":
            return pickle.loads(payload[0])[self._facts["index"]]
        if kind == "rows":
            from rlm_hypervisor.worker.rows import concrete, plain

            return plain(concrete(payload[0], self._facts["more"]))
        return pickle.loads(payload[0])

    def replay(self, operation: Callable[..., Any] | None = None, **options: Any) -> Any:
        """Runs it again, and returns the result. See `DeadLetters.replay`.

        Raises:
            RLMError: it failed again, and stays.
        """
        (found,) = DeadLetters([self], self._client).replay(operation, **options)
        if isinstance(found, RLMError):
            raise found
        return found

    def discard(self) -> bool:
        """Throws it away; returns whether it was still there."""
        return DeadLetters([self], self._client).discard() > 0


class DeadLetters(Sequence[DeadLetter]):
    """What `client.dead_letters()` returns: a sequence of `DeadLetter`, and what can be done with all of them.

    A slice of it, and what `where` keeps, is one as well.
    """

    def __init__(self, letters: list[DeadLetter], client: Submitting) -> None:
        self._letters = letters
        self._client = client

    @classmethod
    def _of(cls, client: Submitting) -> DeadLetters:
        found = []
        for facts in client._engine.dead_letters():
            known = {name: facts[name] for name in ("id", "run", "operation", "item", "error", "attempts")}
            began, failed = (datetime.fromtimestamp(facts[name]).astimezone() for name in ("began", "failed"))
            found.append(DeadLetter(**known, began=began, failed=failed, _facts=facts, _client=client))
        return cls(found, client)

    def where(self, keep: Callable[[DeadLetter], bool]) -> DeadLetters:
        """Those for which a function says True."""
        return DeadLetters([letter for letter in self._letters if keep(letter)], self._client)

    def replay(self, operation: Callable[..., Any] | None = None, **options: Any) -> list[Any]:
        """Runs all of them again, each as it ran, and returns what came of each, in their order.

        Those that succeed are removed; of one that fails again the error is in its place, and it stays. One that was
        run again when the process died may be run twice.

        Args:
            operation: what is called instead of the task's own operation, of which the code that failed is kept
                (where it could be imported by name, it is imported anew). Not for `parallel_inference`.
            **options: options of a task: `retries`, `timeoutMs`, `parallelism`, ...
        """
        results: dict[str, Any] = {}
        for letters in _groups(self._letters):
            results.update(_run(self._client, letters, operation, options))
        gone = [id for id, found in results.items() if not isinstance(found, RLMError)]
        self._client._engine.discard(gone)
        return [results[letter.id] for letter in self._letters]

    def discard(self) -> int:
        """Throws all of them away; returns how many were still there."""
        return self._client._engine.discard([letter.id for letter in self._letters])

    @overload
    def __getitem__(self, place: int) -> DeadLetter: ...
    @overload
    def __getitem__(self, place: slice) -> DeadLetters: ...
    def __getitem__(self, place: int | slice) -> DeadLetter | DeadLetters:
        if isinstance(place, slice):
            return DeadLetters(self._letters[place], self._client)
        return self._letters[place]

    def __len__(self) -> int:
        return len(self._letters)

    def __iter__(self) -> Iterator[DeadLetter]:
        return iter(self._letters)

    def _rows(self) -> list[tuple[str, ...]]:
        return [
            (
                letter.id,
                letter.operation,
                str(letter.item),
                letter.error.code,
                str(letter.attempts),
                f"{letter.failed:%Y-%m-%d %H:%M:%S}",
                letter.error.message[:60],
            )
            for letter in self._letters
        ]

    def __repr__(self) -> str:
        table = [_HEAD, *self._rows()]
        widths = [max(len(row[column]) for row in table) for column in range(len(_HEAD))]
        lines = (
            "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) for row in table
        )
        return "\n".join([f"{len(self)} dead letters", *(line.rstrip() for line in lines)])

    def _repr_html_(self) -> str:
        from html import escape

        rows = ("".join(f"<td>{escape(text)}</td>" for text in row) for row in self._rows())
        head = "".join(f"<th>{text}</th>" for text in _HEAD)
        body = "".join(f"<tr>{row}</tr>" for row in rows)
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


_HEAD = ("id", "operation", "item", "code", "attempts", "failed", "error")


def _groups(letters: list[DeadLetter]) -> list[list[DeadLetter]]:
    """Those of one run together: they have one function."""
    found: dict[str, list[DeadLetter]] = {}
    for letter in letters:
        found.setdefault(letter.id.rpartition(".")[0], []).append(letter)
    return list(found.values())


class _Parcels:
    """The feed of letters: each as it lay in its run."""

    def __init__(self, client: Submitting, letters: list[DeadLetter]) -> None:
        self._client = client
        self._letters = letters
        self._at = 0

    def next(self, most: int, prints: bool, done: bool) -> Any:
        """The next letter; None when there are no more."""
        if self._at == len(self._letters):
            return None
        letter = self._letters[self._at]
        self._at += 1
        _, payload = self._client._engine.dead_letter(letter.id)
        facts = letter._facts
        if facts["kind"] == "items":
            return 1, pickle.dumps([letter._value(payload)], protocol=5), None, 1, None
        if facts["kind"] == "rows":
            return 1, payload[0], None, facts["more"]["rows"], facts["more"]
        return 1, payload[0], None, 1, None

    def left(self) -> int:
        """How many are left."""
        return len(self._letters) - self._at


def _run(
    client: Submitting,
    letters: list[DeadLetter],
    operation: Callable[..., Any] | None,
    options: dict[str, Any],
) -> dict[str, Any]:
    """What becomes of the letters of one run, by id."""
    from rlm_hypervisor import _core
    from rlm_hypervisor.calling import Calls, asked_of

    if "onError" in options or "idempotencyKey" in options:
        raise InvalidTaskError(
            "`onError` and `idempotencyKey` are not for letters that are run again: each has its result or its error",
            details={"path": "options.onError" if "onError" in options else "options.idempotencyKey"},
        )
    facts = letters[0]._facts
    function = (
        client._engine.dead_letter(letters[0].id)[0] if operation is None else _made(facts["made"], operation)
    )
    document = {
        "type": "parallel",
        "operation": {"$callable": {"name": letters[0].operation, "id": 0}},
        "input": {"items": [0]},
        "options": {"secrets": facts["secrets"], **options, "onError": "collect"},
    }
    spec = _core.parse_task(document, [])
    asked = asked_of(spec, letters[0].operation, spec["options"]["timeoutMs"])
    asked.update(kind=facts["kind"], most=1)
    rows = facts["kind"] == "rows"
    calls = Calls(letters[0].operation, function, _Parcels(client, letters), asked, "list collect")
    run = client._run(spec, calls)
    if not rows:
        return dict(zip((letter.id for letter in letters), run.result(), strict=True))
    from rlm_hypervisor.rows import parts

    run.wait()
    segments, failures = run._core.values()
    found: dict[str, Any] = {letters[item].id: error for item, error in failures}
    for item, result in parts(segments, aligned=facts["made"] == "aligned rows").items():
        found[letters[item].id] = result
    return found


def _made(made: str, operation: Callable[..., Any]) -> bytes:
    """What stands for another operation, as the task's own was made into."""
    from rlm_hypervisor.packing import pack
    from rlm_hypervisor.worker import programs
    from rlm_hypervisor.worker.rows import OverRows

    if made in ("aligned rows", "rows"):
        return pack(OverRows(operation, made == "aligned rows"))
    if made == "value":
        return pack(programs.Handler(operation))
    if made in ("items", "batch"):
        return pack(operation)
    raise InvalidTaskError(
        "another `operation` cannot take the place of one with a `setup`. Replay with the task's own, or submit the "
        "inputs (`letter.input`) as a task",
        details={"made": made},
    )
