"""More tables for analysts' functions: prices of shares, readings of sensors, staff of a company, answers to a survey."""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd


@functools.cache
def _prices() -> pd.DataFrame:
    draw = np.random.default_rng(17)
    days = pd.bdate_range("2024-01-02", periods=45)
    parts = []
    for symbol, start in (("AAA", 100.0), ("BBB", 40.0), ("CCC", 250.0)):
        close = np.round(start * np.cumprod(1 + draw.normal(0, 0.02, len(days))), 2)
        part = pd.DataFrame(
            {
                "date": days,
                "symbol": symbol,
                "open": np.round(close * (1 + draw.normal(0, 0.005, len(days))), 2),
                "close": close,
                "volume": draw.integers(1_000, 90_000, len(days)),
            }
        )
        parts.append(part.drop(index=draw.choice(len(days), 4, replace=False)))
    return pd.concat(parts, ignore_index=True).astype({"date": "datetime64[us]", "symbol": "str"})


@functools.cache
def _readings() -> pd.DataFrame:
    draw = np.random.default_rng(19)
    rows = 120
    at = pd.to_datetime("2024-06-01") + pd.to_timedelta(np.cumsum(draw.integers(1, 40, rows)), unit="min")
    value = np.round(20 + 5 * np.sin(np.arange(rows) / 9) + draw.normal(0, 0.4, rows), 2)
    value[draw.random(rows) < 0.1] = np.nan
    value[50] = 99.0
    return pd.DataFrame(
        {
            "at": pd.Series(at).astype("datetime64[us]"),
            "sensor": draw.choice(["s1", "s2", "s3"], rows),
            "celsius": value,
            "battery": np.round(np.linspace(4.1, 3.3, rows), 3),
            "ok": draw.random(rows) < 0.9,
        }
    )


@functools.cache
def _staff() -> pd.DataFrame:
    draw = np.random.default_rng(23)
    rows = 60
    hired = pd.to_datetime("2012-01-01") + pd.to_timedelta(draw.integers(0, 4300, rows), unit="D")
    left = pd.Series(hired) + pd.to_timedelta(draw.integers(90, 2500, rows), unit="D")
    left[(draw.random(rows) < 0.7) | (left > "2024-01-01").to_numpy()] = pd.NaT
    skills = draw.choice(["sql", "python", "sql|python", "excel|sql", "", "python|spark|sql"], rows).astype(
        object
    )
    skills[draw.random(rows) < 0.1] = None
    return pd.DataFrame(
        {
            "id": np.arange(1, rows + 1),
            "name": [
                f"{a} {b}"
                for a, b in zip(
                    draw.choice(["Ada", "Bo", "Cleo", "Dan"], rows),
                    draw.choice(["Ott", "Lund", "Ito", "Ray-Smith"], rows),
                    strict=True,
                )
            ],
            "team": draw.choice(["data", "ops", "sales", "hr"], rows, p=[0.4, 0.3, 0.2, 0.1]),
            "manager": draw.integers(1, 9, rows),
            "salary": draw.integers(30, 140, rows) * 1_000,
            "hired": pd.Series(hired).astype("datetime64[us]"),
            "left": left.astype("datetime64[us]"),
            "skills": pd.Series(skills, dtype="str"),
            "rating": pd.Series(draw.choice([1.0, 2.0, 3.0, 4.0, 5.0, np.nan], rows)),
        }
    )


@functools.cache
def _answers() -> pd.DataFrame:
    draw = np.random.default_rng(29)
    rows = 80
    scale = np.array(["disagree", "neutral", "agree", None], dtype=object)
    comment = draw.choice(
        [
            "Great service, would come again.",
            "too slow; staff was friendly",
            "",
            "Prices are high - quality is fine",
            None,
        ],
        rows,
    )
    return pd.DataFrame(
        {
            "person": np.arange(rows),
            "age": draw.integers(16, 80, rows),
            "region": draw.choice(["north", "south", "east"], rows),
            "q1": pd.Series(draw.choice(scale, rows), dtype="str"),
            "q2": pd.Series(draw.choice(scale, rows), dtype="str"),
            "score": pd.Series(np.where(draw.random(rows) < 0.1, np.nan, draw.integers(0, 11, rows))),
            "weight": np.round(draw.uniform(0.5, 2.0, rows), 3),
            "channels": draw.choice(["web", "web, mail", "phone", "mail, phone, web"], rows),
            "comment": pd.Series(comment, dtype="str"),
        }
    )


def prices() -> pd.DataFrame:
    """Daily prices of three shares, with days missing."""
    return _prices().copy()


def readings() -> pd.DataFrame:
    """What three sensors measured, by time, not regularly."""
    return _readings().copy()


def staff() -> pd.DataFrame:
    """People of a company, some of whom have left."""
    return _staff().copy()


def answers() -> pd.DataFrame:
    """Answers to a survey, with weights."""
    return _answers().copy()
