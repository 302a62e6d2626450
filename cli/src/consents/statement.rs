//! What is signed, and the file that it is in.

use std::path::Path;

use serde::{Deserialize, Serialize};
use tcloud_model::{Address, Deployment};
use tcloud_planner::plan::{Decision, DecisionKind};

use super::ConsentError;

/// The format of the file, and a part of what is signed.
const FORMAT: &str = "tcloud-consent/1";

/// Somebody agrees to decisions of a plan. Its JSON in one line is what is signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Statement {
    format: String,
    /// The deployment's name and id.
    deployment: Deployment,
    /// The plan's digest, over everything in it.
    plan: String,
    /// Who agrees, as the allowed signers call him.
    pub(crate) by: String,
    /// What to.
    decisions: Vec<Agreed>,
}

/// A decision, as it was told to whoever agreed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Agreed {
    id: String,
    kind: DecisionKind,
    address: Address,
    message: String,
}

impl Agreed {
    fn of(decision: &Decision) -> Agreed {
        let Decision { id, kind, address, message, help: _, owners: _, approvers: _, agreed: _ } =
            decision;
        Agreed { id: id.clone(), kind: *kind, address: address.clone(), message: message.clone() }
    }
}

impl Statement {
    pub(crate) fn new(
        deployment: &Deployment,
        plan: &str,
        by: &str,
        decisions: &[&Decision],
    ) -> Result<Statement, ConsentError> {
        // What ssh would take for a pattern, a list or two words names nobody.
        let is_plain = |c: char| c.is_ascii_graphic() && !"*?!,\"'#".contains(c);
        if by.is_empty() || by.starts_with('-') || !by.chars().all(is_plain) {
            return Err(ConsentError::Name(by.to_owned()));
        }
        Ok(Statement {
            format: FORMAT.to_owned(),
            deployment: deployment.clone(),
            plan: plan.to_owned(),
            by: by.to_owned(),
            decisions: decisions.iter().map(|decision| Agreed::of(decision)).collect(),
        })
    }

    /// What is signed.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let bytes = serde_json::to_vec(self);
        assert!(bytes.is_ok(), "BUG: a statement has a JSON form");
        bytes.unwrap_or_default()
    }

    /// Whether it agrees to this decision, as it is told now.
    pub(super) fn agrees_to(&self, decision: &Decision) -> bool {
        self.decisions.contains(&Agreed::of(decision))
    }

    /// Refuses a statement about another plan, or about a decision that the plan does not have.
    pub(super) fn fits(
        &self,
        deployment: &Deployment,
        plan: &str,
        decisions: &[Decision],
    ) -> Result<(), ConsentError> {
        let by = || self.by.clone();
        if self.format != FORMAT || self.deployment != *deployment || self.plan != plan {
            let deployment = self.deployment.name.to_string();
            return Err(ConsentError::Other { by: by(), plan: self.plan.clone(), deployment });
        }
        let known: Vec<Agreed> = decisions.iter().map(Agreed::of).collect();
        match self.decisions.iter().find(|own| !known.contains(own)) {
            Some(own) => Err(ConsentError::Decision { by: by(), id: own.id.clone() }),
            None => Ok(()),
        }
    }
}

/// A statement with its signature: what stands in a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Consent {
    pub(crate) statement: Statement,
    /// Armoured, as `ssh-keygen -Y sign` writes it.
    pub(crate) signature: String,
}

impl Consent {
    /// Reads a file, or every `*.consent` in a directory.
    pub(crate) fn read(path: &Path) -> Result<Vec<Consent>, ConsentError> {
        let failed = |source| ConsentError::File { path: path.to_owned(), verb: "read", source };
        if !path.is_dir() {
            let text = std::fs::read_to_string(path).map_err(failed)?;
            let consent = serde_json::from_str(&text)
                .map_err(|source| ConsentError::Malformed { path: path.to_owned(), source })?;
            return Ok(vec![consent]);
        }
        let mut files = Vec::new();
        for entry in std::fs::read_dir(path).map_err(failed)? {
            let file = entry.map_err(failed)?.path();
            if file.extension().is_some_and(|extension| extension == "consent") && file.is_file() {
                files.push(file);
            }
        }
        files.sort();
        let consents: Result<Vec<_>, _> = files.iter().map(|file| Consent::read(file)).collect();
        Ok(consents?.concat())
    }

    /// Writes it, where no file is yet.
    pub(crate) fn write(&self, path: &Path) -> Result<(), ConsentError> {
        let failed = |source| ConsentError::File { path: path.to_owned(), verb: "written", source };
        let file = std::fs::File::create_new(path).map_err(failed)?;
        let written = serde_json::to_writer_pretty(file, self);
        written.map_err(|error| failed(error.into()))
    }
}
