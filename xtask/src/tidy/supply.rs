//! Where packages come from, and under which licences: `deny.toml`, held without another program. It
//! says nothing about known holes, which `cargo deny` looks up in a database.

use std::path::Path;

use serde::Deserialize;
use spdx::{Expression, ParseMode};

use crate::metadata::{self, Compiler, Locked, Metadata};

/// The one place that packages come from.
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

#[derive(Deserialize)]
struct Deny {
    licenses: Licences,
}

#[derive(Deserialize)]
struct Licences {
    allow: Vec<String>,
}

pub(super) fn check(root: &Path) -> Result<Vec<String>, String> {
    let text = std::fs::read_to_string(root.join("deny.toml"))
        .map_err(|error| format!("deny.toml cannot be read: {error}"))?;
    let deny: Deny =
        toml::from_str(&text).map_err(|error| format!("deny.toml cannot be read: {error}"))?;
    let mut broken: Vec<String> = metadata::lock(root)?.iter().filter_map(unknown_source).collect();
    let compiler = Compiler::ask(root)?;
    for package in &Metadata::read(root, &compiler.host)?.packages {
        if let Some(why) = forbidden(package.license.as_deref(), &deny.licenses.allow) {
            broken.push(format!("{} {}: {why}", package.name, package.version));
        }
    }
    Ok(broken)
}

/// What is wrong about where a package comes from.
fn unknown_source(own: &Locked) -> Option<String> {
    let why = match (own.source.as_deref(), &own.checksum) {
        (None, _) => return None,
        (Some(REGISTRY), Some(_)) => return None,
        (Some(REGISTRY), None) => "has no checksum".to_owned(),
        (Some(other), _) => format!("comes from {other}, and not from {REGISTRY}"),
    };
    Some(format!("Cargo.lock: {} {} {why}", own.name, own.version))
}

/// What is wrong about a licence. Where there is a choice, one that is allowed is enough.
fn forbidden(licence: Option<&str>, allowed: &[String]) -> Option<String> {
    let Some(licence) = licence else { return Some("says no licence".to_owned()) };
    let Ok(expression) = Expression::parse_mode(licence, ParseMode::LAX) else {
        return Some(format!("its licence \"{licence}\" is no SPDX expression"));
    };
    let fits = expression.evaluate(|one| allowed.contains(&one.to_string()));
    (!fits).then(|| format!("its licence {licence} is not among those that deny.toml allows"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn licences_are_held_against_those_that_are_allowed() {
        let allowed = ["MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "Zlib"];
        let allowed = allowed.map(str::to_owned);
        for fine in [
            "MIT",
            "GPL-3.0-only OR MIT",
            "MIT/Apache-2.0",
            "(GPL-2.0-only OR MIT) AND Zlib",
            "Apache-2.0 WITH LLVM-exception",
        ] {
            assert_eq!(forbidden(Some(fine), &allowed), None, "{fine}");
        }
        for wrong in [
            Some("GPL-3.0-only"),
            Some("MIT AND GPL-3.0-only"),
            Some("Zlib WITH LLVM-exception"),
            Some("whatever"),
            None,
        ] {
            assert!(forbidden(wrong, &allowed).is_some(), "{wrong:?}");
        }
    }

    #[test]
    fn packages_come_from_one_place_with_a_checksum() {
        let package = |source: Option<&str>, checksum: Option<&str>| Locked {
            name: "a".to_owned(),
            version: "1.0.0".to_owned(),
            source: source.map(str::to_owned),
            checksum: checksum.map(str::to_owned),
        };
        let broken = |source, checksum| unknown_source(&package(source, checksum)).is_some();
        assert!(!broken(None, None));
        assert!(!broken(Some(REGISTRY), Some("00")));
        assert!(broken(Some(REGISTRY), None));
        assert!(broken(Some("git+https://git.example/a?rev=1#1"), None));
        assert!(broken(Some("registry+https://other.example/index"), Some("00")));
    }
}
