//! Instants of twelve bytes, as Hive, Impala and Spark write them: the nanoseconds of a day, and the day's Julian number.
//!
//! What reads them as nanoseconds since 1970, as Arrow and pandas do, holds the years 1677 to 2262 and wraps around
//! beyond, so that the usual end of time, 9999-12-31, is in 1816. Spark has no more than microseconds: its files are read
//! as these, which hold all of its years. Of others a time that nanoseconds do not hold is an error.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef, TimeUnit};
use parquet::basic::Type;
use parquet::file::metadata::ParquetMetaData;

use super::{Result, damaged};

/// The Julian number of 1970-01-01.
const EPOCH: i64 = 2_440_588;

/// A time in ticks of a unit since 1970.
pub fn ticks(value: &[u8; 12], unit: TimeUnit) -> Result<i64> {
    let [a, b, c, d, e, f, g, h, day @ ..] = *value;
    let nanoseconds = i64::from_le_bytes([a, b, c, d, e, f, g, h]);
    let day = i64::from(i32::from_le_bytes(day)) - EPOCH;
    let a_second = match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    };
    let of_the_day = nanoseconds.div_euclid(1_000_000_000 / a_second);
    // The first day that nanoseconds hold begins before they do.
    let ticks = i128::from(day) * i128::from(86_400 * a_second) + i128::from(of_the_day);
    i64::try_from(ticks).map_err(|_| match unit {
        TimeUnit::Nanosecond => damaged(
            "a time of type INT96 is before 1677 or after 2262, which nanoseconds do not hold; write it as TIMESTAMP",
        ),
        _ => damaged("a time of type INT96 is no time"),
    })
}

/// The columns of a file, with the times of Spark's in its own unit. Where the log of a table says what its columns are,
/// they are instants, whoever wrote them: what has no zone is never of this type there.
pub fn as_written(schema: &SchemaRef, footer: &ParquetMetaData, has_log: bool) -> SchemaRef {
    let about = footer.file_metadata();
    let mut notes = about.key_value_metadata().into_iter().flatten();
    let described = about.schema_descr();
    let is_old = |leaf: &usize| described.column(*leaf).physical_type() == Type::INT96;
    let old: Vec<usize> = (0..described.num_columns()).filter(is_old).collect();
    if old.is_empty() || !has_log && !notes.any(|note| note.key.starts_with("org.apache.spark.")) {
        return schema.clone();
    }
    let roots: Vec<usize> = old.iter().map(|leaf| described.get_column_root_idx(*leaf)).collect();
    let zone = has_log.then(|| Arc::from("UTC"));
    let fields = schema.fields().iter().enumerate().map(|(root, field)| match roots.contains(&root) {
        true => in_microseconds(field, &zone),
        false => field.clone(),
    });
    Arc::new(Schema::new_with_metadata(fields.collect::<Fields>(), schema.metadata().clone()))
}

fn in_microseconds(field: &FieldRef, zone: &Option<Arc<str>>) -> FieldRef {
    use DataType as D;
    let within = |field: &FieldRef| in_microseconds(field, zone);
    let data_type = match field.data_type() {
        D::Timestamp(TimeUnit::Nanosecond, None) => D::Timestamp(TimeUnit::Microsecond, zone.clone()),
        D::List(item) => D::List(within(item)),
        D::LargeList(item) => D::LargeList(within(item)),
        D::Map(entries, sorted) => D::Map(within(entries), *sorted),
        D::Struct(fields) => D::Struct(fields.iter().map(within).collect()),
        other => other.clone(),
    };
    Arc::new(Field::clone(field).with_data_type(data_type))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bytes(day: i32, nanoseconds: i64) -> [u8; 12] {
        let mut value = [0; 12];
        value[..8].copy_from_slice(&nanoseconds.to_le_bytes());
        value[8..].copy_from_slice(&day.to_le_bytes());
        value
    }

    proptest! {
        #[test]
        fn every_time_that_the_unit_holds(ticks_since in any::<i64>(), unit in 0..4_usize) {
            let (unit, a_second) = [
                (TimeUnit::Second, 1_i128),
                (TimeUnit::Millisecond, 1_000),
                (TimeUnit::Microsecond, 1_000_000),
                (TimeUnit::Nanosecond, 1_000_000_000),
            ][unit];
            let a_day = 86_400 * a_second;
            let day = i128::from(ticks_since).div_euclid(a_day) + i128::from(EPOCH);
            let nanoseconds = i128::from(ticks_since).rem_euclid(a_day) * (1_000_000_000 / a_second);
            if let Ok(day) = i32::try_from(day) {
                let value = bytes(day, nanoseconds as i64);
                prop_assert_eq!(ticks(&value, unit).unwrap(), ticks_since);
            }
        }

        #[test]
        fn any_bytes_are_the_right_time_or_an_error(value in any::<[u8; 12]>()) {
            let nanoseconds = i128::from(i64::from_le_bytes(value[..8].try_into().unwrap()));
            let day = i128::from(i32::from_le_bytes(value[8..].try_into().unwrap()));
            let right = (day - i128::from(EPOCH)) * 86_400_000_000_000 + nanoseconds;
            for (unit, a_tick) in [(TimeUnit::Nanosecond, 1), (TimeUnit::Microsecond, 1_000)] {
                let right = i64::try_from(right.div_euclid(a_tick));
                prop_assert_eq!(ticks(&value, unit).ok(), right.ok());
            }
        }
    }

    #[test]
    fn the_end_of_time_is_no_time_of_nanoseconds() {
        let last = bytes(5_373_484, 86_399_999_999_000);
        assert_eq!(ticks(&last, TimeUnit::Microsecond).unwrap(), 253_402_300_799_999_999);
        assert!(ticks(&last, TimeUnit::Nanosecond).unwrap_err().to_string().contains("2262"));
    }
}
