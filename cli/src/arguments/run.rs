//! The options of plan, apply, destroy and drift.

use std::num::{NonZeroU64, NonZeroUsize};
use std::path::PathBuf;

use clap::Args;
use clap_complete::ArgValueCandidates;

use super::address::{Consent, consent};
use super::{Inputs, Reports};
use crate::completion;

/// What plan and apply have in common.
#[derive(Clone, Debug, Args)]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) inputs: Inputs,
    #[command(flatten)]
    pub(crate) scope: Scope,
    #[command(flatten)]
    pub(crate) consent: Consents,
    /// How many steps run at the same time, on one host no more than it takes well, and how many hosts
    /// are asked, no more than 16.
    #[arg(long, value_name = "N", default_value = "128")]
    pub(crate) parallelism: NonZeroUsize,
}

/// What a run is about.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Scope {
    /// Only these, what lies in them and what they need; a glob such as `tenant.a.*`.
    #[arg(long, value_name = "ADDRESS", add = ArgValueCandidates::new(completion::addresses))]
    pub(crate) target: Vec<String>,
    /// Not these, nor what needs them; a glob.
    #[arg(long, value_name = "ADDRESS", add = ArgValueCandidates::new(completion::addresses))]
    pub(crate) exclude: Vec<String>,
    /// Make these anew, even if nothing differs; a glob.
    #[arg(long, value_name = "ADDRESS", add = ArgValueCandidates::new(completion::addresses))]
    pub(crate) replace: Vec<String>,
    /// Only bring the record up to date with what runs; no host is changed.
    #[arg(long)]
    pub(crate) refresh_only: bool,
}

impl Scope {
    /// Whether nothing in particular is wanted.
    pub(crate) fn is_empty(&self) -> bool {
        let Scope { target, exclude, replace, refresh_only } = self;
        target.is_empty() && exclude.is_empty() && replace.is_empty() && !refresh_only
    }
}

/// What is agreed to.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Consents {
    /// Agree, naming it: `data-loss=ADDRESS`, `destroy=ADDRESS` (for protected ones), or
    /// `exposure=ADDRESS` (a network that others newly reach).
    #[arg(long, value_name = "WHAT=ADDRESS", value_parser = consent)]
    pub(crate) allow: Vec<Consent>,
}

/// Shows a plan.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  tcloud plan\n  tcloud plan --out next.tcloud-plan && tcloud apply next.tcloud-plan\n  \
    tcloud plan --exit-code --json > plan.json     for scripts: 0 nothing to do, 2 changes\n  \
    tcloud plan --report sarif=plan.sarif --report codequality=quality.json     for code forges\n  \
    tcloud plan --target 'tenant.rhoenblick.*'"
)]
pub(crate) struct Plan {
    /// The project. Default: the current directory.
    #[arg(value_name = "DIR")]
    pub(crate) path: Option<PathBuf>,
    /// Write the plan to a file that apply carries out exactly.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// JSON on standard output, messages on standard error.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) reports: Reports,
    /// Exit 2 if there are changes, 4 if one needs a decision.
    #[arg(long)]
    pub(crate) exit_code: bool,
    /// Plan to take everything down.
    #[arg(long, conflicts_with = "refresh_only")]
    pub(crate) destroy: bool,
    #[command(flatten)]
    pub(crate) run: Run,
}

/// Compares revisions.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  tcloud diff                        the files as they are, against the last commit\n  \
    tcloud diff origin/main...HEAD     what merging this branch would ask for\n  \
    tcloud diff v1.4..v1.5 --json\n\n\
    No host, no state and no secret is needed. Hosts and addresses that tcloud chooses are those that\n\
    it would have chosen for the first revision on empty hosts; `tcloud plan` knows the real ones."
)]
pub(crate) struct Diff {
    /// `A..B`; `A...B` from where the two parted; `A` against the files as they are.
    #[arg(value_name = "REVISIONS", default_value = "HEAD")]
    pub(crate) revisions: String,
    /// The project. Default: the current directory.
    #[arg(value_name = "DIR")]
    pub(crate) path: Option<PathBuf>,
    /// JSON on standard output, as `tcloud plan --json` writes it.
    #[arg(long)]
    pub(crate) json: bool,
    /// Exit 2 if there are changes, 4 if one needs a decision.
    #[arg(long)]
    pub(crate) exit_code: bool,
    #[command(flatten)]
    pub(crate) reports: Reports,
    #[command(flatten)]
    pub(crate) inputs: Inputs,
}

