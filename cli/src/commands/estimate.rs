//! How long steps took before, so that a plan can say for how long guests are down.

use std::collections::BTreeMap;

use tcloud_engine::Engine;
use tcloud_planner::guest::{self, History};
use tcloud_planner::plan::{Interruption, Plan};
use tcloud_state::{Body, Filter, Logged, StepResult, StoreError};
use uuid::Uuid;

/// How many runs are looked at, newest first.
const RUNS: usize = 20;

/// How many entries of one run in one scope are looked at.
const ENTRIES: usize = 20_000;

/// Says how long guests are down. A journal that cannot be read leaves it unknown.
pub(super) async fn estimate(plan: &mut Plan, engine: &Engine) {
    if plan.guests.iter().any(|guest| guest.interruption == Interruption::Unknown)
        && let Ok(history) = history(engine).await
    {
        guest::estimate(plan, &history);
    }
}

async fn history(engine: &Engine) -> Result<History, StoreError> {
    let summary = engine.history(&Filter::default()).await?;
    let mut runs: BTreeMap<Uuid, jiff::Timestamp> = BTreeMap::new();
    for logged in &summary {
        if matches!(logged.entry.body, Body::Begin(_)) {
            runs.insert(logged.entry.run, logged.entry.time);
        }
    }
    let mut runs: Vec<(jiff::Timestamp, Uuid)> =
        runs.into_iter().map(|(run, began)| (began, run)).collect();
    runs.sort_unstable_by(|a, b| b.cmp(a));
    let mut history = History::default();
    for (_, run) in runs.into_iter().take(RUNS) {
        let filter =
            Filter { run: Some(run), details: true, limit: Some(ENTRIES), ..Filter::default() };
        learn(&mut history, &engine.history(&filter).await?);
    }
    Ok(history)
}

/// Adds how long the steps of a run took that were done, from the intent to the outcome.
fn learn(history: &mut History, entries: &[Logged]) {
    let mut open = BTreeMap::new();
    for Logged { entry, .. } in entries {
        match &entry.body {
            Body::Intent(intent) => {
                open.insert(intent.step, (entry.time, &intent.operation));
            }
            // What a recovery settles took until somebody looked, which says nothing.
            Body::Outcome(outcome)
                if outcome.intent.run == entry.run && outcome.result == StepResult::Done =>
            {
                if let Some((began, operation)) = open.remove(&outcome.intent.step) {
                    let took = entry.time.duration_since(began).as_millis();
                    // Rounded up: what took less than a second is not nothing.
                    let seconds = u64::try_from(took).unwrap_or(0).div_ceil(1000);
                    history.add(&operation.kind, &operation.action, seconds);
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use tcloud_state::{Entry, Intent, IntentId, Outcome, Remembered, Scope};

    use super::*;

    fn logged(run: Uuid, second: i64, body: Body) -> Logged {
        let time = jiff::Timestamp::from_second(1_700_000_000 + second).expect("a time");
        let entry = Entry { run, time, body };
        Logged { scope: Scope::Shared, serial: 1, generation: 1, entry }
    }

    #[test]
    fn only_steps_that_the_run_itself_finished_are_measured() {
        let run = Uuid::from_u128(1);
        let operation = serde_json::json!({
            "object": { "address": "tenant.t.vm.a", "host": "site.m.host.h", "incarnation": 0 },
            "kind": "vm",
            "identity": { "uuid": Uuid::from_u128(7), "name": "t.a" },
            "do": "delete",
        });
        let operation: tcloud_model::Operation =
            serde_json::from_value(operation).expect("an operation");
        let intent = |step| {
            let (operation, records) = (operation.clone(), Vec::new());
            Body::Intent(Intent { step, operation, records })
        };
        let outcome = |run, step, result| {
            let (intent, remembered) = (IntentId { run, step }, Remembered::Planned);
            Body::Outcome(Outcome { intent, result, remembered })
        };
        let failed = StepResult::Failed { message: String::new() };
        let entries = [
            logged(run, 0, intent(0)),
            logged(run, 1, intent(1)),
            logged(run, 2, intent(2)),
            logged(run, 60, outcome(run, 0, StepResult::Done)),
            logged(run, 61, outcome(run, 1, failed)),
            logged(run, 900, outcome(Uuid::from_u128(9), 2, StepResult::Done)),
        ];
        let mut history = History::default();
        learn(&mut history, &entries);
        let mut expected = History::default();
        expected.add(&operation.kind, &operation.action, 60);
        assert_eq!(history, expected);
    }
}
