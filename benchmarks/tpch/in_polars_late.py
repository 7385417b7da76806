"""The queries q12 to q22 of TPC-H as Polars users write them; `in_polars.py` has the others."""

from __future__ import annotations

from datetime import datetime

import polars as pl
from polars import col

Frame = pl.LazyFrame
REVENUE = (col("l_extendedprice") * (1 - col("l_discount"))).alias("revenue")


def q12(lineitem: Frame, orders: Frame) -> Frame:
    urgent = col("o_orderpriority").is_in(["1-URGENT", "2-HIGH"])
    return (
        lineitem.filter(
            col("l_shipmode").is_in(["MAIL", "SHIP"]),
            col("l_commitdate") < col("l_receiptdate"),
            col("l_shipdate") < col("l_commitdate"),
            col("l_receiptdate").is_between(datetime(1994, 1, 1), datetime(1995, 1, 1), closed="left"),
        )
        .join(orders, left_on="l_orderkey", right_on="o_orderkey")
        .group_by("l_shipmode")
        .agg(urgent.sum().alias("high_line_count"), (~urgent).sum().alias("low_line_count"))
        .sort("l_shipmode")
    )


def q13(customer: Frame, orders: Frame) -> Frame:
    return (
        customer.join(
            orders.filter(~col("o_comment").str.contains("special.*requests")),
            left_on="c_custkey",
            right_on="o_custkey",
            how="left",
        )
        .group_by("c_custkey")
        .agg(pl.count("o_orderkey").alias("c_count"))
        .group_by("c_count")
        .agg(pl.len().alias("custdist"))
        .sort(["custdist", "c_count"], descending=True)
    )


def q14(lineitem: Frame, part: Frame) -> Frame:
    promoted = REVENUE.filter(col("p_type").str.starts_with("PROMO")).sum()
    return (
        lineitem.filter(
            col("l_shipdate").is_between(datetime(1995, 9, 1), datetime(1995, 10, 1), closed="left")
        )
        .join(part, left_on="l_partkey", right_on="p_partkey")
        .select((100.0 * promoted / REVENUE.sum()).alias("answer"))
    )


def q15(lineitem: Frame, supplier: Frame) -> Frame:
    totals = (
        lineitem.filter(
            col("l_shipdate").is_between(datetime(1996, 1, 1), datetime(1996, 4, 1), closed="left")
        )
        .group_by("l_suppkey")
        .agg(REVENUE.sum().alias("total_revenue"))
    )
    return (
        supplier.join(totals, left_on="s_suppkey", right_on="l_suppkey")
        .filter(col("total_revenue") == col("total_revenue").max())
        .select("s_suppkey", "s_name", "s_address", "s_phone", "total_revenue")
        .sort("s_suppkey")
    )


def q16(partsupp: Frame, part: Frame, supplier: Frame) -> Frame:
    complained = supplier.filter(col("s_comment").str.contains("Customer.*Complaints"))
    return (
        part.filter(
            col("p_brand") != "Brand#45",
            ~col("p_type").str.starts_with("MEDIUM POLISHED"),
            col("p_size").is_in([49, 14, 23, 45, 19, 3, 36, 9]),
        )
        .join(partsupp, left_on="p_partkey", right_on="ps_partkey")
        .join(complained, left_on="ps_suppkey", right_on="s_suppkey", how="anti")
        .group_by("p_brand", "p_type", "p_size")
        .agg(pl.n_unique("ps_suppkey").alias("supplier_cnt"))
        .sort(["supplier_cnt", "p_brand", "p_type", "p_size"], descending=[True, False, False, False])
    )


def q17(lineitem: Frame, part: Frame) -> Frame:
    boxes = part.filter(col("p_brand") == "Brand#23", col("p_container") == "MED BOX")
    joined = boxes.join(lineitem, left_on="p_partkey", right_on="l_partkey")
    usual = joined.group_by("p_partkey").agg((0.2 * pl.mean("l_quantity")).alias("usual"))
    return (
        joined.join(usual, on="p_partkey")
        .filter(col("l_quantity") < col("usual"))
        .select((pl.sum("l_extendedprice") / 7.0).alias("answer"))
    )


