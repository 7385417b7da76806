"""Batches with inputs of several runs: one call of the operation, and for each input what became of it."""

from __future__ import annotations

import pickle
from typing import Any

from rlm_hypervisor.worker.codec import dump
from rlm_hypervisor.worker.programs import Encoding, Inference, Prepared


class Joined(Encoding, Prepared):
    """A model's operation on inputs that were pickled each for itself, by whoever gave them."""

    def __init__(self, model: Inference) -> None:
        self._model = model
        self.__name__ = model.__name__

    def made_of(self) -> tuple[Any, ...]:
        """What it was made of."""
        return (self._model,)

    def prepare(self) -> None:
        """Makes the model, unless it is there."""
        self._model.prepare()

    def __call__(self, blobs: list[Any]) -> tuple[BaseException | None, list[Any]]:
        """What the operation raised, if it did, and for each input its result, or its exception.

        A setup that fails is raised: it is not the inputs' fault.
        """
        self._model.prepare()
        outcomes: list[Any] = [None] * len(blobs)
        batch, places = [], []
        for place, blob in enumerate(blobs):
            try:
                batch.append(pickle.loads(blob))
                places.append(place)
            except BaseException as error:
                outcomes[place] = error
        try:
            results = self._model(batch) if batch else []
        except BaseException as error:
            return error, []
        for place, result in zip(places, results, strict=True):
            outcomes[place] = result
        return None, outcomes

    def encode(self, places: list[int], results: list[Any]) -> tuple[list[Any], dict[str, Any]]:
        """The blobs of the results, behind them those of the exceptions; `src/runtime/calls/joined.rs` reads what is said."""
        from rlm_hypervisor.worker.calls import failure_of

        ((error, outcomes),) = results
        pickles: list[bytes] = []
        if error is not None:
            return pickles, {"whole": failure_of(0, error, pickles)}
        blobs, failed = [], []
        for place, outcome in enumerate(outcomes):
            if isinstance(outcome, BaseException):
                failed.append(failure_of(place, outcome, pickles))
                continue
            try:
                blobs.append(dump(outcome))
            except BaseException as error:
                text = f"the result, a {type(outcome).__name__}, cannot be sent back: {error}"
                failed.append(failure_of(place, TypeError(text), pickles, retryable=False))
        for failure in failed:
            if failure["blob"] is not None:
                failure["blob"] += len(blobs)
        return [*blobs, *pickles], {"failed": failed}
