//! Numbers of 64 bits that order as values do.

pub trait Code: Copy {
    /// Equal for equal values; both zeros are.
    fn code(self) -> u64;
}

macro_rules! code {
    (signed $($native:ty)*) => { $(impl Code for $native { fn code(self) -> u64 { (self as i64 as u64) ^ (1 << 63) } })* };
    (unsigned $($native:ty)*) => { $(impl Code for $native { fn code(self) -> u64 { self as u64 } })* };
}

code!(signed i8 i16 i32 i64);
code!(unsigned u8 u16 u32 u64);

impl Code for f64 {
    fn code(self) -> u64 {
        let bits = (self + 0.0).to_bits();
        if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
    }
}

impl Code for f32 {
    fn code(self) -> u64 {
        f64::from(self).code()
    }
}
