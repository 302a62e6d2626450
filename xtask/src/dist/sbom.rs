//! The bill of materials of a release: CycloneDX 1.6, with what the BSI's TR-03183-2 asks for – of each
//! component its creator, name, version, file name, licence, SHA-512, what it depends on, and whether it
//! is executable, an archive, and structured; in the words of the BSI's own taxonomy for CycloneDX.
//!
//! Components are the programs, every package of others that is compiled into them or helps to compile
//! them, and Rust's standard library. What the system brings – its C library, libvirt – is not delivered.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sha2::{Digest, Sha256, Sha512};
use uuid::Uuid;

use super::{PROGRAMS, Release, hex};
use crate::metadata::{self, Compiler, Metadata, Package};

/// What the standard library is called in the bill.
const STD: &str = "rust:std";

/// What a bill is made from.
pub(super) struct Bill<'a> {
    pub(super) root: &'a Path,
    pub(super) release: &'a Release,
    pub(super) compiler: &'a Compiler,
    pub(super) metadata: &'a Metadata,
}

/// What a file is, for the BSI.
#[derive(Clone, Copy)]
enum Sort {
    /// A program.
    Program,
    /// An archive, whose parts can still be told apart.
    Archive,
    /// An archive of compiled code.
    Compiled,
}

/// One component.
struct Component<'a> {
    reference: String,
    kind: &'static str,
    name: &'a str,
    version: &'a str,
    creator: String,
    /// An SPDX expression.
    licence: String,
    file: String,
    url: String,
    sort: Sort,
    sha512: String,
    purl: Option<String>,
    source: Option<&'a str>,
}

