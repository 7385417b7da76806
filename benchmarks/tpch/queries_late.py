"""The queries q12 to q22 of TPC-H as a pandas user writes them; `queries.py` has the others and says how."""

from __future__ import annotations

from typing import Any

import pandas as pd


def q12(lineitem: Any, orders: Any) -> Any:
    """Shipping modes and order priority."""
    kept = lineitem[
        lineitem["l_shipmode"].isin(["MAIL", "SHIP"])
        & (lineitem["l_commitdate"] < lineitem["l_receiptdate"])
        & (lineitem["l_shipdate"] < lineitem["l_commitdate"])
        & (lineitem["l_receiptdate"] >= pd.Timestamp("1994-01-01"))
        & (lineitem["l_receiptdate"] < pd.Timestamp("1995-01-01"))
    ]
    joined = kept.merge(orders, left_on="l_orderkey", right_on="o_orderkey")
    urgent = joined["o_orderpriority"].isin(["1-URGENT", "2-HIGH"])
    joined = joined.assign(high_line_count=urgent.astype("int64"), low_line_count=(~urgent).astype("int64"))
    return joined.groupby("l_shipmode", as_index=False)[["high_line_count", "low_line_count"]].sum()


def q13(customer: Any, orders: Any) -> Any:
    """Customer distribution."""
    usual = orders[~orders["o_comment"].str.contains("special.*requests")]
    joined = customer.merge(usual, how="left", left_on="c_custkey", right_on="o_custkey")
    counts = joined.groupby("c_custkey", as_index=False).agg(c_count=("o_orderkey", "count"))
    spread = counts.groupby("c_count", as_index=False).agg(custdist=("c_custkey", "size"))
    return spread.sort_values(["custdist", "c_count"], ascending=False)


def q14(lineitem: Any, part: Any) -> Any:
    """Promotion effect."""
    dates = lineitem["l_shipdate"]
    month = lineitem[(dates >= pd.Timestamp("1995-09-01")) & (dates < pd.Timestamp("1995-10-01"))]
    joined = month.merge(part, left_on="l_partkey", right_on="p_partkey")
    revenue = joined["l_extendedprice"] * (1 - joined["l_discount"])
    return 100 * revenue.where(joined["p_type"].str.startswith("PROMO"), 0.0).sum() / revenue.sum()


def q15(lineitem: Any, supplier: Any) -> Any:
    """Top supplier."""
    dates = lineitem["l_shipdate"]
    quarter = lineitem[(dates >= pd.Timestamp("1996-01-01")) & (dates < pd.Timestamp("1996-04-01"))]
    quarter = quarter.assign(revenue=quarter["l_extendedprice"] * (1 - quarter["l_discount"]))
    totals = quarter.groupby("l_suppkey", as_index=False).agg(total_revenue=("revenue", "sum"))
    best = totals[totals["total_revenue"] == totals["total_revenue"].max()]
    joined = supplier.merge(best, left_on="s_suppkey", right_on="l_suppkey")
    return joined[["s_suppkey", "s_name", "s_address", "s_phone", "total_revenue"]].sort_values("s_suppkey")


def q16(partsupp: Any, part: Any, supplier: Any) -> Any:
    """Parts/supplier relationship."""
    complained = supplier[supplier["s_comment"].str.contains("Customer.*Complaints")]
    parts = part[
        (part["p_brand"] != "Brand#45")
        & ~part["p_type"].str.startswith("MEDIUM POLISHED")
        & part["p_size"].isin([49, 14, 23, 45, 19, 3, 36, 9])
    ]
    offers = partsupp[~partsupp["ps_suppkey"].isin(complained["s_suppkey"])]
    joined = offers.merge(parts, left_on="ps_partkey", right_on="p_partkey")
    counts = joined.groupby(["p_brand", "p_type", "p_size"], as_index=False).agg(
        supplier_cnt=("ps_suppkey", "nunique")
    )
    return counts.sort_values(
        ["supplier_cnt", "p_brand", "p_type", "p_size"], ascending=[False, True, True, True]
    )


def q17(lineitem: Any, part: Any) -> Any:
    """Small-quantity-order revenue."""
    boxes = part[(part["p_brand"] == "Brand#23") & (part["p_container"] == "MED BOX")]
    joined = lineitem.merge(boxes, left_on="l_partkey", right_on="p_partkey")
    usual = joined.groupby("l_partkey")["l_quantity"].transform("mean")
    return joined[joined["l_quantity"] < 0.2 * usual]["l_extendedprice"].sum() / 7.0


