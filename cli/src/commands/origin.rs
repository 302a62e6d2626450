//! Whether a saved plan comes from what is remembered here, and has not been carried out since. What
//! else happened since does not matter: its objects are looked at again.

use std::collections::BTreeSet;

use tcloud_engine::Engine;
use tcloud_model::Digest;
use tcloud_planner::planfile::{self, End, PlanFile};
use tcloud_state::{Body, EndStatus, Entry, Scope, StoreError};

use crate::failure::{Exit, Failure};
use crate::plan_file::tenant;

/// How many entries of a journal are read at once.
const PAGE: u32 = 1_000;

/// Why a saved plan is not of here and now.
#[derive(Debug, thiserror::Error)]
enum OriginError {
    /// It was made without the key, or changed.
    #[error("the plan was changed after it was made, or was made from another state")]
    Stranger,
    /// It was made where there was no key yet.
    #[error("the plan was made when nothing was remembered yet, and something is by now")]
    Unsealed,
    /// What was remembered when it was made is not what led here.
    #[error("the plan was made from another history of {scope}: an older state was restored")]
    OtherHistory {
        /// Of which scope.
        scope: Scope,
    },
    /// It was carried out.
    #[error("the plan was applied already, by {who}")]
    Applied {
        /// Who did it.
        who: String,
    },
    /// What is remembered cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Makes sure of it, for the scopes that the plan is about.
pub(super) async fn check(
    file: &PlanFile,
    scopes: &BTreeSet<Scope>,
    engine: &Engine,
) -> Result<(), Failure> {
    let found = find(file, scopes, engine).await;
    found.map_err(|error| match error {
        OriginError::Store(error) => error.into(),
        OriginError::Stranger => Failure::from(error).help("nothing was changed; plan again"),
        _ => Failure::from(error).help("nothing was changed; plan again").exit(Exit::Stale),
    })
}

async fn find(
    file: &PlanFile,
    scopes: &BTreeSet<Scope>,
    engine: &Engine,
) -> Result<(), OriginError> {
    let key = engine.load_only(Vec::new()).await?.key;
    let seal = key.as_ref().map(|key| planfile::seal(file, key));
    match file.seal {
        None if !engine.load().await?.heads.is_empty() => return Err(OriginError::Unsealed),
        Some(_) if file.seal != seal => return Err(OriginError::Stranger),
        _ => {}
    }
    let digest = planfile::digest(file);
    for scope in scopes {
        follow(file.heads.get(&tenant(scope)), scope, digest, engine).await?;
    }
    Ok(())
}

/// Follows the journal of a scope from where it ended when a plan was made.
async fn follow(
    end: Option<&End>,
    scope: &Scope,
    plan: Digest,
    engine: &Engine,
) -> Result<(), OriginError> {
    let mut at = end.map_or(1, |end| end.serial.max(1));
    let mut expected = end.filter(|end| end.serial > 0).map(|end| &end.hash);
    let mut runs = Vec::new();
    loop {
        let entries = engine.entries(scope, at, PAGE).await?;
        let first = entries.first().map(|first| first.hash.to_string());
        if expected.take().is_some_and(|expected| first.as_ref() != Some(expected)) {
            return Err(OriginError::OtherHistory { scope: scope.clone() });
        }
        let Some(last) = entries.last() else { return Ok(()) };
        at = last.serial + 1;
        for stored in &entries {
            // One that cannot be read is told of by whoever writes behind it.
            let Ok(Entry { run, body, .. }) = Entry::from_json(&stored.json) else { continue };
            match body {
                Body::Begin(begin) if begin.plan == Some(plan) => runs.push((run, begin.who)),
                Body::End(end) if end.status == EndStatus::Succeeded => {
                    let own = runs.iter().find(|(own, _)| *own == run);
                    if let Some((_, who)) = own {
                        return Err(OriginError::Applied { who: who.clone() });
                    }
                }
                _ => {}
            }
        }
    }
}