impl Bill<'_> {
    /// The bill of an archive and the tree that is packed in it.
    pub(super) fn write(&self, name: &str, archive: &[u8], tree: &Path) -> Result<Vec<u8>, String> {
        let product = Component {
            kind: "application",
            name: "tcloud",
            version: &self.release.version,
            ..self.own("product:tcloud", name, Sort::Archive, archive)
        };
        let (mut components, mut dependencies) = (Vec::new(), BTreeMap::new());
        let mut references = Vec::new();
        for program in PROGRAMS {
            let path = tree.join("bin").join(program);
            let bytes =
                std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
            let reference = format!("program:{program}");
            components.push(Component {
                name: program,
                version: &self.release.version,
                ..self.own(&reference, program, Sort::Program, &bytes)
            });
            dependencies.insert(reference.clone(), self.used_by(program));
            references.push(reference);
        }
        dependencies.insert(product.reference.clone(), references);
        components.push(self.standard_library()?);
        dependencies.insert(STD.to_owned(), Vec::new());
        self.packages(&mut components, &mut dependencies)?;
        let bill = self.bill(&product, &components, &dependencies, archive)?;
        let mut text = serde_json::to_string_pretty(&bill).map_err(|error| error.to_string())?;
        text.push('\n');
        Ok(text.into_bytes())
    }

    fn bill(
        &self,
        product: &Component<'_>,
        components: &[Component<'_>],
        dependencies: &BTreeMap<String, Vec<String>>,
        archive: &[u8],
    ) -> Result<Value, String> {
        let moment = jiff::Timestamp::from_second(self.release.moment)
            .map_err(|error| format!("the time of the commit: {error}"))?;
        let known: Vec<&String> = dependencies.keys().collect();
        let edges: Vec<Value> =
            dependencies.iter().map(|(from, on)| json!({ "ref": from, "dependsOn": on })).collect();
        Ok(json!({
            "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
            "bomFormat": "CycloneDX",
            "specVersion": "1.6",
            "serialNumber": Uuid::new_v5(&Uuid::NAMESPACE_OID, archive).urn().to_string(),
            "version": 1,
            "metadata": {
                "timestamp": moment.to_string(),
                "lifecycles": [{ "phase": "build" }],
                "manufacturer": party(&self.release.creator),
                "tools": { "components": [
                    { "type": "application", "name": "rustc", "version": self.compiler.release },
                    { "type": "application", "name": "cargo xtask dist", "version": self.release.version },
                ]},
                "component": product.view(),
            },
            "components": components.iter().map(Component::view).collect::<Vec<_>>(),
            "dependencies": edges,
            // Nothing is left out: the BSI wants it said.
            "compositions": [{ "aggregate": "complete", "dependencies": known }],
        }))
    }

    /// What is ours and delivered.
    fn own<'c>(&self, reference: &str, file: &str, sort: Sort, bytes: &[u8]) -> Component<'c> {
        Component {
            reference: reference.to_owned(),
            kind: "application",
            name: "",
            version: "",
            creator: self.release.creator.clone(),
            licence: "EUPL-1.2".to_owned(),
            file: file.to_owned(),
            url: file.to_owned(),
            sort,
            sha512: hex(&Sha512::digest(bytes)),
            purl: None,
            source: None,
        }
    }

    fn standard_library(&self) -> Result<Component<'_>, String> {
        let Compiler { release, host, sysroot, llvm: _ } = self.compiler;
        let directory = sysroot.join("lib/rustlib").join(host).join("lib");
        let unreadable = |error: std::io::Error| format!("{}: {error}", directory.display());
        let entries = std::fs::read_dir(&directory).map_err(unreadable)?;
        let mut names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let file = names
            .find(|name| name.starts_with("libstd-") && name.ends_with(".rlib"))
            .ok_or_else(|| format!("{} has no standard library", directory.display()))?;
        let bytes = std::fs::read(directory.join(&file)).map_err(unreadable)?;
        Ok(Component {
            reference: STD.to_owned(),
            kind: "library",
            name: "std",
            version: release,
            creator: "https://www.rust-lang.org".to_owned(),
            licence: "MIT OR Apache-2.0".to_owned(),
            url: "https://static.rust-lang.org".to_owned(),
            file,
            sort: Sort::Compiled,
            sha512: hex(&Sha512::digest(bytes)),
            purl: None,
            source: Some("https://github.com/rust-lang/rust"),
        })
    }

    /// The packages of others. Each has an archive, whose SHA-256 has to be what `Cargo.lock` says.
    fn packages<'c>(
        &'c self,
        components: &mut Vec<Component<'c>>,
        dependencies: &mut BTreeMap<String, Vec<String>>,
    ) -> Result<(), String> {
        let lock = metadata::lock(self.root)?;
        let shipped = self.metadata.shipped(&PROGRAMS);
        for own in self.metadata.packages.iter().filter(|own| own.source.is_some()) {
            let Some(on) = shipped.get(own.id.as_str()) else { continue };
            let locked = lock.iter().find(|all| all.name == own.name && all.version == own.version);
            components.push(foreign(own, locked.and_then(|locked| locked.checksum.as_deref()))?);
            let on = self.metadata.packages.iter().filter(|all| on.contains(&all.id.as_str()));
            dependencies.insert(reference_of(own), on.map(reference_of).collect());
        }
        Ok(())
    }

    /// What a program is made of: the packages of others that ours in it ask for.
    fn used_by(&self, program: &str) -> Vec<String> {
        let shipped = self.metadata.shipped(&[program]);
        let is_ours = |own: &&Package| own.source.is_none();
        let ours = self.metadata.packages.iter().filter(is_ours);
        let asked: BTreeSet<&str> =
            ours.filter_map(|own| shipped.get(own.id.as_str())).flatten().copied().collect();
        let packages = self.metadata.packages.iter();
        let used = packages.filter(|own| !is_ours(own) && asked.contains(own.id.as_str()));
        used.map(reference_of).chain([STD.to_owned()]).collect()
    }
}

