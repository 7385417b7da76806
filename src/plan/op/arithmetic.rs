//! Arithmetic with the rules of NumPy and pandas.
