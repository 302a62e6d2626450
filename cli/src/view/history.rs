//! Past runs: who did what, when, from which revision, and how it ended.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::json;
use tcloud_state::{Begin, Body, End, EndStatus, Logged};
use uuid::Uuid;

use crate::escape::escape;
use crate::terminal::{Palette, Tone};
use crate::view::layout::table;

/// One run, put together from its entries in all scopes.
pub(crate) struct Run {
    id: Uuid,
    began: Timestamp,
    ended: Option<Timestamp>,
    begin: Option<Begin>,
    end: Option<End>,
    scopes: BTreeSet<String>,
}

/// The runs that the entries tell of, newest first, at most so many.
pub(crate) fn runs(entries: &[Logged], most: usize) -> Vec<Run> {
    let mut runs: BTreeMap<Uuid, Run> = BTreeMap::new();
    for logged in entries {
        let entry = &logged.entry;
        let run = runs.entry(entry.run).or_insert_with(|| Run {
            id: entry.run,
            began: entry.time,
            ended: None,
            begin: None,
            end: None,
            scopes: BTreeSet::new(),
        });
        run.began = run.began.min(entry.time);
        run.scopes.insert(logged.scope.to_string());
        match &entry.body {
            Body::Begin(begin) => run.begin = Some(begin.clone()),
            Body::End(end) => {
                run.ended = run.ended.max(Some(entry.time));
                run.end = Some(end.clone());
            }
            Body::Takeover(_) | Body::Intent(_) | Body::Outcome(_) | Body::Records { .. } => {}
        }
    }
    let mut runs: Vec<Run> = runs.into_values().collect();
    runs.sort_by_key(|run| std::cmp::Reverse((run.began, run.id)));
    runs.truncate(most);
    runs
}

/// The runs as a table.
pub(crate) fn text(runs: &[Run], zone: &TimeZone, palette: Palette) -> String {
    if runs.is_empty() {
        return "Nothing was applied yet.\n".to_owned();
    }
    let rows: Vec<Vec<String>> = runs.iter().map(|run| run.row(zone)).collect();
    let head = ["when", "command", "result", "steps", "who", "revision", "run"];
    let text = table(&head, &rows);
    match text.split_once('\n') {
        Some((head, rest)) => format!("{}\n{rest}", palette.paint(Tone::Faint, head)),
        None => text,
    }
}

/// The runs as JSON.
pub(crate) fn json(runs: &[Run]) -> serde_json::Value {
    runs.iter().map(Run::json).collect()
}

impl Run {
    fn result(&self) -> &'static str {
        match self.end.as_ref().map(|end| end.status) {
            Some(EndStatus::Succeeded) => "done",
            Some(EndStatus::Failed) => "failed",
            Some(EndStatus::Interrupted) => "interrupted",
            None => "cut off",
        }
    }

    fn row(&self, zone: &TimeZone) -> Vec<String> {
        let when =
            self.began.to_zoned_datetime(zone.clone()).strftime("%Y-%m-%d %H:%M").to_string();
        let begin = self.begin.as_ref();
        let of = |get: fn(&Begin) -> &str| {
            begin.map(get).map(|text| escape(text).into_owned()).unwrap_or_default()
        };
        let steps = self.end.as_ref().map(|end| {
            let parts = [
                (end.done, "done"),
                (end.failed, "failed"),
                (end.skipped, "skipped"),
                (end.unknown, "unknown"),
            ];
            let parts = parts.into_iter().filter(|(number, word)| *number > 0 || *word == "done");
            parts.map(|(number, word)| format!("{number} {word}")).collect::<Vec<_>>().join(", ")
        });
        let revision = of(|begin| begin.revision.as_deref().unwrap_or("-"));
        let id = self.id.simple().to_string();
        vec![
            when,
            of(|begin| &begin.command),
            self.result().to_owned(),
            steps.unwrap_or_default(),
            of(|begin| &begin.who),
            revision.chars().take(10).collect(),
            id.chars().take(8).collect(),
        ]
    }

    fn json(&self) -> serde_json::Value {
        let begin = self.begin.as_ref();
        let end = self.end.as_ref();
        json!({
            "run": self.id,
            "began": self.began,
            "ended": self.ended,
            "command": begin.map(|begin| &begin.command),
            "who": begin.map(|begin| &begin.who),
            "revision": begin.and_then(|begin| begin.revision.as_ref()),
            "plan": begin.and_then(|begin| begin.plan),
            "version": begin.map(|begin| &begin.version),
            "scopes": self.scopes,
            "result": self.result(),
            "done": end.map(|end| end.done),
            "failed": end.map(|end| end.failed),
            "skipped": end.map(|end| end.skipped),
            "unknown": end.map(|end| end.unknown),
        })
    }
}
