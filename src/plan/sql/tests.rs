//! Queries by example: names in any case, labels, depth, and no text that ends the process.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use arrow::datatypes::{Field as ArrowField, Schema};
use datafusion::datasource::source_as_provider;
use proptest::prelude::*;

use super::*;

fn tables() -> Vec<(Arc<str>, SchemaRef)> {
    let schema = |columns: &[(&str, DataType)]| -> SchemaRef {
        Arc::new(Schema::new(
            columns
                .iter()
                .map(|(name, found)| ArrowField::new(*name, found.clone(), true))
                .collect::<Vec<_>>(),
        ))
    };
    let partition = [
        ("VendorID", DataType::Int64),
        ("price", DataType::Float64),
        ("a", DataType::Utf8View),
        ("A", DataType::Int8),
    ];
    vec![
        (PARTITION.into(), schema(&partition)),
        ("Other".into(), schema(&[("VendorID", DataType::Int64), ("name", DataType::Utf8View)])),
    ]
}

fn labels_of(query: &str) -> Vec<String> {
    on_large_stack(|| check(query, &tables())).unwrap_or_else(|error| panic!("{query}: {error}")).1
}

fn refused(query: &str) -> Error {
    on_large_stack(|| check(query, &tables())).err().unwrap_or_else(|| panic!("accepted: {query}"))
}

#[test]
fn names_in_any_case_and_labels_as_written() {
    for (query, labels) in [
        ("select vendorid, PRICE, a, A from PARTITION", &["VendorID", "price", "a", "A"][..]),
        ("select \"VendorID\" from partition p where P.price > 1", &["VendorID"]),
        (
            "select sum(price), Count(*), max(price) as Top from partition order by top",
            &["sum(price)", "Count(*)", "Top"],
        ),
        ("select 1 + 1, o.*, 'x' from other o", &["1 + 1", "VendorID", "name", "'x'"]),
        ("with T as (select name n from other) select N from t", &["n"]),
        (
            "select p.vendorid, o.vendorid from partition p join other o using (vendorid)",
            &["VendorID", "VendorID"],
        ),
        ("select name from other union all select a from partition", &["name"]),
        ("values (1, 'a')", &["column1", "column2"]),
        ("select price as PRICE, vendorid as Next from partition order by NEXT", &["PRICE", "Next"]),
        ("select price as Date from partition order by date", &["Date"]),
    ] {
        assert_eq!(labels_of(query), labels, "{query}");
    }
    let (fields, _) = check("select p.price, q.price from partition p, partition q", &tables()).unwrap();
    assert_ne!(fields[0].name, fields[1].name);
    assert_eq!(fields[0].dtype, DType::Float64);
}

#[test]
fn names_that_are_not_there() {
    let error = refused("select vendor from partition");
    assert_eq!((error.code(), &error.details()["nearest"]), (Code::SchemaMismatch, &"VendorID".into()));
    assert_eq!((&error.details()["line"], &error.details()["position"]), (&1.into(), &8.into()));
    assert_eq!(refused("select \"vendorid\" from partition").code(), Code::SchemaMismatch);
    assert_eq!(refused("select * from others").details()["nearest"], "Other");
    assert_eq!(refused("select summ(price) from partition").details()["nearest"], "sum");
}