def q18(lineitem: Any, orders: Any, customer: Any) -> Any:
    """Large volume customer."""
    sizes = lineitem.groupby("l_orderkey", as_index=False).agg(sum_qty=("l_quantity", "sum"))
    large = sizes[sizes["sum_qty"] > 300]
    joined = large.merge(orders, left_on="l_orderkey", right_on="o_orderkey").merge(
        customer, left_on="o_custkey", right_on="c_custkey"
    )
    columns = "c_name c_custkey o_orderkey o_orderdate o_totalprice sum_qty"
    return joined.sort_values(["o_totalprice", "o_orderdate"], ascending=[False, True]).head(100)[
        columns.split()
    ]


def q19(lineitem: Any, part: Any) -> Any:
    """Discounted revenue."""
    kept = lineitem[
        lineitem["l_shipmode"].isin(["AIR", "AIR REG"]) & (lineitem["l_shipinstruct"] == "DELIVER IN PERSON")
    ]
    joined = kept.merge(part, left_on="l_partkey", right_on="p_partkey")
    brand, container = joined["p_brand"], joined["p_container"]
    size, quantity = joined["p_size"], joined["l_quantity"]
    small = (
        (brand == "Brand#12")
        & container.isin(["SM CASE", "SM BOX", "SM PACK", "SM PKG"])
        & quantity.between(1, 11)
        & size.between(1, 5)
    )
    medium = (
        (brand == "Brand#23")
        & container.isin(["MED BAG", "MED BOX", "MED PKG", "MED PACK"])
        & quantity.between(10, 20)
        & size.between(1, 10)
    )
    large = (
        (brand == "Brand#34")
        & container.isin(["LG CASE", "LG BOX", "LG PACK", "LG PKG"])
        & quantity.between(20, 30)
        & size.between(1, 15)
    )
    chosen = joined[small | medium | large]
    return (chosen["l_extendedprice"] * (1 - chosen["l_discount"])).sum()


def q20(lineitem: Any, partsupp: Any, part: Any, supplier: Any, nation: Any) -> Any:
    """Potential part promotion."""
    dates = lineitem["l_shipdate"]
    year = lineitem[(dates >= pd.Timestamp("1994-01-01")) & (dates < pd.Timestamp("1995-01-01"))]
    shipped = year.groupby(["l_partkey", "l_suppkey"], as_index=False).agg(quantity=("l_quantity", "sum"))
    forest = part[part["p_name"].str.startswith("forest")]
    offers = partsupp[partsupp["ps_partkey"].isin(forest["p_partkey"])].merge(
        shipped, left_on=["ps_partkey", "ps_suppkey"], right_on=["l_partkey", "l_suppkey"]
    )
    excess = offers[offers["ps_availqty"] > 0.5 * offers["quantity"]]
    canada = supplier.merge(
        nation[nation["n_name"] == "CANADA"], left_on="s_nationkey", right_on="n_nationkey"
    )
    return canada[canada["s_suppkey"].isin(excess["ps_suppkey"])][["s_name", "s_address"]].sort_values(
        "s_name"
    )


def q21(lineitem: Any, orders: Any, supplier: Any, nation: Any) -> Any:
    """Suppliers who kept orders waiting."""
    suppliers = lineitem.groupby("l_orderkey", as_index=False).agg(suppliers=("l_suppkey", "nunique"))
    late = lineitem[lineitem["l_receiptdate"] > lineitem["l_commitdate"]]
    blamed = late.groupby("l_orderkey", as_index=False).agg(late_suppliers=("l_suppkey", "nunique"))
    saudi = supplier.merge(
        nation[nation["n_name"] == "SAUDI ARABIA"], left_on="s_nationkey", right_on="n_nationkey"
    )
    finished = orders[orders["o_orderstatus"] == "F"]
    joined = (
        late.merge(saudi, left_on="l_suppkey", right_on="s_suppkey")
        .merge(finished, left_on="l_orderkey", right_on="o_orderkey")
        .merge(suppliers, on="l_orderkey")
        .merge(blamed, on="l_orderkey")
    )
    alone = joined[(joined["suppliers"] > 1) & (joined["late_suppliers"] == 1)]
    counts = alone.groupby("s_name", as_index=False).agg(numwait=("l_orderkey", "size"))
    return counts.sort_values(["numwait", "s_name"], ascending=[False, True]).head(100)


def q22(customer: Any, orders: Any) -> Any:
    """Global sales opportunity."""
    coded = customer.assign(cntrycode=customer["c_phone"].str[:2])
    coded = coded[coded["cntrycode"].isin(["13", "31", "23", "29", "30", "18", "17"])]
    rich = coded[coded["c_acctbal"] > coded[coded["c_acctbal"] > 0.0]["c_acctbal"].mean()]
    silent = rich[~rich["c_custkey"].isin(orders["o_custkey"])]
    return silent.groupby("cntrycode", as_index=False).agg(
        numcust=("c_acctbal", "size"), totacctbal=("c_acctbal", "sum")
    )


LATE = (q12, q13, q14, q15, q16, q17, q18, q19, q20, q21, q22)