def q18(lineitem: Frame, orders: Frame, customer: Frame) -> Frame:
    columns = "c_name c_custkey o_orderkey o_orderdate o_totalprice sum_qty"
    return (
        lineitem.group_by("l_orderkey")
        .agg(pl.sum("l_quantity").alias("sum_qty"))
        .filter(col("sum_qty") > 300)
        .join(orders, left_on="l_orderkey", right_on="o_orderkey")
        .join(customer, left_on="o_custkey", right_on="c_custkey")
        .rename({"l_orderkey": "o_orderkey", "o_custkey": "c_custkey"})
        .select(columns.split())
        .sort(["o_totalprice", "o_orderdate"], descending=[True, False])
        .head(100)
    )


def q19(lineitem: Frame, part: Frame) -> Frame:
    def kind(brand: str, containers: str, quantity: int, size: int) -> pl.Expr:
        return (
            (col("p_brand") == brand)
            & col("p_container").is_in(containers.split(","))
            & col("l_quantity").is_between(quantity, quantity + 10)
            & col("p_size").is_between(1, size)
        )

    return (
        lineitem.filter(
            col("l_shipmode").is_in(["AIR", "AIR REG"]),
            col("l_shipinstruct") == "DELIVER IN PERSON",
        )
        .join(part, left_on="l_partkey", right_on="p_partkey")
        .filter(
            kind("Brand#12", "SM CASE,SM BOX,SM PACK,SM PKG", 1, 5)
            | kind("Brand#23", "MED BAG,MED BOX,MED PKG,MED PACK", 10, 10)
            | kind("Brand#34", "LG CASE,LG BOX,LG PACK,LG PKG", 20, 15)
        )
        .select(REVENUE.sum().alias("answer"))
    )


def q20(lineitem: Frame, partsupp: Frame, part: Frame, supplier: Frame, nation: Frame) -> Frame:
    shipped = (
        lineitem.filter(
            col("l_shipdate").is_between(datetime(1994, 1, 1), datetime(1995, 1, 1), closed="left")
        )
        .group_by("l_partkey", "l_suppkey")
        .agg(pl.sum("l_quantity").alias("quantity"))
    )
    excess = (
        part.filter(col("p_name").str.starts_with("forest"))
        .join(partsupp, left_on="p_partkey", right_on="ps_partkey")
        .join(shipped, left_on=["p_partkey", "ps_suppkey"], right_on=["l_partkey", "l_suppkey"])
        .filter(col("ps_availqty") > 0.5 * col("quantity"))
    )
    return (
        supplier.join(nation.filter(col("n_name") == "CANADA"), left_on="s_nationkey", right_on="n_nationkey")
        .join(excess, left_on="s_suppkey", right_on="ps_suppkey", how="semi")
        .select("s_name", "s_address")
        .sort("s_name")
    )


def q21(lineitem: Frame, orders: Frame, supplier: Frame, nation: Frame) -> Frame:
    late = lineitem.filter(col("l_receiptdate") > col("l_commitdate"))
    several = (
        lineitem.group_by("l_orderkey")
        .agg(pl.n_unique("l_suppkey").alias("suppliers"))
        .filter(col("suppliers") > 1)
    )
    blamed = (
        late.group_by("l_orderkey")
        .agg(pl.n_unique("l_suppkey").alias("late_suppliers"))
        .filter(col("late_suppliers") == 1)
    )
    return (
        late.join(several, on="l_orderkey")
        .join(blamed, on="l_orderkey")
        .join(supplier, left_on="l_suppkey", right_on="s_suppkey")
        .join(nation.filter(col("n_name") == "SAUDI ARABIA"), left_on="s_nationkey", right_on="n_nationkey")
        .join(orders.filter(col("o_orderstatus") == "F"), left_on="l_orderkey", right_on="o_orderkey")
        .group_by("s_name")
        .agg(pl.len().alias("numwait"))
        .sort(["numwait", "s_name"], descending=[True, False])
        .head(100)
    )


def q22(customer: Frame, orders: Frame) -> Frame:
    coded = customer.with_columns(col("c_phone").str.slice(0, 2).alias("cntrycode")).filter(
        col("cntrycode").is_in(["13", "31", "23", "29", "30", "18", "17"])
    )
    usual = coded.filter(col("c_acctbal") > 0.0).select(pl.mean("c_acctbal").alias("usual"))
    return (
        coded.join(usual, how="cross")
        .filter(col("c_acctbal") > col("usual"))
        .join(orders, left_on="c_custkey", right_on="o_custkey", how="anti")
        .group_by("cntrycode")
        .agg(pl.len().alias("numcust"), pl.sum("c_acctbal").alias("totacctbal"))
        .sort("cntrycode")
    )


LATE = (q12, q13, q14, q15, q16, q17, q18, q19, q20, q21, q22)
