"""One line that an analyst writes, each as pandas answers it on the whole table: questions about orders and events."""

from __future__ import annotations

import pytest
from rlm_hypervisor import RLMClient

from tests.oracle._business import agrees, events, orders
from tests.oracle._cases import Case, _parse

OF_ORDERS = """
p.groupby("country").agg(n=("order_id", "size"), big=("amount", lambda s: (s > 50).mean()), mid=("amount", "median"))
p.groupby(p["placed"].dt.date)["amount"].sum()
p.set_index("placed").loc["2024-02"]["amount"].sum()
p.set_index("placed").loc["2024-02-10":"2024-02-20", "amount"]
p.set_index("placed")["amount"].loc["2024-03":].count()
p[p["placed"].between("2024-02-01", "2024-02-29")].shape[0]
p.sort_values(["country", "amount"], ascending=[True, False], na_position="first").groupby("country").nth(0)
p.groupby("country")["amount"].apply(lambda s: s.fillna(s.mean()))
p.groupby("country", group_keys=False)["amount"].apply(lambda s: s / s.sum())
q = p["amount"].quantile([0.25, 0.5, 0.75]); q.loc[0.75] - q.loc[0.25]
p["amount"].describe().round(2)
p.isna().sum()
p.groupby("country").size().to_frame("n").assign(share=lambda t: t.n / t.n.sum())
p.groupby(["country", "status"]).size().groupby(level=0).transform(lambda s: s / s.sum())
p.groupby(["country", "status"]).size().groupby(level="country").apply(lambda s: s / s.sum())
t = p.groupby(["country", "status"])["amount"].sum(); t / t.groupby(level="country").transform("sum")
p.assign(q=p["placed"].dt.quarter).pivot_table(index="country", columns="q", values="amount", aggfunc=["sum", "count"])
p.groupby("customer")["placed"].agg(lambda s: (s.max() - s.min()).days)
p.groupby("customer").agg({"amount": ["mean", "std"], "placed": ["min", "max"]})
p["rank"] = p.groupby("country")["amount"].rank(pct=True); p[p["rank"] > 0.9].shape[0]
p.nlargest(5, "amount")[["order_id", "amount"]].reset_index(drop=True)
p["name"].str.contains("ann|bob", case=False).groupby(p["country"]).sum()
p.drop_duplicates(["customer", "country"]).groupby("country")["customer"].count()
p.groupby("customer")["country"].nunique().value_counts()
p.groupby("customer")["country"].agg(", ".join)
p["amount"].rolling(5).mean().shift(1).bfill()
p.eval("net = amount * (1 - discount)")["net"].sum()
p.select_dtypes("number").corr().round(3)
p.select_dtypes("number").agg(["min", "max"]).T
p.groupby("country")[["amount", "quantity"]].agg("sum").reset_index().melt(id_vars="country")
p.set_index("order_id").loc[1005:1010, "amount"]
p.set_index("customer").loc[["c01", "c02"], "amount"]
p.groupby("country")["amount"].sum().sort_values(ascending=False).index[0]
p["customer"].where(p["customer"].isin(p["customer"].value_counts().index[:3]), "other").value_counts()
p.replace({"status": {"paid": "P", "open": "O"}})["status"].value_counts()
p["status"].map(lambda s: s[0].upper()).value_counts()
p.merge(p.groupby("customer")["amount"].mean().rename("avg").reset_index(), on="customer").query("amount > avg")["order_id"]
p.join(p.groupby("customer")["amount"].mean().rename("avg"), on="customer")["avg"].round(3)
p.groupby("country").apply(lambda g: (g["amount"] * g["quantity"]).sum() / g["quantity"].sum())
p.groupby("country").apply(lambda g: g["amount"].quantile(0.9) - g["amount"].quantile(0.1))
p["before"] = p.sort_values("placed").groupby("customer")["amount"].shift(); p["before"]
p["so_far"] = p.sort_values("amount").groupby("country")["amount"].cumsum(); p[["order_id", "so_far"]]
pd.cut(p.groupby("customer")["amount"].sum(), [0, 200, 400, 1e9], labels=["c", "b", "a"]).astype(str).value_counts()
p.groupby(p["placed"].dt.to_period("W").astype(str))["order_id"].count()
p.groupby("customer")["placed"].apply(lambda s: s.diff().mean())
p.loc[p.groupby("country")["amount"].transform("max") == p["amount"]]
p.groupby("country")["status"].value_counts(normalize=True)
p.assign(bucket=np.floor(p["amount"] / 50) * 50).groupby("bucket").size()
p["amount"].sub(p["amount"].mean()).div(p["amount"].std()).abs().max()
p.groupby("country")["amount"].agg(["sum", "count"]).eval("sum / count")
p.groupby("status").sum(numeric_only=True)
p[["country", "status"]].value_counts().reset_index()
"""

OF_EVENTS = """
p["gap"] = p.sort_values("at").groupby("user")["at"].diff().dt.total_seconds(); p.groupby("user")["gap"].max()
p.groupby("user")["kind"].apply(lambda s: (s == "buy").any())
p.groupby("user")["kind"].agg(" > ".join)
p.assign(hour=p["at"].dt.floor("h")).groupby("hour")["user"].nunique().rolling(3, min_periods=1).mean()
p.set_index("at").groupby("kind")["value"].rolling("3h", min_periods=1).sum().reset_index()
p.groupby("user")["value"].apply(lambda s: s.rolling(2).sum().max())
p.pivot_table(index="user", columns="kind", values="value", aggfunc="count", fill_value=0).reset_index()
p["url"].str.extract(r"/p/(\\d+)")[0].astype(int).mode()
p["at"].dt.strftime("%H").value_counts(normalize=True).head(3)
p.groupby("user").tail(1).set_index("user")["kind"]
p.groupby("user")["value"].transform(lambda s: s.ffill().bfill())
p.resample("6h", on="at")["kind"].apply(lambda s: (s == "buy").sum())
p.set_index("at").between_time("20:00", "23:59")["user"].nunique()
p.set_index("at")["value"].resample("h").mean().interpolate()
p.groupby("user").cumcount().add(1).groupby(p["kind"]).mean()
p.groupby([p["user"] % 2 == 0, "kind"])["value"].sum()
"""


@pytest.mark.parametrize("case", _parse(OF_ORDERS), ids=lambda case: case.name)
def test_of_orders(client: RLMClient, case: Case) -> None:
    agrees(client, case.function, orders)


@pytest.mark.parametrize("case", _parse(OF_EVENTS), ids=lambda case: case.name)
def test_of_events(client: RLMClient, case: Case) -> None:
    agrees(client, case.function, events)
