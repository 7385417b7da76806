//! Frames that come out with a column of flags for each value of some columns.

use super::{Frame, Kind};
use crate::error::{Error, Result};
use crate::plan::dummies::Dummies;

impl Frame {
    /// This frame, its last columns encoded. They are those that `dummies` speaks of.
    pub fn dummies(&self, dummies: Dummies) -> Result<Self> {
        if self.kind != Kind::Frame || self.columns.len() < 2 * dummies.encoded.len() {
            return Err(Error::internal("flags of other columns than they say"));
        }
        Ok(Self { kind: Kind::Dummies(Box::new(dummies)), ..self.clone() })
    }
}