#[test]
fn depth_is_counted_in_tokens() {
    let chain = |operators: usize| format!("select {}1 from partition", "1 + ".repeat(operators));
    assert_eq!(labels_of(&chain(390)).len(), 1);
    for query in [
        chain(500),
        chain(50_000),
        format!("select {}1 from partition", "a end + ".repeat(5_000)),
        format!("select {}1{}", "case when 1=1 then 1+".repeat(5_000), " end".repeat(5_000)),
        format!("select {}1", "case 1 when 1 then 1 end + ".repeat(5_000)),
        format!("select {}1{}", "(".repeat(50_000), ")".repeat(50_000)),
        format!("select 1{}", "[1]".repeat(50_000)),
        format!("select 1{}", "::int".repeat(50_000)),
        format!("select {} 1", "not ".repeat(50_000)),
        format!("select {}1", "1 is distinct from ".repeat(5_000)),
        format!("select a from partition where {} 1", "1 in (select 1 where ".repeat(500)),
        format!("select 1{}", " union select 1".repeat(5_000)),
        format!("select * from other{}", " natural join other".repeat(5_000)),
    ] {
        let shown: String = query.chars().take(60).collect();
        assert_eq!(refused(&query).code(), Code::InvalidTask, "{shown}");
    }
    let list = (0..20_000).map(|n| n.to_string()).collect::<Vec<_>>().join(", ");
    labels_of(&format!("select a from partition where vendorid in ({list})"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_words_are_judged(words in proptest::collection::vec(proptest::sample::select(vec![
        "select", "from", "where", "partition", "Other", "price", "a", "*", ",", "(", ")", "group by", "order by", "1",
        "'x'", "+", "/", "=", "and", "not", "case", "when", "then", "end", "join", "on", "using", "sum", "over", "with",
        "as", "union all", "limit", "null", "in", ".", "\"", "`", ";", "--", "values", "lateral", "unnest", "$1", "::",
        "int", "interval", "distinct", "having", "exists", "rows", "é", "\u{0}", "[", "]", "{", "}", "?", "|>", "'",
    ]), 0..24)) {
        let query = words.join(" ");
        match on_large_stack(|| check(&query, &tables())) {
            Ok((fields, labels)) => prop_assert_eq!(fields.len(), labels.len()),
            Err(error) => prop_assert!(
                matches!(error.code(), Code::InvalidTask | Code::SchemaMismatch | Code::OperationFailed), "{}: {}", query, error
            ),
        }
    }
}

#[test]
fn queries_that_ask_for_the_time_or_for_chance_are_not_kept() {
    let settled = |query: &str| {
        on_large_stack(|| {
            let empty =
                |schema: &SchemaRef| -> Arc<dyn TableProvider> { Arc::new(EmptyTable::new(schema.clone())) };
            let tables = tables().iter().map(|(name, schema)| (name.clone(), empty(schema))).collect();
            let is_given = |source: &Arc<dyn TableSource>| {
                source_as_provider(source).is_ok_and(|provider| provider.is::<EmptyTable>())
            };
            Ok(planned(query, tables, config(2, false))?.optimised(&is_given)?.1)
        })
        .unwrap_or_else(|error| panic!("{query}: {error}"))
    };
    for query in [
        "select a, sum(price) s from partition where vendorid > 1 group by a having count(*) > 1 order by s limit 3",
        "select p.a from partition p join other o using (vendorid) where o.name like 'x%'",
        "select a from partition p where exists (select 1 from other o where o.vendorid = p.vendorid)",
        "select price - (select avg(price) from partition) from partition",
        "select row_number() over (partition by a order by price), lag(price) over (order by price) from partition",
        "with t as (select distinct a from partition) select upper(a), case when a = 'x' then 1 end from t",
        "select a from partition union all select name from other",
        "values (1, 'a')",
        "select 1",
    ] {
        assert!(settled(query), "{query}");
    }
    for query in [
        "select now()",
        "select current_date",
        "select current_timestamp from partition",
        "select a from partition where price > random()",
        "select uuid() from partition",
        "select a from partition p where exists (select 1 from other where vendorid = p.vendorid and now() > '2020-01-01')",
        "select a from partition order by random()",
        "select sum(random()) from partition group by a",
        "select sum(price) over (order by random()) from partition",
        "select a from partition join other on partition.vendorid = other.vendorid and random() > 0.5",
        "values (now())",
        "select * from generate_series(1, 3)",
        "with recursive t(n) as (select 1 union all select n + 1 from t where n < 3) select n from t",
    ] {
        assert!(!settled(query), "{query}");
    }
}
