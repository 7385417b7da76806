"""The queries of TPC-H as Polars users write them: q01 to q11 here, q12 to q22 in `in_polars_late.py`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import polars as pl
from polars import col

from .in_polars_late import LATE

Frame = pl.LazyFrame
REVENUE = (col("l_extendedprice") * (1 - col("l_discount"))).alias("revenue")


def q01(lineitem: Frame) -> Frame:
    return (
        lineitem.filter(col("l_shipdate") <= datetime(1998, 9, 2))
        .group_by("l_returnflag", "l_linestatus")
        .agg(
            pl.sum("l_quantity").alias("sum_qty"),
            pl.sum("l_extendedprice").alias("sum_base_price"),
            REVENUE.sum().alias("sum_disc_price"),
            (REVENUE * (1 + col("l_tax"))).sum().alias("sum_charge"),
            pl.mean("l_quantity").alias("avg_qty"),
            pl.mean("l_extendedprice").alias("avg_price"),
            pl.mean("l_discount").alias("avg_disc"),
            pl.len().alias("count_order"),
        )
        .sort("l_returnflag", "l_linestatus")
    )


def q02(part: Frame, partsupp: Frame, supplier: Frame, nation: Frame, region: Frame) -> Frame:
    offers = (
        part.filter(col("p_size") == 15, col("p_type").str.ends_with("BRASS"))
        .join(partsupp, left_on="p_partkey", right_on="ps_partkey")
        .join(supplier, left_on="ps_suppkey", right_on="s_suppkey")
        .join(nation, left_on="s_nationkey", right_on="n_nationkey")
        .join(region.filter(col("r_name") == "EUROPE"), left_on="n_regionkey", right_on="r_regionkey")
    )
    least = offers.group_by("p_partkey").agg(pl.min("ps_supplycost"))
    columns = "s_acctbal s_name n_name p_partkey p_mfgr s_address s_phone s_comment"
    return (
        offers.join(least, on=["p_partkey", "ps_supplycost"])
        .select(columns.split())
        .sort(["s_acctbal", "n_name", "s_name", "p_partkey"], descending=[True, False, False, False])
        .head(100)
    )


def q03(lineitem: Frame, orders: Frame, customer: Frame) -> Frame:
    day = datetime(1995, 3, 15)
    return (
        customer.filter(col("c_mktsegment") == "BUILDING")
        .join(orders.filter(col("o_orderdate") < day), left_on="c_custkey", right_on="o_custkey")
        .join(lineitem.filter(col("l_shipdate") > day), left_on="o_orderkey", right_on="l_orderkey")
        .group_by("o_orderkey", "o_orderdate", "o_shippriority")
        .agg(REVENUE.sum())
        .select(col("o_orderkey").alias("l_orderkey"), "revenue", "o_orderdate", "o_shippriority")
        .sort(["revenue", "o_orderdate"], descending=[True, False])
        .head(10)
    )


def q04(orders: Frame, lineitem: Frame) -> Frame:
    return (
        orders.filter(
            col("o_orderdate").is_between(datetime(1993, 7, 1), datetime(1993, 10, 1), closed="left")
        )
        .join(
            lineitem.filter(col("l_commitdate") < col("l_receiptdate")),
            left_on="o_orderkey",
            right_on="l_orderkey",
            how="semi",
        )
        .group_by("o_orderpriority")
        .agg(pl.len().alias("order_count"))
        .sort("o_orderpriority")
    )


def q05(
    lineitem: Frame, orders: Frame, customer: Frame, supplier: Frame, nation: Frame, region: Frame
) -> Frame:
    return (
        region.filter(col("r_name") == "ASIA")
        .join(nation, left_on="r_regionkey", right_on="n_regionkey")
        .join(customer, left_on="n_nationkey", right_on="c_nationkey")
        .join(orders, left_on="c_custkey", right_on="o_custkey")
        .filter(col("o_orderdate").is_between(datetime(1994, 1, 1), datetime(1995, 1, 1), closed="left"))
        .join(lineitem, left_on="o_orderkey", right_on="l_orderkey")
        .join(supplier, left_on=["l_suppkey", "n_nationkey"], right_on=["s_suppkey", "s_nationkey"])
        .group_by("n_name")
        .agg(REVENUE.sum())
        .sort("revenue", descending=True)
    )


def q06(lineitem: Frame) -> Frame:
    return lineitem.filter(
        col("l_shipdate").is_between(datetime(1994, 1, 1), datetime(1995, 1, 1), closed="left"),
        col("l_discount").is_between(0.05 - 1e-9, 0.07 + 1e-9),
        col("l_quantity") < 24,
    ).select((col("l_extendedprice") * col("l_discount")).sum().alias("answer"))


def q07(lineitem: Frame, orders: Frame, customer: Frame, supplier: Frame, nation: Frame) -> Frame:
    two = nation.filter(col("n_name").is_in(["FRANCE", "GERMANY"])).select("n_nationkey", "n_name")
    sellers = supplier.join(two, left_on="s_nationkey", right_on="n_nationkey")
    buyers = customer.join(two, left_on="c_nationkey", right_on="n_nationkey")
    return (
        lineitem.filter(col("l_shipdate").is_between(datetime(1995, 1, 1), datetime(1996, 12, 31)))
        .join(sellers.rename({"n_name": "supp_nation"}), left_on="l_suppkey", right_on="s_suppkey")
        .join(orders, left_on="l_orderkey", right_on="o_orderkey")
        .join(buyers.rename({"n_name": "cust_nation"}), left_on="o_custkey", right_on="c_custkey")
        .filter(col("supp_nation") != col("cust_nation"))
        .group_by("supp_nation", "cust_nation", col("l_shipdate").dt.year().alias("l_year"))
        .agg(REVENUE.sum())
        .sort("supp_nation", "cust_nation", "l_year")
    )


def q08(
    lineitem: Frame,
    part: Frame,
    supplier: Frame,
    orders: Frame,
    customer: Frame,
    nation: Frame,
    region: Frame,
) -> Frame:
    sellers = nation.select("n_nationkey", col("n_name").alias("nation"))
    share = REVENUE.filter(col("nation") == "BRAZIL").sum() / REVENUE.sum()
    return (
        part.filter(col("p_type") == "ECONOMY ANODIZED STEEL")
        .join(lineitem, left_on="p_partkey", right_on="l_partkey")
        .join(supplier, left_on="l_suppkey", right_on="s_suppkey")
        .join(orders, left_on="l_orderkey", right_on="o_orderkey")
        .filter(col("o_orderdate").is_between(datetime(1995, 1, 1), datetime(1996, 12, 31)))
        .join(customer, left_on="o_custkey", right_on="c_custkey")
        .join(nation, left_on="c_nationkey", right_on="n_nationkey")
        .join(region.filter(col("r_name") == "AMERICA"), left_on="n_regionkey", right_on="r_regionkey")
        .join(sellers, left_on="s_nationkey", right_on="n_nationkey")
        .group_by(col("o_orderdate").dt.year().alias("o_year"))
        .agg(share.alias("mkt_share"))
        .sort("o_year")
    )


def q09(
    lineitem: Frame, part: Frame, supplier: Frame, partsupp: Frame, orders: Frame, nation: Frame
) -> Frame:
    return (
        part.filter(col("p_name").str.contains("green", literal=True))
        .join(partsupp, left_on="p_partkey", right_on="ps_partkey")
        .join(supplier, left_on="ps_suppkey", right_on="s_suppkey")
        .join(lineitem, left_on=["p_partkey", "ps_suppkey"], right_on=["l_partkey", "l_suppkey"])
        .join(orders, left_on="l_orderkey", right_on="o_orderkey")
        .join(nation, left_on="s_nationkey", right_on="n_nationkey")
        .group_by(col("n_name").alias("nation"), col("o_orderdate").dt.year().alias("o_year"))
        .agg((REVENUE - col("ps_supplycost") * col("l_quantity")).sum().alias("sum_profit"))
        .sort(["nation", "o_year"], descending=[False, True])
    )


def q10(lineitem: Frame, orders: Frame, customer: Frame, nation: Frame) -> Frame:
    keys = ["c_custkey", "c_name", "c_acctbal", "c_phone", "n_name", "c_address", "c_comment"]
    columns = "c_custkey c_name revenue c_acctbal n_name c_address c_phone c_comment"
    return (
        orders.filter(
            col("o_orderdate").is_between(datetime(1993, 10, 1), datetime(1994, 1, 1), closed="left")
        )
        .join(customer, left_on="o_custkey", right_on="c_custkey")
        .join(lineitem.filter(col("l_returnflag") == "R"), left_on="o_orderkey", right_on="l_orderkey")
        .join(nation, left_on="c_nationkey", right_on="n_nationkey")
        .rename({"o_custkey": "c_custkey"})
        .group_by(keys)
        .agg(REVENUE.sum())
        .select(columns.split())
        .sort("revenue", descending=True)
        .head(20)
    )


def q11(partsupp: Frame, supplier: Frame, nation: Frame) -> Frame:
    value = (col("ps_supplycost") * col("ps_availqty")).sum().alias("value")
    stock = partsupp.join(supplier, left_on="ps_suppkey", right_on="s_suppkey").join(
        nation.filter(col("n_name") == "GERMANY"), left_on="s_nationkey", right_on="n_nationkey"
    )
    least = stock.select((value * 0.0001).alias("least"))
    return (
        stock.group_by("ps_partkey")
        .agg(value)
        .join(least, how="cross")
        .filter(col("value") > col("least"))
        .select("ps_partkey", "value")
        .sort("value", descending=True)
    )


POLARS: dict[str, Callable[..., Frame]] = {
    function.__name__: function for function in (q01, q02, q03, q04, q05, q06, q07, q08, q09, q10, q11, *LATE)
}
