//! Which rows are chosen by place, as Python says it.

use pyo3::prelude::*;

use crate::plan::draw::{Draw, Size};

/// A number of rows or else a share of them, whether rows may repeat, and the seed; or a list of places.
#[derive(FromPyObject)]
pub enum PyDraw {
    Sample(u64, Option<f64>, bool, u32),
    Places(Vec<i64>),
}

impl From<PyDraw> for Draw {
    fn from(draw: PyDraw) -> Self {
        match draw {
            PyDraw::Sample(rows, share, replace, seed) => {
                Draw::Sample { size: share.map_or(Size::Rows(rows), Size::Share), replace, seed }
            }
            PyDraw::Places(places) => Draw::Places(places),
        }
    }
}
