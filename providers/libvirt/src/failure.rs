//! Why a host could not do what was asked.

use tcloud_model::Value;
use tcloud_provider::ProviderError;
use virt::error::{Error, ErrorNumber};

use crate::xml::XmlError;

/// A failed call, before it is told to the caller.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// It cannot be done, now or later, as things stand.
    #[error("{0}")]
    Refused(String),
    /// Something is busy or away; nothing was changed.
    #[error("{0}")]
    Away(String),
    /// It was done, and what was to come of it has not come.
    #[error("{0}")]
    Unready(String),
    /// Nobody knows whether it was done.
    #[error("{0}")]
    Unknown(String),
    /// What libvirt says.
    #[error("{}", said(.0))]
    Libvirt(#[from] Error),
    /// A definition that cannot be written, or was not understood.
    #[error("a definition is not usable: {0}")]
    Xml(#[from] XmlError),
    /// A stamp of ours that says nothing: somebody wrote into it.
    #[error("its stamp is damaged: {0}")]
    Stamp(serde_json::Error),
}

impl Failure {
    /// A refusal.
    pub(crate) fn refused<T>(message: impl Into<String>) -> Result<T, Failure> {
        Err(Failure::Refused(message.into()))
    }

    /// What the caller is told.
    pub(crate) fn told(self, host: &tcloud_model::Address) -> ProviderError {
        match self {
            Failure::Refused(message) => ProviderError::permanent(message),
            Failure::Away(message) => ProviderError::transient(message),
            Failure::Unready(message) => ProviderError::unready(message),
            Failure::Unknown(message) => ProviderError::unknown(message),
            Failure::Libvirt(error) => {
                let message = format!("{host}: {}", said(&error));
                match error.code() {
                    ErrorNumber::OperationTimeout | ErrorNumber::ResourceBusy => {
                        ProviderError::transient(message)
                    }
                    _ if is_busy(&error) => ProviderError::transient(message),
                    _ if cannot_limit(&error) => {
                        ProviderError::permanent(message).lacking("max_rate")
                    }
                    _ => ProviderError::permanent(message),
                }
            }
            failure @ (Failure::Xml(_) | Failure::Stamp(_)) => {
                ProviderError::permanent(format!("{host}: {failure}"))
            }
        }
    }

    /// The same of something that was to be done in a pool: where that does not run, somebody has
    /// taken it down at this moment, and may start it again.
    pub(crate) fn in_pool(self, pool: &str) -> Failure {
        match self.is(ErrorNumber::OperationInvalid) || self.is(ErrorNumber::NoStoragePool) {
            true => Failure::Away(format!("pool {} does not run", quoted(pool))),
            false => self,
        }
    }

    /// Whether libvirt says exactly this.
    pub(crate) fn is(&self, code: ErrorNumber) -> bool {
        matches!(self, Failure::Libvirt(error) if error.code() == code)
    }
}

/// Whether a pool is in use by another of its operations; libvirt has no code for it.
pub(crate) fn is_busy(error: &Error) -> bool {
    error.message().contains("asynchronous jobs running")
}

/// Whether the host's kernel lacks a part of traffic control; libvirt has no code for it.
fn cannot_limit(error: &Error) -> bool {
    let words = error.message();
    let part = ["kind is unknown", "Failed to load TC action module"];
    words.contains("Child process (tc ") && part.iter().any(|part| words.contains(part))
}

/// Whether a disk is there and QEMU may not have it, as QEMU or libvirt say it; there is no code.
fn is_closed_to_qemu(words: &str) -> bool {
    let opened = ["Could not open '", "Cannot access storage file '"];
    words.contains("Permission denied") && opened.iter().any(|begun| words.contains(begun))
}

/// libvirt's words, with a word of ours where they do not say what is meant.
fn said(error: &Error) -> String {
    let words = error.message().trim().escape_debug().to_string().replace("\\'", "'");
    let words = words.replace("\\\"", "\"");
    match error.code() {
        ErrorNumber::OperationDenied => {
            format!("the connection may only read, and this needs one that may write: {words}")
        }
        _ if cannot_limit(error) => format!(
            "the host's kernel cannot limit what is sent (max_rate): it needs sch_htb, sch_sfq, \
             cls_u32 and act_police: {words}"
        ),
        ErrorNumber::AccessDenied => format!("the account lacks a right for this: {words}"),
        _ if is_closed_to_qemu(&words) => format!(
            "QEMU may not open a file of this guest: its account has to get through every directory \
             above it, and what confines it (AppArmor, SELinux) has to let it: {words}"
        ),
        _ => words,
    }
}

/// `None` instead of an error that says that something is absent.
pub(crate) trait Absent<T> {
    /// The object, or `None` when libvirt says that there is none.
    fn or_absent(self) -> Result<Option<T>, Failure>;
}

impl<T> Absent<T> for Result<T, Error> {
    fn or_absent(self) -> Result<Option<T>, Failure> {
        match self {
            Ok(found) => Ok(Some(found)),
            Err(error) => match error.code() {
                ErrorNumber::NoDomain
                | ErrorNumber::NoNetwork
                | ErrorNumber::NoStoragePool
                | ErrorNumber::NoStorageVolume
                | ErrorNumber::NoSecret
                | ErrorNumber::NoNwfilter => Ok(None),
                _ => Err(error.into()),
            },
        }
    }
}

/// A name from outside in a message: in quotes, with what could disturb a terminal escaped.
pub(crate) fn quoted(text: &str) -> String {
    Value::text(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::is_closed_to_qemu;

    #[test]
    fn a_disk_that_qemu_may_not_open_is_told_from_one_that_is_not_there() {
        let words = "internal error: QEMU unexpectedly closed the monitor (vm='a'): -blockdev \
                     {\"driver\":\"file\"}: Could not open '/home/ada/a.qcow2': Permission denied";
        assert!(is_closed_to_qemu(words));
        assert!(is_closed_to_qemu(
            "Cannot access storage file '/home/ada/a.qcow2' (as uid:64055, gid:108): Permission denied"
        ));
        assert!(!is_closed_to_qemu(
            &words.replace("Permission denied", "No such file or directory")
        ));
    }
}
