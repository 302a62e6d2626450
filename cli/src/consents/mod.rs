//! Signed statements: who agrees to which decisions of which saved plan.
//!
//! * `statement` – what is signed, and the file that it is in.
//! * `signature` – signing and verifying, by the system's `ssh-keygen`.
//! * `rules` – who has to agree, and whether they have.

mod rules;
mod signature;
mod statement;

pub(crate) use rules::{Rules, Settled, Situation};
pub(crate) use signature::sign;
pub(crate) use statement::{Consent, Statement};

/// The allowed signers of a project, in ssh's own format: `PRINCIPAL KEYTYPE KEY`.
pub(crate) const SIGNERS: &str = "allowed_signers";

/// Why a consent is worth nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConsentError {
    /// The file cannot be read or written.
    #[error("{} cannot be {verb}", path.display())]
    File {
        /// The file.
        path: std::path::PathBuf,
        /// `read` or `written`.
        verb: &'static str,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// It is something else.
    #[error("{} is not a consent", path.display())]
    Malformed {
        /// The file.
        path: std::path::PathBuf,
        /// Why not.
        #[source]
        source: serde_json::Error,
    },
    /// It is about something else.
    #[error(
        "the consent of {by} is for the plan {plan:.10} of `{deployment}`, and not for this one"
    )]
    Other {
        /// Who agreed.
        by: String,
        /// To which plan.
        plan: String,
        /// Of which deployment.
        deployment: String,
    },
    /// The decision was told otherwise when it was agreed to.
    #[error("{by} agreed to a {id} that this plan does not have")]
    Decision {
        /// Who agreed.
        by: String,
        /// To what.
        id: String,
    },
    /// The signature does not fit, or nobody may sign so.
    #[error("the signature of {by} is not valid: {said}")]
    Signature {
        /// Who is said to have signed.
        by: String,
        /// What ssh-keygen says.
        said: String,
    },
    /// ssh-keygen cannot be started or ends badly.
    #[error("ssh-keygen: {0}")]
    Ssh(String),
    /// Nobody may sign.
    #[error("there is no file `{SIGNERS}` in the project that says whose signatures count")]
    NoSigners,
    /// The name cannot stand in a file of allowed signers.
    #[error("{0:?} cannot be the name of a signer: one word, without wildcards")]
    Name(String),
    /// Git does not say whose change it is.
    #[error("whose change it is cannot be told, and nobody may agree to his own")]
    NoAuthors(#[source] crate::revisions::RevisionError),
}
