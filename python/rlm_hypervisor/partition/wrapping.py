"""Texts of some width: `p["s"].str.pad(8)`, `.str.wrap(40)`; and flags for their parts: `.str.get_dummies("|")`."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

from rlm_hypervisor.partition.refusal import boolean, only, refuse, whole_number
from rlm_hypervisor.partition.text_arguments import filler, text

if TYPE_CHECKING:
    from rlm_hypervisor.partition.column import Column
    from rlm_hypervisor.partition.dummies import Dummies


class Wrapping:
    """The part of the text methods that makes texts longer, and breaks them into lines and into parts."""

    __slots__ = ()

    if TYPE_CHECKING:

        def _call(self, op: str, *args: object) -> Any: ...

    def wrap(
        self,
        width: int,
        expand_tabs: bool = True,
        tabsize: int = 8,
        replace_whitespace: bool = True,
        drop_whitespace: bool = True,
        initial_indent: str = "",
        subsequent_indent: str = "",
        fix_sentence_endings: bool = False,
        break_long_words: bool = True,
        break_on_hyphens: bool = True,
        max_lines: int | None = None,
        placeholder: str = " [...]",
    ) -> Column:
        """Lines of at most `width` characters, put together by line feeds, as Python's `textwrap.wrap` makes them."""
        call = "Series.str.wrap"
        flags = {
            "expand_tabs": expand_tabs,
            "replace_whitespace": replace_whitespace,
            "drop_whitespace": drop_whitespace,
            "fix_sentence_endings": fix_sentence_endings,
            "break_long_words": break_long_words,
            "break_on_hyphens": break_on_hyphens,
        }
        spread, replaced, dropped, fixed, broken, hyphens = (boolean(call, *flag) for flag in flags.items())
        return self._call(  # type: ignore[no-any-return]
            "str_wrap",
            whole_number(call, "width", width),
            spread,
            whole_number(call, "tabsize", tabsize),
            replaced,
            dropped,
            text(call, "initial_indent", initial_indent),
            text(call, "subsequent_indent", subsequent_indent),
            fixed,
            broken,
            hyphens,
            None if max_lines is None else whole_number(call, "max_lines", max_lines),
            text(call, "placeholder", placeholder),
            # What this Python does where a line is full before a word that is too long.
            textwrap.fill("abc defghi", 4).startswith("abc \n"),
        )

    def get_dummies(self, sep: str = "|", dtype: Any = None) -> Dummies:
        """A column of flags for each of the texts between separators, in their order; the last step of an operation.

        An empty text is one too, as in pandas where its strings are Arrow's.
        """
        from rlm_hypervisor.partition.dummies import of_lists

        call = "Series.str.get_dummies"
        separator = text(call, "sep", sep)
        if not separator:
            refuse(f"`{call}` needs a separator of some characters", "Name one: `sep='|'`", call=call)
        return of_lists(self._call("str_split", separator, None, False, 0, False), dtype, call)

    def pad(self, width: int, side: str = "left", fillchar: str = " ") -> Column:
        """At least `width` characters long, filled on the `side` "left", "right" or "both"."""
        return self._pad("pad", width, side, fillchar)

    def center(self, width: int, fillchar: str = " ") -> Column:
        """At least `width` characters long, filled on both sides."""
        return self._pad("center", width, "both", fillchar)

    def ljust(self, width: int, fillchar: str = " ") -> Column:
        """At least `width` characters long, filled on the right."""
        return self._pad("ljust", width, "right", fillchar)

    def rjust(self, width: int, fillchar: str = " ") -> Column:
        """At least `width` characters long, filled on the left."""
        return self._pad("rjust", width, "left", fillchar)

    def _pad(self, name: str, width: object, side: str, fillchar: object) -> Column:
        call = f"Series.str.{name}"
        only(call, side=(side, "left", "right", "both"))
        return self._call(  # type: ignore[no-any-return]
            "str_pad", whole_number(call, "width", width), side, filler(call, fillchar)
        )

    def zfill(self, width: int) -> Column:
        """Zeros on the left, behind a sign, up to `width` characters."""
        return self._call("str_zfill", whole_number("Series.str.zfill", "width", width))  # type: ignore[no-any-return]

    def repeat(self, repeats: Any) -> Column:
        """The text `repeats` times, a whole number."""
        times = whole_number("Series.str.repeat", "repeats", repeats)
        if times < 0:
            refuse("`Series.str.repeat` with a negative number is an error in pandas too", "Give 0 or more")
        return self._call("str_repeat", times)  # type: ignore[no-any-return]
