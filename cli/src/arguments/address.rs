//! Reading addresses, consent and parameters on the command line.

use tcloud_model::Address;

/// `--allow data-loss=ADDRESS`, `destroy=` or `exposure=`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Consent {
    /// The data of this may be destroyed.
    DataLoss(Address),
    /// This may be destroyed although it is protected.
    Destroy(Address),
    /// Others may newly reach this network.
    Exposure(Address),
}

/// Reads a consent.
pub(super) fn consent(text: &str) -> Result<Consent, String> {
    let (what, of) = text
        .split_once('=')
        .ok_or("consent names what is agreed to and for what: data-loss=tenant.a.volume.x")?;
    let address = of.parse::<Address>().map_err(|error| format!("`{of}`: {error}"))?;
    match what {
        "data-loss" => Ok(Consent::DataLoss(address)),
        "destroy" => Ok(Consent::Destroy(address)),
        "exposure" => Ok(Consent::Exposure(address)),
        other => {
            Err(format!("`{other}` is not something to agree to: data-loss, destroy, exposure"))
        }
    }
}

/// Reads `name=value`.
pub(super) fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => {
            Ok((name.trim().to_owned(), value.to_owned()))
        }
        _ => Err("a parameter is set as name=value".to_owned()),
    }
}
