//! Plans on disk: what a plan is saved with, and whether a saved one may be applied here.

use std::io;
use std::path::{Path, PathBuf};

use tcloud_model::{Address, Deployment};
use tcloud_planner::planfile::{End, Gaps};
use tcloud_planner::{Plan, PlanFile, PlanFileError, planfile};
use tcloud_project::whole_file;
use tcloud_state::{Loaded, Scope};

/// The largest plan file, in bytes.
const LARGEST: u64 = 4 << 30;

/// Why a plan cannot be saved, or a saved one not be applied.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SavedPlanError {
    /// It cannot be written.
    #[error("the plan cannot be written to {}", path.display())]
    Write {
        /// Where to.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// It cannot be read.
    #[error("the plan cannot be read from {}", path.display())]
    Read {
        /// Where from.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// It is no plan.
    #[error("{} cannot be applied", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: PlanFileError,
    },
    /// Another version made it, and may have meant something else.
    #[error("the plan was made by tcloud {made}, and this is {}", env!("CARGO_PKG_VERSION"))]
    Tool {
        /// The version that made it.
        made: String,
    },
    /// It is a part of a project.
    #[error("{} is a text, and no plan", .0.display())]
    Text(PathBuf),
    /// It is about something else.
    #[error("the plan is for the deployment `{made}`, and this is `{here}`")]
    Deployment {
        /// For which it was made.
        made: String,
        /// Which this is.
        here: String,
    },
}

/// A plan with what it was made under, as it is saved: with a seal.
pub(crate) fn sealed(plan: Plan, gaps: Gaps, loaded: &Loaded) -> PlanFile {
    let mut file = of(plan, gaps, loaded);
    file.seal = loaded.key.as_ref().map(|key| planfile::seal(&file, key));
    file
}

/// The same for a plan that is applied at once.
pub(crate) fn of(plan: Plan, gaps: Gaps, loaded: &Loaded) -> PlanFile {
    let heads = loaded.heads.iter().map(|(scope, head)| {
        (tenant(scope), End { serial: head.serial, hash: head.hash.to_string() })
    });
    let (tool, heads) = (env!("CARGO_PKG_VERSION").to_owned(), heads.collect());
    PlanFile { tool, heads, gaps, seal: None, plan }
}

/// How a plan file calls a scope.
pub(crate) fn tenant(scope: &Scope) -> Option<Address> {
    match scope {
        Scope::Tenant(address) => Some(address.clone()),
        Scope::Shared => None,
    }
}

/// Saves a plan, whole or not at all.
pub(crate) fn save(file: &PlanFile, path: &Path) -> Result<(), SavedPlanError> {
    whole_file::write(path, planfile::write(file).as_bytes())
        .map_err(|source| SavedPlanError::Write { path: path.to_owned(), source })
}

/// Reads a saved plan that may be applied to this deployment.
pub(crate) fn load(path: &Path, deployment: &Deployment) -> Result<PlanFile, SavedPlanError> {
    if path.extension().is_some_and(|extension| extension == "tcloud") {
        return Err(SavedPlanError::Text(path.to_owned()));
    }
    let failed = |source| SavedPlanError::Read { path: path.to_owned(), source };
    let size = std::fs::metadata(path).map_err(failed)?.len();
    if size > LARGEST {
        return Err(failed(io::Error::other("it is larger than any plan")));
    }
    let text = std::fs::read_to_string(path).map_err(failed)?;
    let file = planfile::read(&text)
        .map_err(|source| SavedPlanError::Content { path: path.to_owned(), source })?;
    if file.tool != env!("CARGO_PKG_VERSION") {
        return Err(SavedPlanError::Tool { made: file.tool });
    }
    if file.plan.deployment != *deployment {
        return Err(SavedPlanError::Deployment {
            made: file.plan.deployment.name.to_string(),
            here: deployment.name.to_string(),
        });
    }
    Ok(file)
}
