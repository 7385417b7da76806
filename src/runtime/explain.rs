//! What a run did, for a person.

use std::fmt::Write;

use serde_json::{Value, json};

use super::run::Run;
use crate::engine::control::{ScanFacts, Stage};
use crate::error::{Result, shown_bytes};
use crate::secrets::redact;

/// Everything known about a run, and `text`, which says it in sentences.
pub fn explain(run: &Run) -> Result<Value> {
    let progress = run.progress();
    let (plan, physical) = run.plans();
    let (scans, stages, notes) = (run.control.scans(), run.control.stages(), run.control.notes());
    let mut text = String::new();
    let state = format!("{:?}", run.state()).to_lowercase();
    let _ = writeln!(text, "{} {state} in {:.3} s", run.id, progress.elapsed_seconds);
    let python = run.python();
    let _ = match &python {
        None => writeln!(text, "mode: native (the operation was traced once; no Python ran over the rows)"),
        Some(None) => writeln!(text, "mode: python (the operation ran in worker processes)"),
        Some(Some(why)) => {
            writeln!(
                text,
                "mode: python (the operation ran in worker processes, because it is not native: {why})"
            )
        }
    };
    for scan in &scans {
        describe_scan(scan, &mut text);
    }
    let accounting = progress.accounting;
    let _ = writeln!(
        text,
        "chunks: {} accepted = {} succeeded + {} failed + {} dead-lettered + {} cancelled + {} skipped + {} pending",
        accounting.accepted,
        accounting.succeeded,
        accounting.failed,
        accounting.dead_lettered,
        accounting.cancelled,
        accounting.skipped,
        accounting.pending
    );
    let _ = writeln!(
        text,
        "read: {} rows; bytes: {}",
        grouped(progress.rows_done),
        shown_bytes(progress.bytes_read)
    );
    if progress.memory_peak > 0 || progress.spilled_bytes > 0 {
        let _ = writeln!(
            text,
            "memory: operators held at most {} of {}; spilled: {}",
            shown_bytes(progress.memory_peak),
            shown_bytes(run.control.memory.limit()),
            shown_bytes(progress.spilled_bytes)
        );
    }
    for Stage { name, rows, seconds, details } in &stages {
        let _ = writeln!(text, "stage {name}: {seconds:.3} s, {} rows ({details})", grouped(*rows));
    }
    let planning = run.control.planning();
    let _ = match (planning.made, planning.kept) {
        (0, 0) => Ok(()),
        (0, _) => writeln!(text, "planning: none, the plan was kept from an earlier run"),
        (_, 0) => writeln!(text, "planning: the plan was made"),
        (made, kept) => writeln!(
            text,
            "planning: {made} of {} parts of the plan were made, the others kept from earlier runs",
            made + kept
        ),
    };
    if let Some(operator) = run.control.grouping() {
        let _ = writeln!(text, "grouping: {operator} operator");
    }
    for note in &notes {
        let _ = writeln!(text, "note: {note}");
    }
    indented("plan", &plan, &mut text);
    indented("operators", &physical, &mut text);
    Ok(redact::json(json!({
        "id": run.id,
        "state": run.state(),
        "mode": if python.is_some() { "python" } else { "native" },
        "why": python.flatten(),
        "plan": plan,
        "operators": physical,
        "scans": scans,
        "stages": stages,
        "notes": notes,
        "planning": planning,
        "grouping": run.control.grouping(),
        "progress": progress,
        "text": text,
    })))
}

fn describe_scan(scan: &ScanFacts, text: &mut String) {
    let columns = match scan.columns_read.as_slice() {
        [] => "no columns".to_owned(),
        read => format!("{} of {} columns ({})", read.len(), scan.columns_total, read.join(", ")),
    };
    let _ = writeln!(text, "scan of {}: {columns}", scan.source);
    if scan.files_pruned > 0 {
        let footers = match scan.files_unopened {
            0 => String::new(),
            unopened => format!(", of {unopened} not even the footer"),
        };
        let _ = writeln!(
            text,
            "  {} of {} files left out by the names of their directories: their data are not opened{footers}",
            scan.files_pruned, scan.files
        );
    }
    if scan.files > 0 {
        let kept = scan.row_groups - scan.row_groups_pruned - scan.row_groups_unopened;
        let _ = writeln!(
            text,
            "  {} files, {kept} of {} row groups read, {} pruned by statistics",
            scan.files, scan.row_groups, scan.row_groups_pruned
        );
    }
    if let Some(predicate) = &scan.predicate {
        let _ = writeln!(text, "  filter pushed down to the scan: {predicate}");
    }
    let _ = writeln!(
        text,
        "  {} rows in {} chunks of at most {} rows",
        grouped(scan.rows),
        grouped(scan.chunks),
        grouped(scan.chunk_rows as u64)
    );
}

fn indented(title: &str, block: &str, text: &mut String) {
    if !block.is_empty() {
        let _ = writeln!(text, "{title}:");
        for line in block.lines() {
            let _ = writeln!(text, "  {line}");
        }
    }
}

/// A number with thousands apart.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
