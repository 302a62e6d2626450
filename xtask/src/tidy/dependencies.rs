//! Who may depend on whom: the table of ARCHITECTURE.md, held over `cargo metadata`.

use std::path::Path;
use std::process::Command;

use serde::Deserialize;

/// A crate of ours and those of ours that it may depend on. Test-only dependencies are free,
/// except that nothing ever depends on the command line.
const ALLOWED: [(&str, &[&str]); 16] = [
    ("tcloud-allocator", &[]),
    ("tcloud-model", &[]),
    ("tcloud-syntax", &["tcloud-model"]),
    ("tcloud-compiler", &["tcloud-model", "tcloud-syntax"]),
    ("tcloud-planner", &["tcloud-model"]),
    ("tcloud-state", &["tcloud-model"]),
    ("tcloud-report", &["tcloud-model", "tcloud-planner"]),
    ("tcloud-project", &["tcloud-model", "tcloud-state"]),
    ("tcloud-provider", &["tcloud-model"]),
    ("tcloud-plugin", &["tcloud-model", "tcloud-provider"]),
    ("tcloud-provider-sim", &["tcloud-model", "tcloud-provider", "tcloud-plugin"]),
    ("tcloud-libvirt-calls", &[]),
    (
        "tcloud-provider-libvirt",
        &["tcloud-libvirt-calls", "tcloud-model", "tcloud-provider", "tcloud-plugin"],
    ),
    ("tcloud-engine", &["tcloud-model", "tcloud-planner", "tcloud-state", "tcloud-provider"]),
    ("tcloud-parse-speed", &["tcloud-allocator", "tcloud-model", "tcloud-syntax"]),
    ("xtask", &["tcloud-model", "tcloud-compiler"]),
];

/// Libraries that the pure crates must not have.
const IMPURE: [&str; 4] = ["tokio", "rusqlite", "futures-util", "jiff"];

/// The calendar by which windows are read. Its zones are compiled in, and its clock is banned by
/// `clippy.toml` where planner and compiler could reach it.
const CALENDAR: (&str, &str) = ("tcloud-model", "jiff");

/// The crates that are pure functions.
const PURE: [&str; 5] =
    ["tcloud-model", "tcloud-syntax", "tcloud-compiler", "tcloud-planner", "tcloud-report"];

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    license: Option<String>,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    kind: Option<String>,
}

pub(super) fn check(root: &Path) -> Result<Vec<String>, String> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
        .current_dir(root)
        .output()
        .map_err(|error| format!("cargo cannot be run: {error}"))?;
    if !output.status.success() {
        return Err(format!("cargo metadata: {}", String::from_utf8_lossy(&output.stderr)));
    }
    let metadata: Metadata = serde_json::from_slice(&output.stdout)
        .map_err(|error| format!("cargo metadata cannot be read: {error}"))?;
    let mut broken = Vec::new();
    for package in &metadata.packages {
        check_package(package, &mut broken);
    }
    Ok(broken)
}

fn check_package(package: &Package, broken: &mut Vec<String>) {
    let name = &package.name;
    if package.license.as_deref() != Some("EUPL-1.2") {
        broken.push(format!("{name}: `license.workspace = true` is missing"));
    }
    let allowed = ALLOWED.iter().find(|(own, _)| own == name).map(|(_, allowed)| *allowed);
    for dependency in &package.dependencies {
        let on = dependency.name.as_str();
        let ours = on.starts_with("tcloud") || on == "xtask";
        let for_tests = dependency.kind.as_deref() == Some("dev");
        if on == "tcloud" || on == "xtask" {
            broken.push(format!("{name}: nothing depends on {on}"));
        } else if ours && !for_tests && allowed.is_some_and(|allowed| !allowed.contains(&on)) {
            broken.push(format!("{name}: may not depend on {on}, see ARCHITECTURE.md"));
        } else if !for_tests
            && PURE.contains(&name.as_str())
            && IMPURE.contains(&on)
            && (name.as_str(), on) != CALENDAR
        {
            broken.push(format!("{name}: is pure and may not depend on {on}"));
        }
    }
}
