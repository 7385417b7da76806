"""The questions and joins of db-benchmark as Polars users write them: lazy frames in, a lazy frame out."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

Frame = pl.LazyFrame


def q1(x: Frame) -> Frame:
    return x.group_by("id1").agg(pl.sum("v1"))


def q2(x: Frame) -> Frame:
    return x.group_by("id1", "id2").agg(pl.sum("v1"))


def q3(x: Frame) -> Frame:
    return x.group_by("id3").agg(pl.sum("v1"), pl.mean("v3"))


def q4(x: Frame) -> Frame:
    return x.group_by("id4").agg(pl.mean("v1", "v2", "v3"))


def q5(x: Frame) -> Frame:
    return x.group_by("id6").agg(pl.sum("v1", "v2", "v3"))


def q6(x: Frame) -> Frame:
    return x.group_by("id4", "id5").agg(pl.median("v3").alias("median_v3"), pl.std("v3").alias("sd_v3"))


def q7(x: Frame) -> Frame:
    return x.group_by("id3").agg((pl.max("v1") - pl.min("v2")).alias("range_v1_v2"))


def q8(x: Frame) -> Frame:
    largest = pl.col("v3").top_k(2).alias("largest2_v3")
    return x.drop_nulls("v3").group_by("id6").agg(largest).explode("largest2_v3")


def q9(x: Frame) -> Frame:
    return x.group_by("id2", "id4").agg((pl.corr("v1", "v2") ** 2).alias("r2"))


def q10(x: Frame) -> Frame:
    keys = ["id1", "id2", "id3", "id4", "id5", "id6"]
    return x.group_by(keys).agg(pl.sum("v3"), pl.count("v1").alias("count"))


def j1(x: Frame, small: Frame) -> Frame:
    return x.join(small, on="id1")


def j2(x: Frame, medium: Frame) -> Frame:
    return x.join(medium, on="id2")


def j3(x: Frame, medium: Frame) -> Frame:
    return x.join(medium, on="id2", how="left")


def j4(x: Frame, medium: Frame) -> Frame:
    return x.join(medium, on="id5")


def j5(x: Frame, big: Frame) -> Frame:
    return x.join(big, on="id3")


POLARS: dict[str, Callable[..., Frame]] = {
    function.__name__: function for function in (q1, q2, q3, q4, q5, q6, q7, q8, q9, q10, j1, j2, j3, j4, j5)
}
