//! Reading addresses, consent and parameters on the command line.

use tcloud_model::Address;
use tcloud_model::diagnostic::nearest;

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
    let kind = match what {
        "data-loss" => Consent::DataLoss,
        "destroy" => Consent::Destroy,
        "exposure" => Consent::Exposure,
        other => {
            let all = ["data-loss", "destroy", "exposure"];
            let meant = nearest(other, all).map(|near| format!("; did you mean `{near}`?"));
            return Err(format!(
                "`{other}` is not something to agree to, {} are{}",
                all.join(", "),
                meant.unwrap_or_default()
            ));
        }
    };
    of.parse::<Address>().map(kind).map_err(|error| format!("`{of}`: {error}"))
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

#[cfg(test)]
mod tests {
    use super::consent;

    #[test]
    fn a_word_is_refused_before_its_address() {
        let error = consent("dataloss=x").expect_err("no such word");
        assert!(error.ends_with("did you mean `data-loss`?"), "{error}");
        assert!(consent("data-loss=x").expect_err("no address").starts_with("`x`: "));
    }
}