/// A package of somebody else, from its archive in Cargo's cache.
fn foreign<'c>(own: &'c Package, checksum: Option<&str>) -> Result<Component<'c>, String> {
    let Package { name, version, .. } = own;
    let file = format!("{name}-{version}.crate");
    let path = archive_of(own, &file)?;
    let bytes = std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    if checksum != Some(hex(&Sha256::digest(&bytes)).as_str()) {
        return Err(format!("{} is not what Cargo.lock says", path.display()));
    }
    let licence = own.license.as_deref().ok_or_else(|| format!("{name} says no licence"))?;
    // Slashes and names of the GNU licences are of older times.
    let now = spdx::Expression::canonicalize(licence);
    let now = now.map_err(|error| format!("the licence of {name}: {error}"))?;
    let links = [&own.repository, &own.homepage];
    let link = links.into_iter().flatten().find(|link| link.starts_with("http"));
    let mail = own.authors.iter().find_map(|author| {
        let (_, mail) = author.split_once('<')?;
        Some(mail.strip_suffix('>')?.to_owned()).filter(|mail| mail.contains('@'))
    });
    let creator = mail.or(link.cloned());
    Ok(Component {
        reference: reference_of(own),
        kind: "library",
        name,
        version,
        creator: creator.unwrap_or_else(|| format!("https://crates.io/crates/{name}")),
        licence: now.unwrap_or_else(|| licence.to_owned()),
        url: format!("https://static.crates.io/crates/{name}/{file}"),
        file,
        sort: Sort::Archive,
        sha512: hex(&Sha512::digest(&bytes)),
        purl: Some(reference_of(own)),
        source: own.repository.as_deref(),
    })
}

/// Where Cargo keeps the archive whose content it has unpacked beside it.
fn archive_of(own: &Package, file: &str) -> Result<PathBuf, String> {
    let unpacked = own.manifest_path.parent();
    let registry = unpacked.and_then(Path::parent);
    let cargo = registry.and_then(Path::parent).and_then(Path::parent);
    match (registry.and_then(Path::file_name), cargo) {
        (Some(registry), Some(cargo)) => Ok(cargo.join("cache").join(registry).join(file)),
        _ => Err(format!("{} lies where no registry is", own.manifest_path.display())),
    }
}

/// How a package is called among all packages of the world.
fn reference_of(own: &Package) -> String {
    format!("pkg:cargo/{}@{}", own.name, own.version)
}

/// Somebody, by an e-mail address or a URL.
fn party(who: &str) -> Value {
    match who.contains('@') && !who.contains("://") {
        true => json!({ "contact": [{ "email": who }] }),
        false => json!({ "url": [who] }),
    }
}

impl Component<'_> {
    fn view(&self) -> Value {
        let (executable, archive, structured) = match self.sort {
            Sort::Program => ("executable", "no archive", "unstructured"),
            Sort::Archive => ("non-executable", "archive", "structured"),
            Sort::Compiled => ("non-executable", "archive", "unstructured"),
        };
        let properties = [
            ("bsi:component:filename", self.file.as_str()),
            ("bsi:component:executable", executable),
            ("bsi:component:archive", archive),
            ("bsi:component:structured", structured),
        ];
        let hashes = json!([{ "alg": "SHA-512", "content": self.sha512 }]);
        let mut links = vec![json!({ "type": "distribution", "url": self.url, "hashes": hashes })];
        links.extend(self.source.map(|url| json!({ "type": "vcs", "url": url })));
        let mut view = json!({
            "bom-ref": self.reference,
            "type": self.kind,
            "name": self.name,
            "version": self.version,
            "manufacturer": party(&self.creator),
            "licenses": [{ "expression": self.licence, "acknowledgement": "concluded" }],
            "hashes": hashes,
            "externalReferences": links,
            "properties": properties.map(|(name, value)| json!({ "name": name, "value": value })),
        });
        if let Some(purl) = &self.purl {
            view["purl"] = json!(purl);
        }
        view
    }
}

#[cfg(test)]
mod tests;
