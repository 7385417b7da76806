"""What analysts write in four more fields, each as pandas answers it on the whole table."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from rlm_hypervisor import RLMClient

from tests.oracle._business import Operation, agrees
from tests.oracle._cases import Case, _parse
from tests.oracle._domains import answers, prices, readings, staff

OF_PRICES = """
p["ret"] = p.groupby("symbol")["close"].pct_change(); p.groupby("symbol")["ret"].agg(["mean", "std", "skew"])
p[p["symbol"] == "AAA"].set_index("date")["close"].asfreq("B").ffill().pct_change()
p[p["symbol"] == "BBB"].set_index("date")["close"].resample("W-FRI").last().pct_change().describe()
p[p["symbol"] == "CCC"].set_index("date")["close"].rolling(10).agg(["mean", "std", "min", "max"])
p.set_index("date").groupby("symbol")["close"].rolling("14D").mean().reset_index()
p.groupby("symbol")["close"].transform(lambda s: s.ewm(span=5, adjust=False).mean())
p["peak"] = p.groupby("symbol")["close"].cummax(); (p["close"] / p["peak"] - 1).groupby(p["symbol"]).min()
p.groupby("symbol").apply(lambda g: (g["close"] * g["volume"]).sum() / g["volume"].sum())
p.pivot(index="date", columns="symbol", values="close").reset_index()
p[p["symbol"] == "AAA"].set_index("date")["close"].resample("ME").ohlc()
p[p["symbol"] == "AAA"]["close"].rolling(8).rank(pct=True)
p["up"] = p["close"].values > p["open"].values; p.groupby("symbol")["up"].mean()
p.assign(month=p["date"].dt.to_period("M").astype(str)).groupby(["symbol", "month"])["volume"].sum().unstack()
p.groupby("symbol")[["open", "close"]].mean().T
np.log(p["close"] / p.groupby("symbol")["close"].shift()).groupby(p["symbol"]).std() * np.sqrt(252)
p.groupby("symbol")["close"].apply(lambda s: s.rolling(5).kurt().max())
p["z"] = (p["volume"] - p["volume"].mean()) / p["volume"].std(); p.loc[p["z"].abs() > 1.5, ["date", "symbol"]]
p.drop(p[p["volume"] < p["volume"].quantile(0.25)].index).groupby("symbol").size()
"""

OF_READINGS = """
p.set_index("at")["celsius"].resample("30min").mean().interpolate(limit=2)
p.set_index("at")[["celsius", "battery"]].resample("h").ffill(limit=1)
p[p["sensor"] == "s1"].set_index("at")["celsius"].resample("2h").nearest()
p.set_index("at")["battery"].resample("6h").asfreq()
p.set_index("at").groupby("sensor")["celsius"].resample("3h").mean()
(p["celsius"] - p["celsius"].rolling(9, center=True, min_periods=3).median()).abs() > 5
p["gap"] = p.groupby("sensor")["at"].diff(); p[p["gap"] > pd.Timedelta("2h")][["sensor", "at", "gap"]]
p.groupby("sensor")["ok"].apply(lambda s: 1 - s.mean())
p.set_index("at").resample("D").agg({"celsius": ["min", "mean", "max"], "ok": "sum"})
p.set_index("at")["celsius"].resample("4h").transform("mean")
p.set_index("at").tz_localize("UTC").tz_convert("Europe/Berlin")["celsius"].between_time("06:00", "09:00")
p.groupby("sensor").agg(first=("at", "min"), last=("at", "max"), n=("at", "count"), missing=("celsius", lambda s: s.isna().sum()))
p["celsius"].clip(p["celsius"].quantile(0.05), p["celsius"].quantile(0.95)).describe()
p.describe()
p.set_index("at")["celsius"].expanding().nunique().tail(5)
p["run"] = (p["ok"] != p["ok"].shift()).cumsum(); p[~p["ok"]].groupby("run").size().max()
"""

OF_STAFF = """
p.describe(include="all")
p["team"].describe()
p["hired"].describe()
p["skills"].str.get_dummies("|")
p["tenure"] = (p["left"].fillna(pd.Timestamp("2024-01-01")) - p["hired"]).dt.days; p.groupby("team")["tenure"].describe()
p.groupby("team")["salary"].rank(pct=True, ascending=False).round(2)
p["salary"] / p["team"].map(p.groupby("team")["salary"].median().to_dict())
p.merge(p[["id", "name"]].rename(columns={"id": "manager", "name": "boss"}), on="manager", how="left")["boss"].value_counts()
p[p["manager"].isin(p.loc[p["team"] == "data", "id"].tolist())].shape[0]
p.groupby(p["hired"].dt.year)["id"].count().cumsum()
p["name"].str.partition(" ")[2].str.upper().value_counts()
pd.cut(p["salary"], [0, 50_000, 90_000, 200_000], labels=["low", "mid", "high"]).astype(str).groupby(p["team"]).value_counts()
p[p["left"].isna()].groupby("team").agg(heads=("id", "count"), pay=("salary", "mean")).sort_values("pay")
p.groupby("team")["rating"].apply(lambda s: s.fillna(s.median())).groupby(level=0).mean()
p.nlargest(5, "salary")[["name", "salary"]].set_index("name")["salary"]
p.drop(columns=["skills", "name"]).groupby("team").max(numeric_only=True).T
p["rating"].value_counts(normalize=True, dropna=False).sort_index()
p.agg({"salary": "mean", "hired": "min", "left": "max"})
"""

OF_ANSWERS = """
p["q1"].value_counts(normalize=True).mul(100).round(1)
pd.crosstab(p["region"], p["q1"], normalize="index").round(3)
p.groupby("region").apply(lambda g: np.average(g["age"], weights=g["weight"]))
(p["score"] >= 9).sum() / p["score"].count() - (p["score"] <= 6).sum() / p["score"].count()
p["channels"].str.get_dummies(sep=", ")
p["channels"].str.split(", ").explode().value_counts()
p.melt(id_vars=["person", "region"], value_vars=["q1", "q2"]).groupby(["variable", "value"]).size().unstack(fill_value=0)
p[["q1", "q2"]].apply(lambda s: s.map({"disagree": 1, "neutral": 2, "agree": 3})).corr()
p["band"] = pd.cut(p["age"], [0, 25, 45, 65, 120], right=False).astype(str); p.groupby("band")["score"].agg(["mean", "count"])
p["comment"].str.wrap(14)
p["comment"].fillna("").str.lower().str.contains("slow|high").groupby(p["region"]).mean()
p["comment"].str.findall(r"[a-z]{5,}").str.len().describe()
p[["q1", "q2"]].isna().mean()
p[["score", "age"]].corr(method="pearson")["age"]
p[["q1", "region"]].describe()
p.select_dtypes("number").max() - p.select_dtypes("number").min()
p.loc[p["q1"].values == p["q2"].values, "person"]
p.groupby("region")[["age", "score"]].agg(["mean", "sem"]).round(3)
"""


@pytest.mark.parametrize("case", _parse(OF_PRICES), ids=lambda case: case.name)
def test_of_prices(client: RLMClient, case: Case) -> None:
    agrees(client, case.function, prices)


@pytest.mark.parametrize("case", _parse(OF_READINGS), ids=lambda case: case.name)
def test_of_readings(client: RLMClient, case: Case) -> None:
    agrees(client, case.function, readings)


@pytest.mark.parametrize("case", _parse(OF_STAFF), ids=lambda case: case.name)
def test_of_staff(client: RLMClient, case: Case) -> None:
    agrees(client, case.function, staff)


@pytest.mark.parametrize("case", _parse(OF_ANSWERS), ids=lambda case: case.name)
def test_of_answers(client: RLMClient, case: Case) -> None:
    agrees(client, case.function, answers)


def _drawdowns(df: Any) -> Any:
    df = df.sort_values(["symbol", "date"])
    df["peak"] = df.groupby("symbol")["close"].cummax()
    df["drawdown"] = df["close"].values / df["peak"].values - 1
    worst = df.groupby("symbol")["drawdown"].min().rename("worst")
    return worst.to_frame().assign(rank=worst.rank())


def _bands(df: Any) -> Any:
    close = df[df["symbol"] == "AAA"].set_index("date")["close"]
    middle, spread = close.rolling(10).mean(), close.rolling(10).std()
    bands = pd.DataFrame({"close": close, "upper": middle + 2 * spread, "lower": middle - 2 * spread})
    bands["outside"] = (bands["close"] > bands["upper"]) | (bands["close"] < bands["lower"])
    return bands.dropna()


def _crossings(df: Any) -> Any:
    by = df.groupby("symbol")["close"]
    df["fast"] = by.transform(lambda s: s.rolling(3).mean())
    df["slow"] = by.transform(lambda s: s.rolling(8).mean())
    above = (df["fast"] > df["slow"]).astype(int)
    df["signal"] = above.groupby(df["symbol"]).diff()
    return df[df["signal"].isin([1, -1])][["date", "symbol", "signal"]]


@pytest.mark.parametrize("operation", [_drawdowns, _bands, _crossings])
def test_functions_of_prices(client: RLMClient, operation: Operation) -> None:
    agrees(client, operation, prices)


def _outages(df: Any) -> Any:
    df = df.sort_values(["sensor", "at"])
    df["next"] = df.groupby("sensor")["at"].shift(-1)
    df["minutes"] = (df["next"] - df["at"]).dt.total_seconds() / 60
    long = df[df["minutes"] > 90]
    return long.groupby("sensor").agg(outages=("minutes", "size"), total=("minutes", "sum"))


def _hourly_grid(df: Any) -> Any:
    hourly = df.set_index("at")["celsius"].resample("h").mean()
    filled = hourly.ffill(limit=3)
    return pd.DataFrame({"mean": hourly, "filled": filled, "hole": hourly.isna()})


def _spikes(df: Any) -> Any:
    around = df["celsius"].rolling(7, center=True, min_periods=1).median()
    df["celsius"] = df["celsius"].mask((df["celsius"] - around).abs() > 10)
    return df.groupby("sensor")["celsius"].agg(["min", "max", "count"])


@pytest.mark.parametrize("operation", [_outages, _hourly_grid, _spikes])
def test_functions_of_readings(client: RLMClient, operation: Operation) -> None:
    agrees(client, operation, readings)


def _pay_gap(df: Any) -> Any:
    mean = df.groupby("team")["salary"].mean()
    df["gap"] = df["salary"] - df["team"].map(mean)
    df["outlier"] = np.where(df["gap"].abs().values > df["salary"].std(), "far", "near")
    return df.groupby(["team", "outlier"]).size().unstack(fill_value=0)


def _cohorts(df: Any) -> Any:
    df["cohort"] = df["hired"].dt.year
    df["gone"] = df["left"].notna()
    table = df.groupby("cohort").agg(hired=("id", "count"), gone=("gone", "sum"))
    table["stay"] = 1 - table["gone"] / table["hired"]
    return table


@pytest.mark.parametrize("operation", [_pay_gap, _cohorts])
def test_functions_of_staff(client: RLMClient, operation: Operation) -> None:
    agrees(client, operation, staff)


def _weighted_shares(df: Any) -> Any:
    total = df.groupby("region")["weight"].sum()
    agree = df[df["q1"] == "agree"].groupby("region")["weight"].sum()
    return (agree / total).sort_values(ascending=False)


def _net_promoter(df: Any) -> Any:
    df = df.dropna(subset=["score"])
    df["kind"] = np.select([df["score"] >= 9, df["score"] <= 6], ["promoter", "detractor"], "passive")
    shares = df.groupby("region")["kind"].value_counts(normalize=True).unstack(fill_value=0)
    return shares.round(3)


@pytest.mark.parametrize("operation", [_weighted_shares, _net_promoter])
def test_functions_of_answers(client: RLMClient, operation: Operation) -> None:
    agrees(client, operation, answers)
