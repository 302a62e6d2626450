//! Who has to agree, and whether they have.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::Path;

use tcloud_model::{Address, DesiredGraph, Value};
use tcloud_planner::Plan;
use tcloud_planner::plan::Decision;

use super::{Consent, ConsentError, SIGNERS, signature};
use crate::revisions::Repository;

/// Which signatures the tenants of a text ask for.
pub(crate) struct Rules<'a> {
    desired: &'a DesiredGraph,
    root: &'a Path,
}

/// What a decision needs beside a flag.
struct Needed<'a> {
    /// The tenant that asks.
    tenant: &'a Address,
    /// Who may agree for it; everybody who may sign for a tenant that the text no longer declares.
    approvers: Option<BTreeSet<&'a str>>,
    /// Whether an author of the change may not.
    four_eyes: bool,
}

/// A plan that is to be applied, and what was signed about it.
pub(crate) struct Situation<'a> {
    /// The digest by which statements name it.
    pub(crate) plan: &'a str,
    /// The statements.
    pub(crate) consents: &'a [Consent],
}

/// What statements come to.
#[derive(Debug, Default)]
pub(crate) struct Settled {
    /// The decisions that asked for signatures and have them all.
    pub(crate) signed: BTreeSet<String>,
    /// What is missing: a line for each decision and tenant. No flag stands in for it.
    pub(crate) missing: Vec<String>,
}

impl<'a> Rules<'a> {
    pub(crate) fn of(desired: &'a DesiredGraph, root: &'a Path) -> Rules<'a> {
        Rules { desired, root }
    }

    /// What the statements come to. One that is not valid, or about something else, is an error.
    pub(crate) fn settle(
        &self,
        plan: &Plan,
        situation: &Situation<'_>,
    ) -> Result<Settled, ConsentError> {
        let signers = self.root.join(SIGNERS);
        for consent in situation.consents {
            consent.statement.fits(&plan.deployment, situation.plan, &plan.decisions)?;
            if !signers.is_file() {
                return Err(ConsentError::NoSigners);
            }
            let Consent { statement, signature } = consent;
            signature::verify(&signers, &statement.by, &statement.bytes(), signature)?;
        }
        let needs: Vec<Vec<Needed<'_>>> =
            plan.decisions.iter().map(|decision| self.needed(decision)).collect();
        let authors = match needs.iter().flatten().any(|needed| needed.four_eyes) {
            true => self.authors().map_err(ConsentError::NoAuthors)?,
            false => BTreeSet::new(),
        };
        let mut settled = Settled::default();
        for (decision, needs) in plan.decisions.iter().zip(&needs) {
            let lacking = needs
                .iter()
                .filter(|needed| !needed.is_met(decision, situation.consents, &authors))
                .map(|needed| needed.told(decision));
            let before = settled.missing.len();
            settled.missing.extend(lacking);
            if !needs.is_empty() && settled.missing.len() == before {
                settled.signed.insert(decision.id.clone());
            }
        }
        Ok(settled)
    }

    fn needed<'p>(&self, decision: &'p Decision) -> Vec<Needed<'p>>
    where
        'a: 'p,
    {
        let of = |tenant: &'p Address| match self.desired.resources.get(tenant) {
            Some(declared) => {
                let approvers: BTreeSet<&str> = match declared.attributes.get("approvers") {
                    Some(Value::List(names)) => names.iter().filter_map(Value::as_text).collect(),
                    _ => BTreeSet::new(),
                };
                let four_eyes = declared.attributes.flag("four_eyes") == Some(true);
                let asks = !approvers.is_empty();
                asks.then_some(Needed { tenant, approvers: Some(approvers), four_eyes })
            }
            // Its approvers went with it; that must not make it easier.
            None => {
                let signers = self.root.join(SIGNERS).symlink_metadata();
                let absent = signers.is_err_and(|error| error.kind() == ErrorKind::NotFound);
                (!absent).then_some(Needed { tenant, approvers: None, four_eyes: false })
            }
        };
        decision.owners.iter().filter_map(of).collect()
    }

    /// Who wrote what came with the last commit: its author, and for a merge those of all that it
    /// brought.
    fn authors(&self) -> Result<BTreeSet<String>, crate::revisions::RevisionError> {
        Repository::of(self.root)?.authors()
    }
}

impl Needed<'_> {
    fn is_met(
        &self,
        decision: &Decision,
        consents: &[Consent],
        authors: &BTreeSet<String>,
    ) -> bool {
        consents.iter().map(|consent| &consent.statement).any(|statement| {
            let may = self.approvers.as_ref().is_none_or(|all| all.contains(&*statement.by));
            let is_author = authors.contains(&statement.by.to_lowercase());
            may && !(self.four_eyes && is_author) && statement.agrees_to(decision)
        })
    }

    fn told(&self, decision: &Decision) -> String {
        let who = match &self.approvers {
            Some(all) => {
                let names: Vec<&str> = all.iter().copied().collect();
                format!("one of {}", names.join(", "))
            }
            None => format!("anybody in {SIGNERS}, since the text no longer declares it"),
        };
        let other = if self.four_eyes { ", and not an author of the change" } else { "" };
        format!("{}: {} asks for the signature of {who}{other}", decision.id, self.tenant)
    }
}
