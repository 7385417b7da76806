"""Functions as analysts write them, over a shop's orders: reports, segments, shares, outliers, tables in tables."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from rlm_hypervisor import RLMClient

from tests.oracle._business import Operation, agrees, orders

FUNCTIONS: list[Operation] = []
CUSTOMERS = pd.DataFrame(
    {
        "customer": [f"c{n:02}" for n in range(0, 20, 2)],
        "segment": ["gold", "silver"] * 5,
        "age": range(20, 70, 5),
    }
)
RATES = {"DE": 0.19, "FR": 0.2, "US": 0.07}
MINIMUM = 20


def analyst(operation: Operation) -> Operation:
    """One of the functions."""
    FUNCTIONS.append(operation)
    return operation


@analyst
def clean_and_type(df: Any) -> Any:
    df = df.dropna(subset=["amount", "category"]).copy()
    df["name"] = df["name"].str.strip().str.replace(r"\s+", " ", regex=True).str.title()
    df["country"] = (
        df["country"].map({"DE": "Germany", "FR": "France", "US": "United States"}).fillna("Other")
    )
    df["discount"] = df["discount"].fillna(0.0)
    df["net"] = (df["amount"] * (1 - df["discount"])).round(2)
    df["month"] = df["placed"].dt.strftime("%Y-%m")
    return df[["order_id", "name", "country", "month", "net"]]


@analyst
def monthly_report(df: Any) -> Any:
    paid = df[df["status"] == "paid"]
    return (
        paid.groupby(paid["placed"].dt.to_period("M").astype(str).rename("month"))
        .agg(orders=("order_id", "nunique"), revenue=("amount", "sum"), buyers=("customer", "nunique"))
        .assign(per_order=lambda t: t["revenue"] / t["orders"])
    )


@analyst
def growth_over_months(df: Any) -> Any:
    monthly = df.groupby(pd.Grouper(key="placed", freq="MS"))["amount"].sum()
    return pd.DataFrame({"revenue": monthly, "growth": monthly.pct_change(), "so_far": monthly.cumsum()})


@analyst
def recency_frequency_money(df: Any) -> Any:
    now = df["placed"].max()
    rfm = df.groupby("customer").agg(
        last=("placed", "max"), frequency=("order_id", "count"), money=("amount", "sum")
    )
    rfm["recency"] = (now - rfm["last"]).dt.days
    rfm["r"] = pd.qcut(rfm["recency"], 3, labels=[3, 2, 1]).astype(int)
    rfm["m"] = pd.qcut(rfm["money"].rank(method="first"), 3, labels=[1, 2, 3]).astype(int)
    rfm["score"] = rfm["r"].astype(str) + rfm["m"].astype(str)
    return rfm.drop(columns="last").sort_values(["score", "money"], ascending=[False, True])


@analyst
def cohorts(df: Any) -> Any:
    df["month"] = df["placed"].dt.year * 12 + df["placed"].dt.month
    df["cohort"] = df.groupby("customer")["month"].transform("min")
    df["age"] = df["month"] - df["cohort"]
    return df.pivot_table(index="cohort", columns="age", values="customer", aggfunc="nunique")


@analyst
def share_of_country(df: Any) -> Any:
    df["share"] = df["amount"] / df.groupby("country")["amount"].transform("sum")
    return df.loc[df["share"] > 0.05, ["order_id", "country", "share"]].sort_values("share", ascending=False)


@analyst
def share_of_total(df: Any) -> Any:
    by = df.groupby("category", dropna=False)["amount"].sum()
    return (by / by.sum() * 100).round(1).sort_values(ascending=False)


@analyst
def outliers_by_category(df: Any) -> Any:
    grouped = df.groupby("category")["amount"]
    low, high = grouped.transform("quantile", 0.25), grouped.transform("quantile", 0.75)
    spread = high - low
    return df[(df["amount"] < low - 1.5 * spread) | (df["amount"] > high + 1.5 * spread)]


@analyst
def z_scores(df: Any) -> Any:
    df["z"] = df.groupby("category")["amount"].transform(lambda s: (s - s.mean()) / s.std())
    return df[df["z"].abs() > 1.5][["order_id", "category", "z"]]


@analyst
def weighted_average(df: Any) -> Any:
    df = df.dropna(subset=["amount"])
    return df.groupby("category").apply(lambda g: np.average(g["amount"], weights=g["quantity"]))


@analyst
def weighted_average_by_sums(df: Any) -> Any:
    df["weighted"] = df["amount"] * df["quantity"]
    sums = df.groupby("country")[["weighted", "quantity"]].sum()
    return (sums["weighted"] / sums["quantity"]).rename("average")


@analyst
def several_figures_of_each_group(df: Any) -> Any:
    def figures(g: Any) -> Any:
        return pd.Series(
            {
                "n": g.shape[0],
                "spread": g["amount"].max() - g["amount"].min(),
                "paid": (g["status"] == "paid").mean(),
            }
        )

    return df.groupby("country").apply(figures)


@analyst
def bands(df: Any) -> Any:
    df = df.dropna(subset=["amount"])
    bands = pd.cut(df["amount"], bins=[0, 25, 75, 150, np.inf], labels=["low", "mid", "high", "top"])
    table = df.groupby(bands.astype(str).rename("band"))["quantity"].agg(["count", "mean"])
    return table.loc[lambda t: t["count"] > 2]


@analyst
def nested_conditions(df: Any) -> Any:
    conditions = [df["amount"].isna(), (df["amount"] > 100) & (df["status"] == "paid"), df["amount"] > 50]
    df["tier"] = np.select(conditions, ["unknown", "gold", "silver"], default="basic")
    df["flag"] = np.where(
        df["tier"].isin(["gold", "silver"]), np.where(df["quantity"] > 4, "bulk", "single"), "none"
    )
    return df.groupby(["tier", "flag"]).size().reset_index(name="n")


@analyst
def tax_by_lookup(df: Any) -> Any:
    df["tax"] = df["amount"] * df["country"].map(RATES).fillna(0.1)
    df.loc[df["status"] == "returned", "tax"] = 0.0
    return df[["order_id", "tax"]]


@analyst
def with_customers(df: Any) -> Any:
    merged = df.merge(CUSTOMERS, on="customer", how="left", indicator=True)
    merged["segment"] = merged["segment"].fillna("unknown")
    merged["_merge"] = merged["_merge"].astype(str)
    return merged.groupby(["segment", "_merge"])["amount"].agg(["sum", "size"])


@analyst
def customers_without_orders(df: Any) -> Any:
    recent = df.query("quantity > 5 and amount > @MINIMUM")
    return pd.merge(CUSTOMERS, recent, on="customer", how="left").query("order_id.isna()")[
        ["customer", "segment"]
    ]


@analyst
def best_order_of_each_customer(df: Any) -> Any:
    return (
        df.sort_values(["customer", "amount"], ascending=[True, False])
        .groupby("customer")
        .head(1)[["customer", "order_id", "amount"]]
        .reset_index(drop=True)
    )


@analyst
def top_two_by_rank(df: Any) -> Any:
    df["place"] = df.groupby("category")["amount"].rank(method="first", ascending=False)
    return df[df["place"] <= 2].sort_values(["category", "place"])[["category", "order_id", "place"]]


@analyst
def top_two_by_apply(df: Any) -> Any:
    return df.groupby("country", group_keys=False).apply(lambda g: g.nlargest(2, "amount"))


@analyst
def latest_by_key(df: Any) -> Any:
    return df.sort_values("placed").drop_duplicates("customer", keep="last").set_index("customer")["status"]


@analyst
def latest_by_index_of_the_largest(df: Any) -> Any:
    return df.loc[df.groupby("customer")["placed"].idxmax(), ["customer", "placed", "amount"]]


@analyst
def running_balance(df: Any) -> Any:
    df["signed"] = np.where(df["status"] == "returned", -df["amount"], df["amount"])
    df["balance"] = df.groupby("customer")["signed"].cumsum()
    df["number"] = df.groupby("customer").cumcount() + 1
    return df[["customer", "number", "balance"]]


@analyst
def days_since_the_last_order(df: Any) -> Any:
    df = df.sort_values(["customer", "placed"])
    df["gap"] = df.groupby("customer")["placed"].diff().dt.days
    return df.groupby("customer")["gap"].agg(["mean", "max"]).fillna(-1)


@analyst
def pivoted_report(df: Any) -> Any:
    return df.pivot_table(
        index="category", columns="status", values="amount", aggfunc="sum", fill_value=0, margins=True
    )


@analyst
def pivoted_by_several_functions(df: Any) -> Any:
    return df.pivot_table(
        index=["country", "category"],
        values=["amount", "quantity"],
        aggfunc={"amount": ["sum", "mean"], "quantity": "max"},
    )


@analyst
def shares_across(df: Any) -> Any:
    return pd.crosstab(df["country"], df["status"], normalize="index").round(3)


@analyst
def flat_columns(df: Any) -> Any:
    table = df.groupby(["country", "status"]).agg({"amount": ["sum", "mean"], "quantity": ["max"]})
    table.columns = ["_".join(pair) for pair in table.columns]
    return table.reset_index().rename(columns=str.upper)


@analyst
def wide_by_unstack(df: Any) -> Any:
    return df.groupby(["country", "status"])["amount"].sum().unstack(fill_value=0)


@analyst
def long_by_melt(df: Any) -> Any:
    long = df.melt(
        id_vars=["order_id", "country"],
        value_vars=["amount", "discount"],
        var_name="what",
        value_name="worth",
    )
    return long.dropna().groupby(["country", "what"])["worth"].mean().reset_index()


@analyst
def rate_of_two_groupings(df: Any) -> Any:
    returned = df[df["status"] == "returned"].groupby("country").size()
    return (returned / df.groupby("country").size()).fillna(0).rename("rate")


@analyst
def a_column_from_another_grouping(df: Any) -> Any:
    table = df.groupby("customer").agg(total=("amount", "sum"))
    table["paid"] = df[df["status"] == "paid"].groupby("customer")["amount"].sum()
    table["open"] = table["total"] - table["paid"].fillna(0)
    return table


@analyst
def groupings_side_by_side(df: Any) -> Any:
    spent = df.groupby("customer")["amount"].sum()
    returns = df[df["status"] == "returned"].groupby("customer").size()
    return pd.concat([spent.rename("spent"), returns.rename("returns")], axis=1).fillna(0).sort_index()


@analyst
def filtered_groups(df: Any) -> Any:
    return df.groupby("customer").filter(lambda g: (g["order_id"].count() >= 7) & (g["amount"].sum() > 100))


@analyst
def filtered_groups_by_conditions(df: Any) -> Any:
    return df.groupby("customer").filter(lambda g: (g["amount"].sum() > 500) & (g["quantity"].max() > 7))


@analyst
def filled_by_the_groups_median(df: Any) -> Any:
    df["amount"] = (
        df["amount"]
        .fillna(df.groupby("category")["amount"].transform("median"))
        .fillna(df["amount"].median())
    )
    return df["amount"]


@analyst
def customers_that_are_often_here(df: Any) -> Any:
    counts = df["customer"].value_counts()
    return df[df["customer"].isin(counts[counts > 7].index)]


@analyst
def counted_by_map(df: Any) -> Any:
    df["orders"] = df["customer"].map(df["customer"].value_counts())
    return df[["order_id", "orders"]]


@analyst
def most_frequent_of_each(df: Any) -> Any:
    return df.groupby("country")["category"].agg(lambda s: s.value_counts().index[0])


@analyst
def most_frequent_by_mode(df: Any) -> Any:
    return df.groupby("country")["category"].agg(lambda s: s.mode().iloc[0])


@analyst
def codes_by_factorize(df: Any) -> Any:
    df["code"], _ = pd.factorize(df["category"])
    df["country_code"] = pd.factorize(df["country"], sort=True)[0]
    return df[["code", "country_code"]]


@analyst
def flags(df: Any) -> Any:
    return pd.get_dummies(df[["order_id", "status"]], columns=["status"], dtype=int)


@analyst
def functions_of_rows(df: Any) -> Any:
    def charge(row: Any) -> float:
        if row["country"] == "US":
            return 9.0
        return 0.0 if row["quantity"] > 5 else 4.5

    df["charge"] = df.apply(charge, axis=1)
    return df.groupby("country")["charge"].sum()


@analyst
def two_columns_of_each_row(df: Any) -> Any:
    df[["first", "last"]] = df["name"].str.strip().str.split(n=1, expand=True)
    return df[["order_id", "first", "last"]]


@analyst
def two_values_of_each_row(df: Any) -> Any:
    df[["net", "tax"]] = df.apply(
        lambda row: pd.Series([row["amount"] * 0.8, row["amount"] * 0.2]), axis=1, result_type="expand"
    )
    return df[["order_id", "net", "tax"]]


@analyst
def scaled(df: Any) -> Any:
    numbers = df[["amount", "quantity"]]
    return (numbers - numbers.mean()) / numbers.std()


@analyst
def squeezed_between_quantiles(df: Any) -> Any:
    low, high = df["amount"].quantile([0.05, 0.95])
    return df["amount"].clip(low, high)


@analyst
def squeezed_between_single_quantiles(df: Any) -> Any:
    return df["amount"].clip(df["amount"].quantile(0.05), df["amount"].quantile(0.95))


@analyst
def largest_days(df: Any) -> Any:
    daily = df.set_index("placed").resample("D")["amount"].sum()
    return daily[daily > 0].nlargest(5)


@analyst
def weekly_with_moving_mean(df: Any) -> Any:
    weekly = df.resample("W", on="placed").agg(revenue=("amount", "sum"), orders=("order_id", "count"))
    weekly["smooth"] = weekly["revenue"].rolling(3, min_periods=1).mean()
    return weekly


@analyst
def bought_together(df: Any) -> Any:
    pairs = df[["customer", "category"]].dropna().drop_duplicates()
    both = pairs.merge(pairs, on="customer")
    both = both[both["category_x"] < both["category_y"]]
    return both.groupby(["category_x", "category_y"]).size().sort_values(ascending=False)


@analyst
def cumulative_share(df: Any) -> Any:
    by = df.groupby("customer")["amount"].sum().sort_values(ascending=False)
    share = by.cumsum() / by.sum()
    return share[share <= 0.8]


@analyst
def compared_with_the_group(df: Any) -> Any:
    return df.assign(
        mean=df.groupby("country")["amount"].transform("mean"),
        above=lambda t: t["amount"] > t["mean"],
    )[["order_id", "above"]]


@analyst
def piped(df: Any) -> Any:
    def only(table: Any, status: str) -> Any:
        return table[table["status"].eq(status)]

    return df.pipe(only, "paid").pipe(lambda t: t.groupby("country", as_index=False)["amount"].mean())


@analyst
def the_single_largest(df: Any) -> Any:
    return df.loc[df["amount"].idxmax(), "customer"]


@analyst
def first_value_by_position(df: Any) -> Any:
    return df.sort_values("amount", ascending=False)["customer"].iloc[0]


@analyst
def a_row_of_a_table(df: Any) -> Any:
    return df.groupby("country")["amount"].sum().loc["DE"]


@analyst
def a_group_by_name(df: Any) -> Any:
    return df.groupby("country").get_group("BR")[["order_id", "amount"]]


@pytest.mark.parametrize("operation", FUNCTIONS, ids=lambda operation: operation.__name__)
def test_as_pandas_answers(client: RLMClient, operation: Operation) -> None:
    agrees(client, operation, orders)
