"""Random programs whose last step is a wide table, and programs of lists; parts of `_programs`."""

from __future__ import annotations

import random

from tests.oracle._program_steps import NUMBERS, TYPES, filtered

FUNCTIONS = [
    f'"{name}"' for name in ("sum", "mean", "min", "max", "count", "nunique", "first", "last", "median")
]
FUNCTIONS += ['["sum", "max"]', '["count", "min"]']


def _columns(names: list[str]) -> str:
    text = ", ".join(f'p["{name}"]' for name in names)
    return text if len(names) == 1 else f"[{text}]"


def pivoting(rng: random.Random) -> list[str]:
    """A wide table as the last step."""
    columns = {c: c for c in TYPES}
    lines = [filtered(rng, columns) for _ in range(rng.randrange(0, 2))]
    keys = rng.sample(["k", "c", "g", "h", "b", "t", "f", "z", "u"], rng.choice([2, 2, 2, 3, 4]))
    cut = rng.randrange(1, len(keys))
    index, across = keys[:cut], keys[cut:]

    def show(names: list[str]) -> str:
        return repr(names[0]) if len(names) == 1 and rng.random() < 0.7 else repr(names)

    form = rng.choice(["pivot_table"] * 4 + ["crosstab"] * 2 + ["unstack"] * 2 + ["pivot"])
    numbers = [c for c in NUMBERS if c not in keys] or ["x"]
    values = rng.sample(numbers, min(len(numbers), rng.choice([1, 1, 2])))
    if form == "pivot_table":
        function = rng.choice(FUNCTIONS)
        if "u" in values:
            function = rng.choice(['"min"', '"max"', '"count"', '"first"', '["count", "min"]'])
        extra = ""
        if rng.random() < 0.3:
            extra += f", fill_value={rng.choice(['0', '-1.5', '7'])}"
        if rng.random() < 0.35:
            extra += ", margins=True" + rng.choice(["", ', margins_name="Σ"'])
        if rng.random() < 0.2:
            extra += ", sort=False"
        if rng.random() < 0.2:
            extra += ", observed=True"
        line = f"p.pivot_table(index={show(index)}, columns={show(across)}, values={show(values)}, aggfunc={function}{extra})"
    elif form == "crosstab":
        rows, cols = _columns(index), _columns(across)
        extra = ""
        if rng.random() < 0.4:
            extra += (
                f', values=p["{values[0]}"], aggfunc="{rng.choice(["sum", "mean", "max", "count"])}"'
                if values[0] != "u"
                else ""
            )
        if rng.random() < 0.35:
            extra += f", normalize={rng.choice([True, 'index', 'columns'])!r}"
        if rng.random() < 0.35:
            extra += ", margins=True"
        line = f"pd.crosstab({rows}, {cols}{extra})"
    elif form == "unstack":
        level = rng.choice(["", "0", f'"{keys[0]}"', "-1"])
        what = rng.choice(['"min"', '"max"', '"count"', '"first"'])
        fill = rng.choice(["", ", fill_value=0"]) if level else rng.choice(["", "fill_value=0"])
        dropna = rng.choice(["", ", dropna=False"]) if rng.random() < 0.3 else ""
        unsorted = rng.choice(["", "", ", sort=False"])
        between = rng.choice(["", "", "", "[lambda s: s.notna()]", "[lambda s: s > 1]", ".dropna()"])
        if "[" in show(values):
            between = between if between == ".dropna()" else ""
        line = f"p.groupby({keys!r}{dropna}{unsorted})[{show(values)}].agg({what}){between}.unstack({level}{fill})"
    else:
        lines.append(f"p = p.drop_duplicates({keys!r})")
        line = f"p.pivot(index={show(index)}, columns={show(across)}, values={show(values)})"
    if rng.random() < 0.3:
        line += rng.choice(
            [
                ".reset_index()",
                ".fillna(0)",
                ".rename_axis(columns=None)" if len(across) == 1 and len(values) == 1 else "",
            ]
        )
    return [*lines, f"return {line}"]


def listing(rng: random.Random) -> list[str]:
    """Lists that are collected, cut, and made rows again."""
    columns = {c: c for c in TYPES}
    lines = [filtered(rng, columns) for _ in range(rng.randrange(0, 2))]
    key = rng.choice(["k", "g", "c", "b", "t"])
    value, second = rng.choice(["k", "g", "x", "t", "u"]), rng.choice(["x", "h"])
    flags = "".join(f", {flag}=False" for flag in ("sort", "dropna") if rng.random() < 0.35)
    if key == value:
        value = "f"
    lines.append(
        f'p = p.groupby("{key}"{flags}).agg(v=("{value}", list), w=("{second}", list), n=("{value}", "count")).reset_index()'
    )
    columns = {key: key, "n": "g", "v": "list", "w": "list"}
    if rng.random() < 0.4:
        lines.append(filtered(rng, {key: key, "n": "g"}))
    form = rng.randrange(6)
    if form == 0:
        lines.append(f'p = p.explode("v"{rng.choice(["", ", ignore_index=True"])})')
    elif form == 1:
        lines.append('p = p.explode(["v", "w"])')
    elif form == 2:
        lines.append('p = p.assign(first=p["v"].str[0], last=p["w"].str[-1], many=p["v"].str.len())')
    elif form == 3:
        lines.append('p = p.assign(w=p["w"].str[:2]).explode("w")')
    elif form == 4:
        lines.append('p = p.sort_values("n", ascending=False).head(3)')
    else:
        lines.append('p = p.explode("w").groupby("n")["w"].agg(["count", "min"])')
    if form in (0, 1) and rng.random() < 0.5:
        lines.append(f'p = p[p["v"].notna()].groupby("{key}")["v"].agg({rng.choice(["list", "len"])})')
    return [*lines, "return p"]
