"""The 22 queries of TPC-H as a pandas user writes them: q01 to q11 here, q12 to q22 in `queries_late.py`.

The parameters of a query are the tables it needs, by name; the first one is the partition, the others are tables
of the client. With data frames for all of them a query is plain pandas.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pandas as pd

from .queries_late import LATE


def q01(lineitem: Any) -> Any:
    """Pricing summary report."""
    shipped = lineitem[lineitem["l_shipdate"] <= pd.Timestamp("1998-09-02")]
    shipped = shipped.assign(disc_price=shipped["l_extendedprice"] * (1 - shipped["l_discount"]))
    shipped["charge"] = shipped["disc_price"] * (1 + shipped["l_tax"])
    return shipped.groupby(["l_returnflag", "l_linestatus"], as_index=False).agg(
        sum_qty=("l_quantity", "sum"),
        sum_base_price=("l_extendedprice", "sum"),
        sum_disc_price=("disc_price", "sum"),
        sum_charge=("charge", "sum"),
        avg_qty=("l_quantity", "mean"),
        avg_price=("l_extendedprice", "mean"),
        avg_disc=("l_discount", "mean"),
        count_order=("l_quantity", "size"),
    )


def q02(part: Any, partsupp: Any, supplier: Any, nation: Any, region: Any) -> Any:
    """Minimum cost supplier."""
    brass = part[(part["p_size"] == 15) & part["p_type"].str.endswith("BRASS")]
    europe = nation.merge(region[region["r_name"] == "EUROPE"], left_on="n_regionkey", right_on="r_regionkey")
    suppliers = supplier.merge(europe, left_on="s_nationkey", right_on="n_nationkey")
    offers = brass.merge(partsupp, left_on="p_partkey", right_on="ps_partkey")
    offers = offers.merge(suppliers, left_on="ps_suppkey", right_on="s_suppkey")
    least = offers.groupby("p_partkey")["ps_supplycost"].transform("min")
    columns = "s_acctbal s_name n_name p_partkey p_mfgr s_address s_phone s_comment"
    return (
        offers[offers["ps_supplycost"] == least][columns.split()]
        .sort_values(["s_acctbal", "n_name", "s_name", "p_partkey"], ascending=[False, True, True, True])
        .head(100)
    )


def q03(lineitem: Any, orders: Any, customer: Any) -> Any:
    """Shipping priority."""
    day = pd.Timestamp("1995-03-15")
    building = customer[customer["c_mktsegment"] == "BUILDING"]
    open_orders = orders[orders["o_orderdate"] < day].merge(
        building, left_on="o_custkey", right_on="c_custkey"
    )
    late = lineitem[lineitem["l_shipdate"] > day]
    joined = late.merge(open_orders, left_on="l_orderkey", right_on="o_orderkey")
    joined["revenue"] = joined["l_extendedprice"] * (1 - joined["l_discount"])
    totals = joined.groupby(["l_orderkey", "o_orderdate", "o_shippriority"], as_index=False)["revenue"].sum()
    return totals.sort_values(["revenue", "o_orderdate"], ascending=[False, True]).head(10)[
        ["l_orderkey", "revenue", "o_orderdate", "o_shippriority"]
    ]


def q04(orders: Any, lineitem: Any) -> Any:
    """Order priority checking."""
    late = lineitem[lineitem["l_commitdate"] < lineitem["l_receiptdate"]]
    dates = orders["o_orderdate"]
    quarter = orders[(dates >= pd.Timestamp("1993-07-01")) & (dates < pd.Timestamp("1993-10-01"))]
    quarter = quarter[quarter["o_orderkey"].isin(late["l_orderkey"])]
    return quarter.groupby("o_orderpriority", as_index=False).agg(order_count=("o_orderkey", "count"))


def q05(lineitem: Any, orders: Any, customer: Any, supplier: Any, nation: Any, region: Any) -> Any:
    """Local supplier volume."""
    asia = nation.merge(region[region["r_name"] == "ASIA"], left_on="n_regionkey", right_on="r_regionkey")
    suppliers = supplier.merge(asia, left_on="s_nationkey", right_on="n_nationkey")
    dates = orders["o_orderdate"]
    year = orders[(dates >= pd.Timestamp("1994-01-01")) & (dates < pd.Timestamp("1995-01-01"))]
    bought = year.merge(customer, left_on="o_custkey", right_on="c_custkey")
    joined = lineitem.merge(bought, left_on="l_orderkey", right_on="o_orderkey").merge(
        suppliers, left_on=["l_suppkey", "c_nationkey"], right_on=["s_suppkey", "s_nationkey"]
    )
    joined["revenue"] = joined["l_extendedprice"] * (1 - joined["l_discount"])
    return joined.groupby("n_name", as_index=False)["revenue"].sum().sort_values("revenue", ascending=False)


def q06(lineitem: Any) -> Any:
    """Forecasting revenue change."""
    kept = lineitem[
        (lineitem["l_shipdate"] >= pd.Timestamp("1994-01-01"))
        & (lineitem["l_shipdate"] < pd.Timestamp("1995-01-01"))
        & lineitem["l_discount"].between(0.05 - 1e-9, 0.07 + 1e-9)
        & (lineitem["l_quantity"] < 24)
    ]
    return (kept["l_extendedprice"] * kept["l_discount"]).sum()


def q07(lineitem: Any, orders: Any, customer: Any, supplier: Any, nation: Any) -> Any:
    """Volume shipping."""
    two = nation[nation["n_name"].isin(["FRANCE", "GERMANY"])][["n_nationkey", "n_name"]]
    suppliers = supplier.merge(two, left_on="s_nationkey", right_on="n_nationkey").rename(
        columns={"n_name": "supp_nation"}
    )[["s_suppkey", "supp_nation"]]
    buyers = customer.merge(two, left_on="c_nationkey", right_on="n_nationkey").rename(
        columns={"n_name": "cust_nation"}
    )[["c_custkey", "cust_nation"]]
    shipped = lineitem[lineitem["l_shipdate"].between(pd.Timestamp("1995-01-01"), pd.Timestamp("1996-12-31"))]
    joined = (
        shipped.merge(suppliers, left_on="l_suppkey", right_on="s_suppkey")
        .merge(orders, left_on="l_orderkey", right_on="o_orderkey")
        .merge(buyers, left_on="o_custkey", right_on="c_custkey")
    )
    joined = joined[joined["supp_nation"] != joined["cust_nation"]]
    joined = joined.assign(
        l_year=joined["l_shipdate"].dt.year,
        revenue=joined["l_extendedprice"] * (1 - joined["l_discount"]),
    )
    return joined.groupby(["supp_nation", "cust_nation", "l_year"], as_index=False)["revenue"].sum()


def q08(lineitem: Any, part: Any, supplier: Any, orders: Any, customer: Any, nation: Any, region: Any) -> Any:
    """National market share."""
    steel = part[part["p_type"] == "ECONOMY ANODIZED STEEL"][["p_partkey"]]
    america = nation.merge(
        region[region["r_name"] == "AMERICA"], left_on="n_regionkey", right_on="r_regionkey"
    )
    buyers = customer[customer["c_nationkey"].isin(america["n_nationkey"])]
    dated = orders[
        orders["o_orderdate"].between(pd.Timestamp("1995-01-01"), pd.Timestamp("1996-12-31"))
    ].merge(buyers, left_on="o_custkey", right_on="c_custkey")
    sellers = supplier.merge(nation, left_on="s_nationkey", right_on="n_nationkey")[["s_suppkey", "n_name"]]
    joined = (
        lineitem.merge(steel, left_on="l_partkey", right_on="p_partkey")
        .merge(dated, left_on="l_orderkey", right_on="o_orderkey")
        .merge(sellers, left_on="l_suppkey", right_on="s_suppkey")
    )
    joined["o_year"] = joined["o_orderdate"].dt.year
    joined["volume"] = joined["l_extendedprice"] * (1 - joined["l_discount"])
    joined["brazil"] = joined["volume"].where(joined["n_name"] == "BRAZIL", 0.0)
    years = joined.groupby("o_year", as_index=False)[["brazil", "volume"]].sum()
    return years.assign(mkt_share=years["brazil"] / years["volume"])[["o_year", "mkt_share"]]


def q09(lineitem: Any, part: Any, supplier: Any, partsupp: Any, orders: Any, nation: Any) -> Any:
    """Product type profit measure."""
    green = part[part["p_name"].str.contains("green", regex=False)][["p_partkey"]]
    sellers = supplier.merge(nation, left_on="s_nationkey", right_on="n_nationkey")[["s_suppkey", "n_name"]]
    joined = (
        lineitem.merge(green, left_on="l_partkey", right_on="p_partkey")
        .merge(partsupp, left_on=["l_partkey", "l_suppkey"], right_on=["ps_partkey", "ps_suppkey"])
        .merge(sellers, left_on="l_suppkey", right_on="s_suppkey")
        .merge(orders, left_on="l_orderkey", right_on="o_orderkey")
    )
    joined["o_year"] = joined["o_orderdate"].dt.year
    joined["amount"] = (
        joined["l_extendedprice"] * (1 - joined["l_discount"])
        - joined["ps_supplycost"] * joined["l_quantity"]
    )
    profits = joined.groupby(["n_name", "o_year"], as_index=False).agg(sum_profit=("amount", "sum"))
    return profits.rename(columns={"n_name": "nation"}).sort_values(
        ["nation", "o_year"], ascending=[True, False]
    )


def q10(lineitem: Any, orders: Any, customer: Any, nation: Any) -> Any:
    """Returned item reporting."""
    dates = orders["o_orderdate"]
    quarter = orders[(dates >= pd.Timestamp("1993-10-01")) & (dates < pd.Timestamp("1994-01-01"))]
    buyers = customer.merge(nation, left_on="c_nationkey", right_on="n_nationkey")
    returned = lineitem[lineitem["l_returnflag"] == "R"]
    joined = returned.merge(quarter, left_on="l_orderkey", right_on="o_orderkey").merge(
        buyers, left_on="o_custkey", right_on="c_custkey"
    )
    joined["revenue"] = joined["l_extendedprice"] * (1 - joined["l_discount"])
    keys = ["c_custkey", "c_name", "c_acctbal", "c_phone", "n_name", "c_address", "c_comment"]
    columns = "c_custkey c_name revenue c_acctbal n_name c_address c_phone c_comment"
    totals = joined.groupby(keys, as_index=False)["revenue"].sum()
    return totals.sort_values("revenue", ascending=False).head(20)[columns.split()]


def q11(partsupp: Any, supplier: Any, nation: Any) -> Any:
    """Important stock identification."""
    germany = nation[nation["n_name"] == "GERMANY"]
    suppliers = supplier.merge(germany, left_on="s_nationkey", right_on="n_nationkey")
    stock = partsupp.merge(suppliers, left_on="ps_suppkey", right_on="s_suppkey")
    stock["value"] = stock["ps_supplycost"] * stock["ps_availqty"]
    parts = stock.groupby("ps_partkey", as_index=False)["value"].sum()
    important = parts[parts["value"] > stock["value"].sum() * 0.0001]
    return important.sort_values("value", ascending=False)


QUERIES: dict[str, Callable[..., Any]] = {
    function.__name__: function for function in (q01, q02, q03, q04, q05, q06, q07, q08, q09, q10, q11, *LATE)
}


def tables_of(query: Callable[..., Any]) -> list[str]:
    """The tables that a query needs, the partition first."""
    return list(inspect.signature(query).parameters)
