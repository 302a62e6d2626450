//! What a run writes onto objects beside what the plan says: the generation of its lease. From it an
//! older state can be told (see [`crate::age`]), and a plan cannot know it.

use std::sync::Arc;

use tcloud_model::{Operation, OperationKind, Stamp};
use tcloud_planner::plan::Step;
use tcloud_state::{RecordChange, Scope, Writer};

/// What a step asks for and what is remembered of it, as this run writes it. A stamp gets the
/// generation only together with the record that says so: they have to stay the same.
pub(crate) fn marked(step: &Step, writer: &Writer) -> (Option<Operation>, Vec<RecordChange>) {
    let mut operation = step.operation.clone();
    let mut records: Vec<RecordChange> = step
        .records
        .iter()
        .map(|(object, record)| RecordChange { object: object.clone(), record: record.clone() })
        .collect();
    if let Some(stamp) = operation.as_mut().and_then(stamp_of) {
        let generation = writer.generation(&Scope::of(&stamp.address)).unwrap_or(0);
        let all = records.iter_mut().filter_map(|change| change.record.as_mut());
        let mut same = all.filter(|record| record.stamp == *stamp).peekable();
        let remembered = same.peek().is_some();
        same.for_each(|record| Arc::make_mut(record).stamp.generation = generation);
        if remembered {
            stamp.generation = generation;
        }
    }
    (operation, records)
}

fn stamp_of(operation: &mut Operation) -> Option<&mut Stamp> {
    match &mut operation.action {
        OperationKind::Create { stamp, .. }
        | OperationKind::Update { stamp, .. }
        | OperationKind::Migrate { stamp, .. }
        | OperationKind::Stamp { stamp, .. } => Some(stamp),
        OperationKind::Delete | OperationKind::Unstamp => None,
    }
}
