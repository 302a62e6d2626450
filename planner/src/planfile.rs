//! The plan as a file: versioned JSON that is the same to the byte for the same facts and wishes, and
//! that tells when somebody changed it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tcloud_model::{Address, Deployment, Digest, Name, ObjectId, Output, SealKey, Value};

use crate::plan::{
    Change, Decision, Drift, Exposure, GuestImpact, Pending, Plan, Reserve, Step, Usage,
};

/// The format that this version writes, and the only one that it reads.
pub const FORMAT: &str = "tcloud-plan/2";

/// A plan with what it was made under.
#[derive(Clone, Debug, PartialEq)]
pub struct PlanFile {
    /// The version of tcloud that made it.
    pub tool: String,
    /// By scope of the journal (a tenant, or `None` for what is shared): where it ended when the
    /// plan was made.
    pub heads: BTreeMap<Option<Address>, End>,
    /// What could not be looked at when the plan was made, and was left out.
    pub gaps: Gaps,
    /// What [`seal`] gave, if it was made where there was a key.
    pub seal: Option<Digest>,
    /// The plan.
    pub plan: Plan,
}

/// Where a chain of the journal ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct End {
    /// How many entries it had.
    pub serial: u64,
    /// The hash of the last one.
    pub hash: String,
}

/// What could not be looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gaps {
    /// Hosts that did not answer.
    pub silent: Vec<Address>,
    /// What is remembered on a host that answered, and could not be read there.
    pub unseen: Vec<ObjectId>,
}

impl Gaps {
    /// Whether everything was seen.
    pub fn is_empty(&self) -> bool {
        self.silent.is_empty() && self.unseen.is_empty()
    }
}

/// Why a file is not a plan that can be applied.
#[derive(Debug, thiserror::Error)]
pub enum PlanFileError {
    /// It is not JSON, or lacks something, or has something that no plan has.
    #[error("this is not a plan")]
    Malformed(#[source] serde_json::Error),
    /// Another version wrote it.
    #[error("the plan has the format `{}`, and this tcloud reads `{FORMAT}`", .0.escape_debug())]
    Version(String),
    /// Its digest does not fit its content, or it was written in another way.
    #[error("the plan was changed after it was made")]
    Changed,
}

/// Writes a plan. One line of JSON and a newline.
pub fn write(file: &PlanFile) -> String {
    let content = Content::of(file);
    let digest = Digest::of_long_json(&content);
    let wire = Wire { format: FORMAT.to_owned(), digest, seal: file.seal, content };
    let text = serde_json::to_string(&wire);
    assert!(text.is_ok(), "BUG: a plan has a JSON form");
    text.unwrap_or_default() + "\n"
}

/// Reads a plan that [`write`] wrote, to the byte.
///
/// # Errors
/// See [`PlanFileError`].
pub fn read(text: &str) -> Result<PlanFile, PlanFileError> {
    let format: Format = serde_json::from_str(text).map_err(PlanFileError::Malformed)?;
    if format.format != FORMAT {
        return Err(PlanFileError::Version(format.format));
    }
    let wire: Wire<'_> = serde_json::from_str(text).map_err(PlanFileError::Malformed)?;
    let file = wire.content.into_file(wire.seal);
    // What was written again is the same to the byte, so that nothing in it was overlooked: no
    // unknown field however deep, no value in another form.
    if write(&file) == text { Ok(file) } else { Err(PlanFileError::Changed) }
}

/// The digest by which people and the journal know a plan.
pub fn digest(file: &PlanFile) -> Digest {
    Digest::of_long_json(&Content::of(file))
}

/// What shows that a plan was made by somebody who has the key.
pub fn seal(file: &PlanFile, key: &SealKey) -> Digest {
    key.seal(&Content::of(file).bytes())
}

/// Only the version, whatever else there is.
#[derive(Deserialize)]
struct Format {
    format: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire<'a> {
    format: String,
    digest: Digest,
    seal: Option<Digest>,
    content: Content<'a>,
}

/// What is digested. A plan of everything is large: what is written is borrowed.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content<'a> {
    tool: Cow<'a, str>,
    deployment: Cow<'a, Deployment>,
    configuration: Option<Digest>,
    heads: Vec<(Option<Address>, End)>,
    #[serde(default, skip_serializing_if = "Gaps::is_empty")]
    gaps: Cow<'a, Gaps>,
    changes: Cow<'a, [Change]>,
    drift: Cow<'a, [Drift]>,
    decisions: Cow<'a, [Decision]>,
    guests: Cow<'a, [GuestImpact]>,
    exposure: Cow<'a, [Exposure]>,
    steps: Cow<'a, [Step]>,
    usage: Cow<'a, [Usage]>,
    reserves: Cow<'a, [Reserve]>,
    pending: Cow<'a, [Pending]>,
    outputs: Vec<(Name, String, Value)>,
    unchanged: usize,
    left_out: usize,
    foreign: usize,
    unchecked: Cow<'a, [String]>,
}

impl<'a> Content<'a> {
    fn bytes(&self) -> Vec<u8> {
        let bytes = serde_json::to_vec(self);
        assert!(bytes.is_ok(), "BUG: a plan has a JSON form");
        bytes.unwrap_or_default()
    }

    fn of(file: &'a PlanFile) -> Content<'a> {
        let PlanFile { tool, heads, gaps, seal: _, plan } = file;
        let Plan {
            deployment,
            configuration,
            changes,
            drift,
            decisions,
            guests,
            exposure,
            steps,
            usage,
            reserves,
            pending,
            outputs,
            unchanged,
            left_out,
            foreign,
            unchecked,
        } = plan;
        Content {
            tool: tool.into(),
            deployment: Cow::Borrowed(deployment),
            configuration: *configuration,
            heads: heads.iter().map(|(scope, end)| (scope.clone(), end.clone())).collect(),
            gaps: Cow::Borrowed(gaps),
            changes: changes.into(),
            drift: drift.into(),
            decisions: decisions.into(),
            guests: guests.into(),
            exposure: exposure.into(),
            steps: steps.into(),
            usage: usage.into(),
            reserves: reserves.into(),
            pending: pending.into(),
            outputs: outputs
                .iter()
                .map(|o| (o.name.clone(), o.doc.clone(), o.value.clone()))
                .collect(),
            unchanged: *unchanged,
            left_out: *left_out,
            foreign: *foreign,
            unchecked: unchecked.into(),
        }
    }

    fn into_file(self, seal: Option<Digest>) -> PlanFile {
        let Content {
            tool,
            deployment,
            configuration,
            heads,
            gaps,
            changes,
            drift,
            decisions,
            guests,
            exposure,
            steps,
            usage,
            reserves,
            pending,
            outputs,
            unchanged,
            left_out,
            foreign,
            unchecked,
        } = self;
        let outputs = outputs.into_iter().map(|(name, doc, value)| Output { name, doc, value });
        let plan = Plan {
            deployment: deployment.into_owned(),
            configuration,
            changes: changes.into_owned(),
            drift: drift.into_owned(),
            decisions: decisions.into_owned(),
            guests: guests.into_owned(),
            exposure: exposure.into_owned(),
            steps: steps.into_owned(),
            usage: usage.into_owned(),
            reserves: reserves.into_owned(),
            pending: pending.into_owned(),
            outputs: outputs.collect(),
            unchanged,
            left_out,
            foreign,
            unchecked: unchecked.into_owned(),
        };
        let (tool, gaps) = (tool.into_owned(), gaps.into_owned());
        PlanFile { tool, heads: heads.into_iter().collect(), gaps, seal, plan }
    }
}