/// Agrees.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  tcloud plan --out next.tcloud-plan\n  \
    tcloud agree next.tcloud-plan D1 --key ~/.ssh/id_ed25519\n  \
    tcloud apply next.tcloud-plan --consent next.tcloud-plan.erika@town.example.consent\n\n\
    A signature is for this plan alone. Whose signatures a tenant asks for stands in its `approvers`;\n\
    their keys stand in the project's file `allowed_signers`, in the format of ssh-keygen.")]
pub(crate) struct Agree {
    /// The plan, as `tcloud plan --out` wrote it.
    #[arg(value_name = "PLANFILE")]
    pub(crate) plan: PathBuf,
    /// The decisions, such as D1.
    #[arg(required = true, value_name = "DECISION")]
    pub(crate) decisions: Vec<String>,
    /// The key to sign with: a private one, or a public one whose private one an agent holds. Default:
    /// git's user.signingkey, or the usual one in ~/.ssh.
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
    /// Who signs, as `allowed_signers` calls him. Default: git's user.email.
    #[arg(long = "as", value_name = "NAME")]
    pub(crate) by: Option<String>,
    /// The new file. Default: PLANFILE.NAME.consent.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

/// Applies.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  tcloud apply                         shows the plan, asks, applies\n  \
    tcloud apply --yes                   for scripts\n  tcloud apply next.tcloud-plan        exactly this plan, or not at all\n  \
    tcloud apply --yes --allow data-loss=tenant.a.volume.archive\n\n\
    Ctrl-C once: nothing new is begun, what runs is finished. Twice: stop at once."
)]
pub(crate) struct Apply {
    /// The project, or a plan file. Default: the current directory.
    #[arg(value_name = "DIR|PLANFILE")]
    pub(crate) path: Option<PathBuf>,
    /// Do not ask. Loss of data still has to be named by `--allow`.
    #[arg(short, long)]
    pub(crate) yes: bool,
    /// A signed consent to decisions of the plan file, as `tcloud agree` writes it, or a directory of
    /// them.
    #[arg(long, value_name = "FILE")]
    pub(crate) consent: Vec<PathBuf>,
    /// JSON lines on standard output: the plan, each event, the account.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) run: Run,
}

/// Takes everything down.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  tcloud destroy --target 'tenant.test.*'")]
pub(crate) struct Destroy {
    /// The project. Default: the current directory.
    #[arg(value_name = "DIR")]
    pub(crate) path: Option<PathBuf>,
    /// Do not ask. Loss of data still has to be named by `--allow`.
    #[arg(short, long)]
    pub(crate) yes: bool,
    /// JSON lines on standard output: the plan, each event, the account.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) run: Run,
}

/// Shows drift.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  tcloud drift --exit-code || mail -s 'somebody was here' it@town.example"
)]
pub(crate) struct Drift {
    /// The project. Default: the current directory.
    #[arg(value_name = "DIR")]
    pub(crate) path: Option<PathBuf>,
    /// JSON on standard output.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) reports: Reports,
    /// Only what an earlier `tcloud drift --json` did not tell of.
    #[arg(long, value_name = "FILE")]
    pub(crate) since: Option<PathBuf>,
    /// Exit 2 if anything was changed by hand.
    #[arg(long)]
    pub(crate) exit_code: bool,
    #[command(flatten)]
    pub(crate) inputs: Inputs,
}

/// Goes on looking.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  tcloud watch --json | while read -r line; do echo \"$line\" | mail it@town.example; done\n\n\
    Ends with Ctrl-C. What is there at the beginning is told first."
)]
pub(crate) struct Watch {
    /// The project. Default: the current directory.
    #[arg(value_name = "DIR")]
    pub(crate) path: Option<PathBuf>,
    /// How many seconds to wait between two looks.
    #[arg(long, value_name = "SECONDS", default_value = "30")]
    pub(crate) every: NonZeroU64,
    /// JSON lines on standard output.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) inputs: Inputs,
}
