"""`p["x"].str`: the methods of pandas' StringMethods on a column of text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NoReturn

from rlm_hypervisor._text import clipped
from rlm_hypervisor.errors import SchemaMismatchError
from rlm_hypervisor.partition.matches import Matches
from rlm_hypervisor.partition.nested import ListStrings
from rlm_hypervisor.partition.operators import Operators, apply
from rlm_hypervisor.partition.patterns import UNSET, compiled
from rlm_hypervisor.partition.refusal import boolean, only, refuse, whole_number
from rlm_hypervisor.partition.split import Split
from rlm_hypervisor.partition.surface import unknown_attribute
from rlm_hypervisor.partition.text_arguments import answer_for_missing, frame_of, place, text
from rlm_hypervisor.partition.wrapping import Wrapping

if TYPE_CHECKING:
    from rlm_hypervisor.partition.column import Column


class StringMethods(Wrapping, Matches):
    """What `column.str` offers: pandas' text methods that are native; any other is refused by name.

    Positions count characters (code points). A missing text stays missing; questions answer False for it.
    """

    __slots__ = ("_column",)
    __hash__ = None  # type: ignore[assignment]
    _is_symbolic = True

    def __init__(self, column: Column) -> None:
        self._column = column

    def _call(self, op: str, *args: object) -> Any:
        return apply(op, self._column, *args, call=f"`str.{op.removeprefix('str_')}`")

    # Case.
    def lower(self) -> Column:
        """In lower case, character by character."""
        return self._call("str_lower")  # type: ignore[no-any-return]

    def upper(self) -> Column:
        """In upper case, character by character."""
        return self._call("str_upper")  # type: ignore[no-any-return]

    def title(self) -> Column:
        """Every word with a capital."""
        return self._call("str_title")  # type: ignore[no-any-return]

    def capitalize(self) -> Column:
        """The first character in upper case, all others in lower case."""
        return self._call("str_capitalize")  # type: ignore[no-any-return]

    def swapcase(self) -> Column:
        """Upper case for lower case and the other way round."""
        return self._call("str_swapcase")  # type: ignore[no-any-return]

    def casefold(self) -> Column:
        """In the form that comparisons without case use."""
        return self._call("str_casefold")  # type: ignore[no-any-return]

    # The ends.
    def strip(self, to_strip: object = None) -> Column:
        """Without white space, or the characters of `to_strip`, at both ends."""
        return self._strip("strip", to_strip)

    def lstrip(self, to_strip: object = None) -> Column:
        """Without white space, or the characters of `to_strip`, at the beginning."""
        return self._strip("lstrip", to_strip)

    def rstrip(self, to_strip: object = None) -> Column:
        """Without white space, or the characters of `to_strip`, at the end."""
        return self._strip("rstrip", to_strip)

    def _strip(self, name: str, to_strip: object) -> Column:
        characters = None if to_strip is None else text(f"Series.str.{name}", "to_strip", to_strip)
        return self._call(f"str_{name}", characters)  # type: ignore[no-any-return]

    def removeprefix(self, prefix: str) -> Column:
        """Without `prefix` where the text begins with it."""
        return self._call(  # type: ignore[no-any-return]
            "str_removeprefix", text("Series.str.removeprefix", "prefix", prefix)
        )

    def removesuffix(self, suffix: str) -> Column:
        """Without `suffix` where the text ends with it."""
        return self._call(  # type: ignore[no-any-return]
            "str_removesuffix", text("Series.str.removesuffix", "suffix", suffix)
        )

    def startswith(self, pat: Any, na: object = UNSET) -> Column:
        """True where the text begins with `pat`, or one of a tuple of texts; `na` where it is missing."""
        return self._affix("startswith", pat, na)

    def endswith(self, pat: Any, na: object = UNSET) -> Column:
        """True where the text ends with `pat`, or one of a tuple of texts; `na` where it is missing."""
        return self._affix("endswith", pat, na)

    def _affix(self, name: str, pat: Any, na: object) -> Column:
        from rlm_hypervisor import _core
        from rlm_hypervisor.partition.operators import wrap

        call = f"Series.str.{name}"
        wanted = [text(call, "pat", item) for item in (pat if isinstance(pat, tuple) else (pat,))]
        missing = answer_for_missing(call, na)
        return wrap(  # type: ignore[return-value]
            _core.Frame.call(f"str_{name}", [self._column._frame, wanted, missing])
        )

    # Matching.
    def contains(
        self, pat: Any, case: bool = True, flags: int = 0, na: object = UNSET, regex: bool = True
    ) -> Column:
        """True where the pattern `pat` (with `regex=False` the text) is found; `na` where text is missing."""
        call = "Series.str.contains"
        missing = answer_for_missing(call, na)
        case = boolean(call, "case", case)
        if boolean(call, "regex", regex):
            pattern, bits = compiled(call, pat, flags, case)
            return self._call("str_contains", pattern, bits, missing)  # type: ignore[no-any-return]
        wanted = text(call, "pat", pat)
        only(call, flags=(flags, 0))
        if case:
            return self._call("str_contains_text", wanted, missing)  # type: ignore[no-any-return]
        return self._call("str_contains", re.escape(wanted), int(re.IGNORECASE), missing)  # type: ignore[no-any-return]

    def match(self, pat: Any, case: Any = UNSET, flags: Any = UNSET, na: object = UNSET) -> Column:
        """True where the text begins with a match of the pattern `pat`; `na` where it is missing."""
        return self._match("match", pat, case, flags, na)

    def fullmatch(self, pat: Any, case: bool = True, flags: int = 0, na: object = UNSET) -> Column:
        """True where the whole text matches the pattern `pat`; `na` where it is missing."""
        return self._match("fullmatch", pat, case, flags, na)

    def _match(self, name: str, pat: Any, case: Any, flags: Any, na: object) -> Column:
        call = f"Series.str.{name}"
        flags = 0 if flags is UNSET else flags
        if name == "match" and case is True and whole_number(call, "flags", flags) & re.IGNORECASE:
            refuse(
                f"`{call}` with `case=True` and the flag IGNORECASE is an error in pandas too",
                "Leave `case` or the flag out",
                call=call,
            )
        pattern, bits = compiled(call, pat, flags, case is UNSET or boolean(call, "case", case))
        return self._call(f"str_{name}", pattern, bits, answer_for_missing(call, na))  # type: ignore[no-any-return]

    def count(self, pat: Any, flags: int = 0) -> Column:
        """How often the pattern `pat` is found."""
        pattern, bits = compiled("Series.str.count", pat, flags)
        return self._call("str_count", pattern, bits)  # type: ignore[no-any-return]

    def replace(
        self,
        pat: Any,
        repl: Any = None,
        n: int = -1,
        case: bool | None = None,
        flags: int = 0,
        regex: bool = False,
    ) -> Column:
        r"""With `repl` for `pat`, at most `n` times; with a dict for `pat`, one after the other.

        With `regex` the pattern's groups are `\1` or `\g<name>` in `repl`. A function for `repl` is refused.
        """
        call = "Series.str.replace"
        regex = boolean(call, "regex", regex)
        most = whole_number(call, "n", n)
        if most == 0:
            refuse(f"`{call}` with `n=0` means all or none, by the way pandas takes", "Leave `n` out")
        if isinstance(pat, dict):
            if repl is not None:
                refuse(f"`{call}` with a dict for `pat` takes no `repl`, in pandas too", "Leave `repl` out")
            column = self._column
            for old, new in pat.items():
                column = column.str.replace(old, new, n, case, flags, regex)
            return column
        if callable(repl):
            refuse(
                f"`{call}` with a function for `repl` runs Python for every match", r"Refer to groups: `\1`"
            )
        new = text(call, "repl", repl)
        ignoring = case is not None and not boolean(call, "case", case)
        if not regex and not ignoring and not flags:
            return self._call("str_replace", text(call, "pat", pat), new, most)  # type: ignore[no-any-return]
        wanted = pat if regex else re.escape(text(call, "pat", pat))
        pattern, bits = compiled(call, wanted, flags, not ignoring)
        return self._call("str_replace_pattern", pattern, bits, new, most)  # type: ignore[no-any-return]

    def extract(self, pat: Any, flags: int = 0, expand: bool = True) -> Any:
        """The groups of the first match as columns; a column for one group with `expand=False`."""
        call = "Series.str.extract"
        pattern, bits = compiled(call, pat, flags)
        groups = re.compile(pattern, bits).groups
        names = {number: name for name, number in re.compile(pattern, bits).groupindex.items()}
        if not groups:
            refuse(f"`{call}` needs a pattern with groups", "Put what you want in parentheses")
        columns = {
            names.get(number + 1, number): self._call("str_extract", pattern, bits, number + 1)
            for number in range(groups)
        }
        if groups == 1 and not boolean(call, "expand", expand):
            ((label, column),) = columns.items()
            return column.rename(label) if names else column
        return frame_of(columns)

    # Positions.
    def len(self) -> Column:
        """How many characters."""
        return self._call("str_len")  # type: ignore[no-any-return]

    def find(self, sub: str, start: int = 0, end: int | None = None) -> Column:
        """Where `sub` is found first from `start` to `end`; -1 where it is not."""
        return self._find("find", sub, start, end)

    def rfind(self, sub: str, start: int = 0, end: int | None = None) -> Column:
        """Where `sub` is found last from `start` to `end`; -1 where it is not."""
        return self._find("rfind", sub, start, end)

    def index(self, sub: str, start: int = 0, end: int | None = None) -> Column:
        """Where `sub` is found first; a text without it fails the task."""
        return self._find("index", sub, start, end)

    def rindex(self, sub: str, start: int = 0, end: int | None = None) -> Column:
        """Where `sub` is found last; a text without it fails the task."""
        return self._find("rindex", sub, start, end)

    def _find(self, name: str, sub: object, start: object, end: object) -> Column:
        call = f"Series.str.{name}"
        return self._call(  # type: ignore[no-any-return]
            f"str_{name}", text(call, "sub", sub), place(call, "start", start), place(call, "end", end)
        )

    def get(self, i: int) -> Column:
        """The character at position `i`, negative from the end; missing where there is none."""
        return self._call("str_get", whole_number("Series.str.get", "i", i))  # type: ignore[no-any-return]

    def slice(self, start: int | None = None, stop: int | None = None, step: int | None = None) -> Column:
        """The characters from `start` to `stop` in steps of `step`, as Python slices."""
        call = "Series.str.slice"
        if step == 0:
            refuse(
                f"`{call}` with a step of 0 is an error in pandas too",
                "Give a step that is not 0, or leave it out",
                call=call,
            )
        bounds = (place(call, "start", start), place(call, "stop", stop), place(call, "step", step))
        return self._call("str_slice", *bounds)  # type: ignore[no-any-return]

    def slice_replace(
        self, start: int | None = None, stop: int | None = None, repl: str | None = None
    ) -> Column:
        """With `repl` for the characters from `start` to `stop`."""
        call = "Series.str.slice_replace"
        new = "" if repl is None else text(call, "repl", repl)
        bounds = (place(call, "start", start), place(call, "stop", stop))
        return self._call("str_slice_replace", *bounds, new)  # type: ignore[no-any-return]

    def __getitem__(self, key: Any) -> Column:
        if type(key).__name__ == "slice":
            return self.slice(key.start, key.stop, key.step)
        return self.get(key)

    # Pieces.
    def split(self, pat: Any = None, *, n: Any = -1, expand: bool = False, regex: bool | None = None) -> Any:
        """Split at `pat` (white space), at most `n` times, into lists; `.str[i]` takes pieces without making lists.

        With `expand` and `n` the pieces are columns to assign or select: `p[["a", "b"]] = ...`, `...[0]`.
        """
        call = "Series.str.split"
        flags = 0
        if isinstance(pat, re.Pattern):
            if regex is False:
                refuse(
                    f"`{call}` with a compiled pattern and `regex=False` is an error in pandas too",
                    "Leave `regex` out",
                )
            pat, flags = compiled(call, pat, 0)
            regex = True
        elif pat is not None:
            pat = text(call, "pat", pat)
            regex = len(pat) != 1 if regex is None else boolean(call, "regex", regex)
            if regex:
                pat, flags = compiled(call, pat, 0)
        return self._split(call, pat, n, expand, bool(regex and pat is not None), flags, False)

    def rsplit(self, pat: Any = None, *, n: Any = -1, expand: bool = False) -> Any:
        """As `split`, from the right; `pat` is no pattern."""
        call = "Series.str.rsplit"
        pat = None if pat is None else text(call, "pat", pat)
        return self._split(call, pat, n, expand, False, 0, True)

    def _split(
        self, call: str, pat: str | None, n: Any, expand: bool, regex: bool, flags: int, right: bool
    ) -> Any:
        most = -1 if n is None else whole_number(call, "n", n)
        if most < -1:
            refuse(f"`{call}` with `n={most}` is not native", "Leave `n` out to split everywhere")
        if pat == "":
            refuse(
                f"`{call}` needs a separator of some characters",
                "Leave it out to split at white space",
                call=call,
            )
        limit = most if most > 0 else None
        how = (pat, limit, regex, flags, right)
        if boolean(call, "expand", expand):
            return Split(self._column, how, limit, f"`{call}`")
        return apply("str_split", self._column, *how, call=f"`{call}`")

    def partition(self, sep: str = " ", expand: bool = True) -> Any:
        """What is before the first `sep`, `sep`, and what is behind it: three columns, or with `expand=False` lists."""
        return self._partition("partition", sep, expand, False)

    def rpartition(self, sep: str = " ", expand: bool = True) -> Any:
        """What is before the last `sep`, `sep`, and what is behind it: three columns, or with `expand=False` lists."""
        return self._partition("rpartition", sep, expand, True)

    def _partition(self, name: str, sep: object, expand: object, right: bool) -> Any:
        call = f"Series.str.{name}"
        separator = text(call, "sep", sep)
        if not separator:
            refuse(
                f"`{call}` needs a separator of some characters, in pandas too",
                "Name some: `sep='-'`",
                call=call,
            )
        parts = {n: self._call("str_partition", separator, right, n) for n in range(3)}
        if boolean(call, "expand", expand):
            return frame_of(parts)
        return apply("kept", apply("list_make", *parts.values()), parts[0].notna()).rename(parts[0].name)

    # Texts of several.
    def cat(
        self, others: Any = None, sep: str | None = None, na_rep: str | None = None, join: str = "left"
    ) -> Column:
        """Joined with other columns of the same rows, `sep` between them and `na_rep` for missing ones."""
        from rlm_hypervisor.partition.elementwise import Elementwise

        call = "Series.str.cat"
        if isinstance(others, Elementwise):
            others = [column for _, column in others.items()]  # type: ignore[attr-defined]
        others = [others] if isinstance(others, Operators) else others
        if not isinstance(others, list | tuple) or not all(isinstance(o, Operators) for o in others):
            refuse(
                f"`{call}` takes a column, or a list of columns, not `{clipped(others)}`",
                "Take them from the same partition; all texts of a column in one is a job for the answer",
                call=call,
            )
        only(call, join=(join, "left", "outer", "inner", "right"))
        separator = "" if sep is None else text(call, "sep", sep)
        stand_in = None if na_rep is None else text(call, "na_rep", na_rep)
        joined = apply("str_cat", separator, stand_in, self._column, *others, call=f"`{call}`")
        return joined.rename(self._column.name)  # type: ignore[no-any-return]

    def join(self, sep: str) -> Column:
        """The characters with `sep` between them."""
        return self._call("str_join", text("Series.str.join", "sep", sep))  # type: ignore[no-any-return]

    # Characters and bytes.
    def translate(self, table: Any) -> Column:
        """Characters replaced by a dict of code points, as `str.maketrans` makes it."""
        from rlm_hypervisor import _core
        from rlm_hypervisor.partition.operators import wrap

        call = "Series.str.translate"
        if not isinstance(table, dict):
            refuse(
                f"`{call}` takes a dict, not `{clipped(table)}`", "Make one with `str.maketrans`", call=call
            )
        pairs = []
        for key, new in table.items():
            if not isinstance(key, int) or not (new is None or isinstance(new, str | int)):
                continue  # Python never finds such an entry, or fails at it.
            pairs.append([key, chr(new) if isinstance(new, int) else new])
        return wrap(_core.Frame.call("str_translate", [self._column._frame, pairs]))  # type: ignore[return-value]

    def normalize(self, form: str) -> Column:
        """In a normal form of Unicode: "NFC", "NFD", "NFKC" or "NFKD"."""
        only("Series.str.normalize", form=(form, "NFC", "NFD", "NFKC", "NFKD"))
        return self._call("str_normalize", form)  # type: ignore[no-any-return]

    def encode(self, encoding: str, errors: str = "strict") -> Column:
        """As bytes, in UTF-8."""
        self._utf8("Series.str.encode", encoding)
        return self._call("str_encode")  # type: ignore[no-any-return]

    def decode(self, encoding: str, errors: str = "strict", dtype: object = None) -> Column:
        """Bytes in UTF-8 as text; `errors` is "strict", "replace" or "ignore"."""
        call = "Series.str.decode"
        self._utf8(call, encoding)
        only(call, errors=(errors, "strict", "replace", "ignore"), dtype=(dtype, None, "str", str))
        return self._call("str_decode", errors)  # type: ignore[no-any-return]

    @staticmethod
    def _utf8(call: str, encoding: object) -> None:
        if str(encoding).lower().replace("-", "").replace("_", "") not in ("utf8", "u8"):
            refuse(
                f"`{call}` in another encoding than UTF-8 is not native",
                "Write 'utf-8', or encode the answer: `result.to_pandas()`",
                call=call,
            )

    # Questions about all characters.
    def isalnum(self) -> Column:
        """True where all characters are letters or numbers, and there are some."""
        return self._call("str_isalnum")  # type: ignore[no-any-return]

    def isalpha(self) -> Column:
        """True where all characters are letters, and there are some."""
        return self._call("str_isalpha")  # type: ignore[no-any-return]

    def isascii(self) -> Column:
        """True where all characters are ASCII."""
        return self._call("str_isascii")  # type: ignore[no-any-return]

    def isdecimal(self) -> Column:
        """True where all characters are decimal digits, and there are some."""
        return self._call("str_isdecimal")  # type: ignore[no-any-return]

    def isdigit(self) -> Column:
        """True where all characters are digits, and there are some."""
        return self._call("str_isdigit")  # type: ignore[no-any-return]

    def isnumeric(self) -> Column:
        """True where all characters are numbers, and there are some."""
        return self._call("str_isnumeric")  # type: ignore[no-any-return]

    def isspace(self) -> Column:
        """True where all characters are white space, and there are some."""
        return self._call("str_isspace")  # type: ignore[no-any-return]

    def islower(self) -> Column:
        """True where all letters are in lower case, and there are some."""
        return self._call("str_islower")  # type: ignore[no-any-return]

    def isupper(self) -> Column:
        """True where all letters are in upper case, and there are some."""
        return self._call("str_isupper")  # type: ignore[no-any-return]

    def istitle(self) -> Column:
        """True where every word begins with a capital and has no other."""
        return self._call("str_istitle")  # type: ignore[no-any-return]

    def __iter__(self) -> NoReturn:
        refuse(
            "iteration over `column.str` is not possible, in pandas neither",
            "Use its methods: `p['s'].str.lower()`; spread characters by `.str[0]`",
        )

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        unknown_attribute(self, "StringMethods", name, ())

    def __repr__(self) -> str:
        return f"<text methods of {self._column!r}>"


class HasText:
    """The base of Column that has text methods."""

    __slots__ = ()

    @property
    def str(self) -> Any:
        """The text methods: `p["x"].str.lower()`; columns of text have them, and some those of bytes and of lists."""
        from rlm_hypervisor.partition.column import Column

        assert isinstance(self, Column)
        if self.dtype.startswith(("list<", "struct<")):
            return ListStrings(self)
        if self.dtype not in ("str", "binary"):
            raise SchemaMismatchError(
                f"`.str` needs a column of text, and {self!r} is none; `.astype(str)` makes one",
                details={"call": "Series.str"},
            )
        return StringMethods(self)
