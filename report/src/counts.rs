//! How many resources come, change and go, as GitLab's `artifacts:reports:terraform` wants it. A
//! resource that is made anew counts as one that goes and one that comes, as everywhere.

use std::io;

use serde::Serialize;
use tcloud_planner::plan::Action;

use crate::format::Report;
use crate::indented;

/// The largest number that GitLab reads.
const MOST: usize = 999_999;

#[derive(Default, Serialize)]
struct Counts {
    create: usize,
    update: usize,
    delete: usize,
}

pub(crate) fn write(report: &Report<'_>, to: &mut dyn io::Write) -> io::Result<()> {
    let mut counts = Counts::default();
    for change in &report.plan.changes {
        match change.deed() {
            Action::Create => counts.create += 1,
            Action::Update | Action::Migrate => counts.update += 1,
            Action::Delete => counts.delete += 1,
            Action::ReplaceDeleteFirst | Action::ReplaceCreateFirst => {
                counts.create += 1;
                counts.delete += 1;
            }
            // Nothing happens to the object itself.
            Action::Adopt | Action::Move | Action::Forget => {}
        }
    }
    let Counts { create, update, delete } = counts;
    let [create, update, delete] = [create, update, delete].map(|n| n.min(MOST));
    indented::write(&Counts { create, update, delete }, to)
}
