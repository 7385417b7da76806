"""Functions as analysts write them, over events and lines of a log: sessions, funnels, gaps, parsing, time series."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from rlm_hypervisor import RLMClient

from tests.oracle._business import Operation, agrees, events, log

OF_EVENTS: list[Operation] = []
OF_LINES: list[Operation] = []
STEPS = ["view", "cart", "buy"]


def analyst(operation: Operation) -> Operation:
    """A function of events."""
    OF_EVENTS.append(operation)
    return operation


def of_lines(operation: Operation) -> Operation:
    """A function of lines."""
    OF_LINES.append(operation)
    return operation


@analyst
def sessions(df: Any) -> Any:
    df = df.sort_values(["user", "at"])
    new = df.groupby("user")["at"].diff() > pd.Timedelta(minutes=30)
    df["session"] = new.groupby(df["user"]).cumsum()
    return df.groupby(["user", "session"]).agg(
        start=("at", "min"), end=("at", "max"), events=("kind", "size")
    )


@analyst
def sessions_by_shift(df: Any) -> Any:
    df = df.sort_values(["user", "at"])
    df["new"] = (df["user"] != df["user"].shift()) | (df["at"] - df["at"].shift() > pd.Timedelta("30min"))
    df["session"] = df["new"].cumsum()
    df["length"] = df.groupby("session")["at"].transform(lambda t: (t.max() - t.min()).total_seconds())
    return df[["user", "session", "length"]]


@analyst
def funnel(df: Any) -> Any:
    users = df.groupby("kind")["user"].nunique().reindex(STEPS)
    return pd.DataFrame({"users": users, "rate": users / users.shift()})


@analyst
def funnel_by_user(df: Any) -> Any:
    viewed = df[df["kind"] == "view"].groupby("user")["at"].min()
    bought = df[df["kind"] == "buy"].groupby("user")["at"].min()
    return (bought - viewed).dt.total_seconds()


@analyst
def first_and_last_touch(df: Any) -> Any:
    df["source"] = df["url"].str.extract(r"utm_source=(\w+)", expand=False).fillna("direct")
    by = df.sort_values("at").groupby("user")["source"]
    return pd.DataFrame({"first": by.first(), "last": by.last()})


@analyst
def islands(df: Any) -> Any:
    df["run"] = (df["kind"] != df["kind"].shift()).cumsum()
    runs = df.groupby("run").agg(kind=("kind", "first"), length=("kind", "size"), start=("at", "first"))
    return runs[runs["length"] > 2]


@analyst
def streaks(df: Any) -> Any:
    bought = df["kind"].eq("buy")
    return bought.groupby((bought != bought.shift()).cumsum()).cumcount().where(bought, -1) + 1


@analyst
def next_event(df: Any) -> Any:
    df = df.sort_values(["user", "at"])
    df["next"] = df.groupby("user")["kind"].shift(-1)
    return pd.crosstab(df["kind"], df["next"])


@analyst
def transitions(df: Any) -> Any:
    df["before"] = df.groupby("user")["kind"].shift(1).fillna("start")
    counts = df.groupby(["before", "kind"]).size().rename("n").reset_index()
    counts["p"] = counts["n"] / counts.groupby("before")["n"].transform("sum")
    return counts


@analyst
def hourly(df: Any) -> Any:
    return df.groupby([df["at"].dt.date.rename("day"), df["at"].dt.hour.rename("hour")])["value"].agg(
        ["count", "sum"]
    )


@analyst
def by_day_of_week(df: Any) -> Any:
    order = ["Saturday", "Sunday", "Monday"]
    return df["at"].dt.day_name().value_counts().reindex(order, fill_value=0)


@analyst
def lags_and_windows(df: Any) -> Any:
    df = df.sort_values("at")
    for lag in (1, 2):
        df[f"lag_{lag}"] = df.groupby("user")["value"].shift(lag)
    df["mean_3"] = df.groupby("user")["value"].transform(lambda s: s.rolling(3, min_periods=1).mean())
    df["so_far"] = df.groupby("user")["value"].expanding().max().reset_index(level=0, drop=True)
    return df.drop(columns=["url", "kind"])


@analyst
def moving_hour(df: Any) -> Any:
    return df.set_index("at")["value"].rolling("1h").sum()


@analyst
def moving_hour_of_each_user(df: Any) -> Any:
    return df.set_index("at").groupby("user")["value"].rolling("2h").mean()


@analyst
def decayed(df: Any) -> Any:
    return df.groupby("user")["value"].transform(lambda s: s.ewm(span=4).mean())


@analyst
def forward_filled(df: Any) -> Any:
    df["value"] = df.groupby("user")["value"].ffill().fillna(0)
    return df.groupby("user")["value"].agg(["first", "last"])


@analyst
def intervals_of_a_dimension(df: Any) -> Any:
    df = df.sort_values(["user", "at"])
    df = df[df["kind"] != df.groupby("user")["kind"].shift()]
    df["until"] = df.groupby("user")["at"].shift(-1)
    df["current"] = df["until"].isna()
    return df[["user", "kind", "at", "until", "current"]]


@analyst
def deduplicated_in_time(df: Any) -> Any:
    df = df.sort_values(["user", "kind", "at"])
    soon = df.groupby(["user", "kind"])["at"].diff() < pd.Timedelta(minutes=10)
    return df[~soon].sort_index()


@analyst
def parts_of_urls(df: Any) -> Any:
    parts = df["url"].str.extract(r"https?://(?P<host>[^/]+)/p/(?P<page>\d+)")
    parts["page"] = parts["page"].astype(int)
    return parts.groupby("host")["page"].describe()


@analyst
def one_row_for_each_hour(df: Any) -> Any:
    return df.set_index("at").resample("h").agg({"value": "sum", "user": "nunique"})


@analyst
def last_known_in_each_hour(df: Any) -> Any:
    return df.set_index("at")["value"].resample("h").last().ffill()


@analyst
def hours_of_each_user(df: Any) -> Any:
    return df.groupby(["user", pd.Grouper(key="at", freq="2h")])["value"].sum()


@analyst
def hours_of_each_user_filled(df: Any) -> Any:
    return df.set_index("at").groupby("user")["value"].resample("4h").sum()


@analyst
def time_zones(df: Any) -> Any:
    local = df["at"].dt.tz_localize("UTC").dt.tz_convert("Europe/Berlin")
    return local.dt.hour.value_counts().sort_index()


@analyst
def working_hours(df: Any) -> Any:
    hour, day = df["at"].dt.hour, df["at"].dt.day_of_week
    df["when"] = np.select([day >= 5, hour.between(9, 17)], ["weekend", "work"], "evening")
    return df.groupby("when")["user"].nunique()


@analyst
def cumulative_users(df: Any) -> Any:
    first = ~df.sort_values("at").duplicated("user")
    return first.cumsum()


@analyst
def prices_as_of(df: Any) -> Any:
    prices = df[df["kind"] == "buy"][["at", "value"]].rename(columns={"value": "price"})
    views = df[df["kind"] == "view"][["at", "user"]]
    return pd.merge_asof(views.sort_values("at"), prices.sort_values("at"), on="at", direction="backward")


@analyst
def prices_as_of_each_user(df: Any) -> Any:
    prices = df[df["kind"] == "cart"][["at", "user", "value"]]
    views = df[df["kind"] == "view"][["at", "user", "url"]]
    return pd.merge_asof(views, prices, on="at", by="user", tolerance=pd.Timedelta("2h"))


@analyst
def ranked_pages(df: Any) -> Any:
    pages = df["url"].str.split("?").str[0].str.rsplit("/", n=1).str[-1].astype(int)
    counts = pages.value_counts()
    return counts[counts >= 5].sort_index()


@analyst
def correlation_of_each_user(df: Any) -> Any:
    df["minute"] = df["at"].dt.minute
    return df.groupby("user")[["value", "minute"]].corr().iloc[0::2, -1]


@analyst
def sampled(df: Any) -> Any:
    return df.groupby("kind").sample(n=2, random_state=1).sort_index()


@of_lines
def parsed_lines(df: Any) -> Any:
    parts = df["line"].str.extract(
        r'^(?P<ip>\S+) \S+ \S+ \[(?P<time>[^\]]+)\] "(?P<method>\S+) (?P<path>\S+) [^"]*" (?P<status>\d{3}) (?P<bytes>\d+)$'
    )
    parts = parts.dropna()
    parts["time"] = pd.to_datetime(parts["time"], format="%d/%b/%Y:%H:%M:%S")
    parts["status"] = parts["status"].astype(int)
    parts["bytes"] = pd.to_numeric(parts["bytes"])
    return parts.groupby(["method", parts["status"] // 100])["bytes"].agg(["count", "sum"])


@of_lines
def errors_by_path(df: Any) -> Any:
    df["status"] = df["line"].str.extract(r'" (\d{3}) ', expand=False).astype("float")
    df["path"] = df["line"].str.extract(r'"\w+ (\S+) ', expand=False).str.replace(r"\d+", "{id}", regex=True)
    table = df.groupby("path")["status"].agg(total="count", errors=lambda s: (s >= 400).sum())
    return table.assign(rate=table["errors"] / table["total"]).sort_values(["rate", "total"], ascending=False)


@of_lines
def restarts(df: Any) -> Any:
    df["life"] = df["line"].str.contains("restarted").cumsum()
    return df.groupby(["life", "host"]).size().unstack(fill_value=0)


@of_lines
def networks(df: Any) -> Any:
    octets = df["line"].str.split(" ").str[0].str.split(".", expand=True, n=3)
    return octets[octets[0] == "10"].groupby(2).size()


@of_lines
def words(df: Any) -> Any:
    return df["line"].str.lower().str.findall(r"[a-z]{3,}").explode().value_counts().head(6)


@of_lines
def numbers_in_lines(df: Any) -> Any:
    return df["line"].str.extractall(r"(\d+)")[0].astype(int).groupby(level=0).max()


@of_lines
def cut_to_length(df: Any) -> Any:
    short = df["line"].str.slice(0, 12).str.pad(14, side="right", fillchar=".")
    return short.str.cat(df["host"], sep="|")


@pytest.mark.parametrize("operation", OF_EVENTS, ids=lambda operation: operation.__name__)
def test_of_events(client: RLMClient, operation: Operation) -> None:
    agrees(client, operation, events)


@pytest.mark.parametrize("operation", OF_LINES, ids=lambda operation: operation.__name__)
def test_of_lines(client: RLMClient, operation: Operation) -> None:
    agrees(client, operation, log)
