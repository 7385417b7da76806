"""Groupings that a question reads several times: by its own scalars, merges and further groupings."""

READ_TWICE = """
g = p.groupby("k", as_index=False)["i"].sum(); g[g["i"] == g["i"].max()]
g = p.groupby("k")["x"].mean(); g[g > g.mean()]
g = p.groupby("k")["x"].mean(); (g - g.min()) / (g.max() - g.min())
g = p.groupby(["k", "g"])["i"].max().reset_index(); g.merge(g.groupby("k")["i"].min().reset_index(), on="k")
g = p.groupby(["k", "b"], dropna=False)["i"].count().reset_index(); g[g["k"].isin(g.loc[g["i"] > 2, "k"])]
g = p.groupby("t", sort=False)["s"].first(); g[g != g.iloc[:1].max()]
g = p.groupby("k", as_index=False)["f"].max(); pd.concat([g, g[g["f"] > 1]])
g = p.groupby("k")["b"].sum(); g[g >= g.median()].sort_values(kind="stable")
g = p.groupby("k", as_index=False)["y"].sum(); g.assign(share=g["y"] / g["y"].sum(), place=g["y"].rank())
"""
