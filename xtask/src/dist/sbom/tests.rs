//! The bill of materials against `Cargo.lock`, what the BSI asks for, and the schema of CycloneDX.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::{Command, Stdio};

use super::*;

/// The bill of programs that are none, of everything that is really compiled.
fn bill() -> Value {
    let root = crate::root();
    let compiler = Compiler::ask(&root).expect("a compiler");
    let metadata = Metadata::read(&root, &compiler.host).expect("packages");
    let release = Release {
        version: "0.1.0".to_owned(),
        target: compiler.host.clone(),
        commit: "HEAD".to_owned(),
        moment: 1_700_000_000,
        creator: "release@tcloud.example".to_owned(),
    };
    let tree = tempfile::tempdir().expect("a directory");
    std::fs::create_dir(tree.path().join("bin")).expect("a directory");
    for program in PROGRAMS {
        std::fs::write(tree.path().join("bin").join(program), program).expect("a file");
    }
    let bill = Bill { root: &root, release: &release, compiler: &compiler, metadata: &metadata };
    let write = || bill.write("tcloud.tar.gz", b"an archive", tree.path()).expect("a bill");
    let bytes = write();
    assert_eq!(bytes, write(), "it is always the same");
    serde_json::from_slice(&bytes).expect("JSON")
}

fn text<'a>(value: &'a Value, path: &str) -> &'a str {
    value.pointer(path).and_then(Value::as_str).unwrap_or_else(|| panic!("{path} of {value}"))
}

#[test]
fn every_component_says_what_the_bsi_asks_for() {
    let bill = bill();
    assert_eq!(text(&bill, "/metadata/timestamp"), "2023-11-14T22:13:20Z");
    assert_eq!(text(&bill, "/metadata/manufacturer/contact/0/email"), "release@tcloud.example");
    let mut all = bill["components"].as_array().expect("components").clone();
    all.push(bill["metadata"]["component"].clone());
    let (mut known, mut names) = (BTreeSet::new(), BTreeSet::new());
    for own in &all {
        let creator = &own["manufacturer"];
        let who = creator.pointer("/contact/0/email").or(creator.pointer("/url/0"));
        let who = who.and_then(Value::as_str).unwrap_or_default();
        assert!(who.contains('@') || who.starts_with("http"), "{own}");
        assert!(!text(own, "/name").is_empty() && !text(own, "/version").is_empty(), "{own}");
        let licence = text(own, "/licenses/0/expression");
        spdx::Expression::parse(licence).unwrap_or_else(|error| panic!("{own}: {error}"));
        assert_eq!(text(own, "/externalReferences/0/hashes/0/alg"), "SHA-512");
        assert_eq!(text(own, "/externalReferences/0/hashes/0/content").len(), 128);
        let property = |name: &str| {
            let mut all = own["properties"].as_array().expect("properties").iter();
            let found = all.find(|own| own["name"] == format!("bsi:component:{name}"));
            found.map(|own| text(own, "/value").to_owned()).unwrap_or_default()
        };
        let file = property("filename");
        assert!(!file.is_empty() && !file.contains('/'), "{own}");
        assert!(["executable", "non-executable"].contains(&property("executable").as_str()));
        assert!(["archive", "no archive"].contains(&property("archive").as_str()));
        assert!(["structured", "unstructured"].contains(&property("structured").as_str()));
        assert!(known.insert(text(own, "/bom-ref").to_owned()), "twice: {own}");
        names.insert(text(own, "/name").to_owned());
    }
    for name in PROGRAMS.iter().chain(&["std", "serde", "virt-sys", "libsqlite3-sys"]) {
        assert!(names.contains(*name), "{name} is missing");
    }
    for name in ["proptest", "insta", "tcloud-tests"] {
        assert!(!names.contains(name), "{name} is only for tests");
    }
    let complete = bill["compositions"][0]["dependencies"].as_array().expect("a list");
    let complete: BTreeSet<String> =
        complete.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    assert_eq!(complete, known, "what is said to be complete");
    for edges in bill["dependencies"].as_array().expect("dependencies") {
        for to in edges["dependsOn"].as_array().expect("a list") {
            assert!(known.contains(to.as_str().expect("a reference")), "{edges}");
        }
    }
}

#[test]
fn packages_are_those_of_the_lock_file_with_the_bytes_that_it_names() {
    let bill = bill();
    let lock = metadata::lock(&crate::root()).expect("a lock file");
    let mut seen = 0;
    for own in bill["components"].as_array().expect("components") {
        let Some(purl) = own["purl"].as_str() else { continue };
        let is_it = |locked: &&metadata::Locked| {
            format!("pkg:cargo/{}@{}", locked.name, locked.version) == purl
        };
        let locked = lock.iter().find(is_it).unwrap_or_else(|| panic!("{purl} is not locked"));
        assert!(locked.checksum.is_some(), "{purl}");
        seen += 1;
    }
    assert!(seen > 100 && seen < lock.len(), "{seen} of {}", lock.len());
}

#[test]
fn an_archive_with_other_bytes_is_refused() {
    let root = crate::root();
    let compiler = Compiler::ask(&root).expect("a compiler");
    let metadata = Metadata::read(&root, &compiler.host).expect("packages");
    let serde = metadata.packages.iter().find(|own| own.name == "serde").expect("serde");
    let Err(error) = foreign(serde, Some(&"0".repeat(64))) else { panic!("it is taken") };
    assert!(error.contains("is not what Cargo.lock says"), "{error}");
}

/// Python's library for JSON schemas is the judge; the schemas are CycloneDX's own.
#[test]
fn it_has_the_schema_of_cyclonedx() {
    let program = r#"
import json, sys
from jsonschema import Draft7Validator, RefResolver
names = ["bom-1.6", "spdx", "jsf-0.82"]
schemas = {n: json.load(open(f"schema/{n}.schema.json")) for n in names}
store = {f"http://cyclonedx.org/schema/{n}.schema.json": own for n, own in schemas.items()}
bom = schemas["bom-1.6"]
validator = Draft7Validator(bom, resolver=RefResolver(bom["$id"], bom, store=store))
for error in validator.iter_errors(json.load(sys.stdin)):
    print(f"{list(error.absolute_path)}: {error.message[:300]}")
"#;
    let judged = |bill: &Value| {
        let mut python = Command::new("/usr/bin/python3")
            .args(["-c", program])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 runs");
        let mut input = python.stdin.take().expect("its input");
        input.write_all(bill.to_string().as_bytes()).expect("it reads");
        drop(input);
        let output = python.wait_with_output().expect("it ends");
        assert!(output.status.success(), "python3-jsonschema is missing");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let mut bill = bill();
    assert_eq!(judged(&bill), "");
    bill["components"][0]["type"] = json!("thing");
    bill["metadata"]["component"]["more"] = json!(1);
    let wrong = judged(&bill);
    assert!(wrong.contains("thing") && wrong.contains("more"), "{wrong}");
}
