"""Regular expressions that the user's function gives: checked by Python's own `re`, handed on as text and flags."""

from __future__ import annotations

import re
from typing import Any

from rlm_hypervisor._text import clipped
from rlm_hypervisor.partition.refusal import refuse, whole_number

UNSET: Any = type("Unset", (), {"__repr__": lambda _: "<no default>"})()
"""The default of arguments for which None means something."""


def compiled(call: str, pat: Any, flags: Any, case: bool = True) -> tuple[str, int]:
    """The pattern's text and its flags, without UNICODE, which always holds."""
    bits = whole_number(call, "flags", flags)
    if isinstance(pat, re.Pattern):
        if bits or not case:
            refuse(
                f"`{call}` with a compiled pattern takes neither `case` nor `flags`",
                "Say it in the pattern: `re.compile('...', re.IGNORECASE)`",
                call=call,
            )
        bits, pat = pat.flags, pat.pattern
    if not isinstance(pat, str):
        refuse(
            f"`{call}` takes text or a compiled pattern, not `{clipped(pat)}`",
            "Give a string, or `re.compile('...')`",
            call=call,
        )
    if not case:
        bits |= re.IGNORECASE
    try:
        re.compile(pat, bits)
    except re.error as error:
        refuse(
            f"`{call}` is given `{clipped(pat)}`, which is no pattern of Python's `re`: {error}",
            "Mend the pattern, or search for plain text: `regex=False`",
            call=call,
        )
    return pat, int(bits & ~re.UNICODE)
