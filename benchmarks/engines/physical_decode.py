"""A physical limit: our own reader decoding the needed columns into Arrow, and dropping them."""

from __future__ import annotations

from typing import Any, ClassVar

import rlm_hypervisor
from _spec import Spec

from engines._base import Engine, Unavailable

try:
    from rlm_hypervisor._bench import decode_seconds
except ImportError as error:
    raise Unavailable(f"this build cannot measure its reader: {error}") from error


class Decode(Engine):
    answers: ClassVar[bool] = False

    def versions(self) -> dict[str, str]:
        return {"rlm-hypervisor": rlm_hypervisor.__version__}

    def execute(self, spec: Spec) -> float:
        return float(decode_seconds(spec.directory, spec.variant.columns, self.threads))

    def run(self, spec: Spec) -> tuple[float, Any]:
        """The reader takes its own time, without the call into it."""
        return self.execute(spec), None


ENGINE: type[Engine] = Decode
