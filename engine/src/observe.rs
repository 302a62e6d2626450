//! Asks all hosts at once what they run. A host that does not answer costs its own answer only.

use std::sync::Arc;
use std::time::Duration;

use tcloud_model::{Address, HostObservation, ObservedState};
use tokio::task::JoinSet;

use crate::Limits;
use crate::hosts::Hosts;

/// What these hosts run, sorted by host.
pub(crate) async fn observe(
    hosts: &Arc<Hosts>,
    wanted: Vec<Address>,
    limits: &Limits,
) -> ObservedState {
    let mut asked = JoinSet::new();
    let mut answers = Vec::with_capacity(wanted.len());
    let mut waiting = wanted.into_iter();
    loop {
        while asked.len() < limits.observe.max(1)
            && let Some(host) = waiting.next()
        {
            asked.spawn(observe_guarded(Arc::clone(hosts), host, limits.look));
        }
        match asked.join_next().await {
            Some(Ok(answer)) => answers.push(answer),
            // The task itself cannot panic and is never cancelled: it only waits for another.
            Some(Err(_)) => {}
            None => break,
        }
    }
    answers.sort_by(|a, b| a.host.cmp(&b.host));
    answers.dedup_by(|a, b| a.host == b.host);
    ObservedState { hosts: answers }
}

/// Observes in a task of its own, so that a provider that panics costs its own host only.
async fn observe_guarded(hosts: Arc<Hosts>, host: Address, within: Duration) -> HostObservation {
    let mut task = JoinSet::new();
    let own = host.clone();
    task.spawn(async move { observe_host(&hosts, &own, within).await });
    match task.join_next().await {
        Some(Ok(observation)) => observation,
        _ => silent(host, "its provider ended with an internal error".to_owned()),
    }
}

async fn observe_host(hosts: &Hosts, host: &Address, within: Duration) -> HostObservation {
    let answer = async { hosts.reach(host).await?.observe().await };
    let problem = match tokio::time::timeout(within, answer).await {
        Ok(Ok(observation)) if observation.host == *host => return in_order(observation),
        Ok(Ok(observation)) => format!("its provider answered for {} instead", observation.host),
        Ok(Err(error)) => error.message,
        Err(_) => format!("no answer within {} s", within.as_secs()),
    };
    silent(host.clone(), problem)
}

/// Providers are not trusted to sort.
fn in_order(mut observation: HostObservation) -> HostObservation {
    observation.objects.sort_by(|a, b| (&a.kind, &a.name).cmp(&(&b.kind, &b.name)));
    observation
}

fn silent(host: Address, problem: String) -> HostObservation {
    HostObservation { host, facts: None, objects: Vec::new(), problems: vec![problem] }
}
