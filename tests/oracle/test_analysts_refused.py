"""What analysts write and cannot have natively is refused before anything runs, with their line and what to do instead."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from rlm_hypervisor import NotDecomposableError, RLMClient

from tests.conftest import make_task
from tests.oracle._business import Operation, orders


def _loop_over_rows(df: Any) -> Any:
    return sum(row["amount"] for _, row in df.iterrows())


def _rows_counted(df: Any) -> Any:
    return df.groupby("customer").filter(lambda g: len(g) > 7)


def _codes_of_a_category(df: Any) -> Any:
    return df["status"].astype("category").cat.codes


def _column_of_a_pivot(df: Any) -> Any:
    wide = df.pivot_table(index="customer", columns="status", values="amount")
    return wide["paid"] - wide["open"]


def _if_of_a_total(df: Any) -> Any:
    return df.head(3) if df["amount"].sum() > 100 else df


def _days_first(df: Any) -> Any:
    return pd.to_datetime(df["name"], dayfirst=True)


def _unordered_labels(df: Any) -> Any:
    return df["country"].value_counts() / df[df["quantity"] > 3]["country"].value_counts()


def _compared_with_other_rows(df: Any) -> Any:
    return df["amount"] == df[df["quantity"] > 3]["amount"]


def _whole_group_sorted_by_apply(df: Any) -> Any:
    return df.groupby("country", sort=False).apply(lambda g: g.sort_values("amount").head(1))


@pytest.mark.parametrize(
    ("operation", "said"),
    [
        (_loop_over_rows, "column arithmetic"),
        (_rows_counted, r"`p\.shape\[0\]`"),
        (_codes_of_a_category, "pd.factorize"),
        (_column_of_a_pivot, "keep the rows long"),
        (_if_of_a_total, "select rows with"),
        (_days_first, "format="),
        (_unordered_labels, "sort_index"),
        (_compared_with_other_rows, "same frame"),
        (_whole_group_sorted_by_apply, "reset_index"),
    ],
)
def test_what_is_refused_says_what_to_do(client: RLMClient, operation: Operation, said: str) -> None:
    with pytest.raises(NotDecomposableError, match=said) as caught:
        client.execute(make_task(orders(), operation))
    assert "test_analysts_refused.py" in str(caught.value)
