//! Seeds, and how others read them: two readers of YAML, and two of ISO 9660 where both are there.

use std::collections::HashMap;
use std::process::Command;

use tcloud_model::value::SecretPart;
use tcloud_model::{Fields, Identity, Name};
use uuid::Uuid;

use super::*;

fn identity() -> Identity {
    Identity { uuid: Uuid::from_u128(7), name: Name::new("t.web") }
}

fn attributes(json: &str) -> Fields {
    serde_json::from_str(json).expect(json)
}

fn seed(json: &str) -> Seed {
    let nics = [
        SeedNic {
            label: Name::new("office"),
            mac: [0x52, 0x54, 0, 0, 0, 1],
            address: Some(("10.20.0.10".parse().expect("an address"), 24)),
            gateway: "10.20.0.1".parse().ok(),
            dns: vec!["10.20.0.1".parse().expect("an address")],
        },
        SeedNic {
            label: Name::new("lab"),
            mac: [0x52, 0x54, 0, 0, 0, 2],
            address: None,
            gateway: None,
            dns: Vec::new(),
        },
    ];
    Seed::of(&identity(), &attributes(json), &nics).expect(json).expect("there is something to say")
}

/// Reads YAML with the reader of Rust.
fn rust(yaml: &str) -> Json {
    serde_saphyr::from_str(yaml).unwrap_or_else(|error| panic!("{error}: {yaml}"))
}

/// Reads YAML with the reader of Python, which is cloud-init's.
fn python(yaml: &str) -> Json {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), yaml).expect("a file");
    let program = "import json, sys, yaml; json.dump(yaml.safe_load(open(sys.argv[1], \
                   encoding='utf-8')), sys.stdout)";
    let mut python = Command::new("/usr/bin/python3");
    let answer = python.args(["-c", program]).arg(file.path()).output().expect("Python runs");
    assert!(answer.status.success(), "{}: {yaml}", String::from_utf8_lossy(&answer.stderr));
    serde_json::from_slice(&answer.stdout).expect("JSON")
}

fn both(yaml: &str, expected: &Json) {
    assert_eq!(rust(yaml), *expected, "{yaml}");
    assert_eq!(python(yaml), *expected, "{yaml}");
}

#[test]
fn user_data_is_exactly_what_was_asked() {
    let seed = seed(
        r##"{"hostname":"web","ssh_keys":["ssh-ed25519 AAAA a@b"],"cloud_init":{"packages":["nginx"],
        "package_update":true,"users":[{"name":"ada","groups":["sudo"],"ssh_keys":["k"]}],
        "write_files":[{"path":"/etc/motd","content":"a\nb: c\n#!x","permissions":"0644"}]}}"##,
    );
    let expected = serde_json::json!({
        "hostname": "web", "ssh_authorized_keys": ["ssh-ed25519 AAAA a@b"], "packages": ["nginx"],
        "package_update": true,
        "users": ["default", {"name": "ada", "groups": ["sudo"], "ssh_authorized_keys": ["k"]}],
        "write_files": [{"path": "/etc/motd", "content": "a\nb: c\n#!x", "permissions": "0644"}],
    });
    both(&seed.user_data, &expected);
    both(
        &seed.meta_data,
        &serde_json::json!({
            "instance-id": "00000000-0000-0000-0000-000000000007", "local-hostname": "web",
        }),
    );
    both(
        seed.network_config.as_deref().expect("NICs"),
        &serde_json::json!({
            "version": 2, "ethernets": {
                "nic0": {"match": {"macaddress": "52:54:00:00:00:01"}, "addresses": ["10.20.0.10/24"],
                    "routes": [{"to": "0.0.0.0/0", "via": "10.20.0.1"}],
                    "nameservers": {"addresses": ["10.20.0.1"]}},
                "nic1": {"match": {"macaddress": "52:54:00:00:00:02"}, "dhcp4": true},
            },
        }),
    );
}

#[test]
fn no_value_becomes_structure() {
    let traps = [
        "no",
        "off",
        "~",
        "null",
        "0o17",
        "017",
        "1e3",
        "1:30",
        "2026-01-01",
        "&a *a",
        "*a",
        "!!python/object:os.system",
        "# no comment",
        "@at",
        "`tick",
        "- list",
        "a: b",
        "{a: b}",
        "[a]",
        "x\nruncmd: [curl http://evil]",
        "\"",
        "\\",
        "'",
        "%TAG",
        "---",
        "...",
        "<<",
        "=",
        "\t",
        " lead",
        "trail ",
        "",
        "\r\n",
        "\u{0}",
        "\u{7}",
        "\u{7f}",
        "\u{85}",
        "\u{a0}",
        "\u{2028}",
        "\u{2029}",
        "\u{feff}",
        "\u{fffe}",
        "\u{ffff}",
        "ä",
        "😀",
        "\u{1fffe}",
    ];
    for trap in traps {
        let mut fields = attributes(r#"{"cloud_init":{}}"#);
        let text = Value::text(trap);
        let config: Fields = [
            (Name::new("timezone"), text.clone()),
            (Name::new("runcmd"), Value::list(vec![text.clone(), text])),
        ]
        .into_iter()
        .collect();
        fields.insert("cloud_init", Value::map(config));
        let seed = Seed::of(&identity(), &fields, &[]).expect(trap).expect("a seed");
        both(&seed.user_data, &serde_json::json!({ "timezone": trap, "runcmd": [trap, trap] }));
    }
}

#[test]
fn a_host_name_is_one() {
    for name in ["web\nruncmd: [curl http://evil]", "", "a b", "-a", "a-", "a..b", "ä", "a/b"] {
        let mut fields = Fields::new();
        fields.insert("hostname", Value::text(name));
        let error = Seed::of(&identity(), &fields, &[]).expect_err(name);
        assert_eq!(error, SeedError::Hostname(name.to_owned()));
        assert!(!error.to_string().contains('\n'), "{error}");
    }
}

#[test]
fn what_is_too_large_or_says_something_else_is_refused() {
    let mut fields = Fields::new();
    let long = "x".repeat(5_000_000);
    fields.insert("ssh_keys", Value::list(vec![Value::text(&long)]));
    let error = Seed::of(&identity(), &fields, &[]).expect_err("too large");
    assert!(
        matches!(error, SeedError::TooLarge { part: "user-data", size: 5_000_000.. }),
        "{error}"
    );
    let script = Seed {
        user_data: "#!/bin/sh\n".to_owned(),
        meta_data: String::new(),
        network_config: None,
    };
    assert_eq!(script.check(), Err(SeedError::Header));
    let nothing = Seed::of(&identity(), &Fields::new(), &[]).expect("nothing");
    assert_eq!(nothing, None);
}

#[test]
fn a_secret_that_was_not_looked_up_is_refused() {
    let secret = Value::Secret(vec![SecretPart::Source("env:KEY".into())].into());
    let file: Fields = [(Name::new("content"), secret)].into_iter().collect();
    let config = Value::list(vec![Value::map(file)]);
    let config: Fields = [(Name::new("write_files"), config)].into_iter().collect();
    let mut fields = Fields::new();
    fields.insert("cloud_init", Value::map(config));
    let error = Seed::of(&identity(), &fields, &[]).expect_err("a secret");
    assert_eq!(error, SeedError::Secret("write_files.content".to_owned()));
}

#[test]
fn the_same_text_gives_the_same_medium() {
    let (one, two) = (seed(r#"{"hostname":"web"}"#), seed(r#"{"hostname":"other"}"#));
    assert_eq!(one.image(), seed(r#"{"hostname":"web"}"#).image());
    assert_ne!(one.image(), two.image());
}

/// Everybody may read the name, and nobody shall learn from it what is inside.
#[test]
fn a_medium_is_named_after_its_guest_alone() {
    let guest = identity();
    let name = volume(&guest);
    let rest = name.strip_prefix(&format!("{}.seed-", guest.name));
    let rest = rest.and_then(|rest| rest.strip_suffix(".iso")).expect("its own name");
    assert!(guest.uuid.simple().to_string().starts_with(rest), "{name}");
    let other = Identity { uuid: Uuid::from_u128(u128::MAX), ..guest.clone() };
    assert!(volume(&other) != name && !is_of(&other, &name));
    let renamed = Identity { name: Name::new("another"), ..guest };
    assert!(is_of(&renamed, &name), "it keeps its medium");
}

#[test]
fn a_medium_holds_what_was_put_in() {
    let large = vec![b'x'; 5_000];
    let files: [(&str, &[u8]); 3] =
        [("meta-data", b"a"), ("network-config", b""), ("user-data", &large)];
    let image = iso::image("cidata", &files);
    assert_eq!(image.len() % 2_048, 0);
    for (descriptor, joliet) in [(16, false), (17, true)] {
        let found = directory(&image, descriptor, joliet);
        let expected: Vec<(String, Vec<u8>)> = files
            .iter()
            .map(|(name, content)| {
                let name = if joliet { (*name).to_owned() } else { format!("{name};1") };
                (name, content.to_vec())
            })
            .collect();
        assert_eq!(found, expected);
    }
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), &image).expect("a file");
    for joliet in [false, true] {
        let flags: &[&str] = if joliet { &["-J"] } else { &[] };
        let isoinfo = |args: &[&str]| {
            let mut command = Command::new("isoinfo");
            let output = command.arg("-i").arg(file.path()).args(flags).args(args).output();
            output.expect("isoinfo runs: it is in genisoimage").stdout
        };
        let names = String::from_utf8_lossy(&isoinfo(&["-f"])).into_owned();
        let mut found = HashMap::new();
        for (name, content) in files {
            let shown = if joliet { format!("/{name}") } else { format!("/{name};1") };
            assert!(names.contains(&shown), "{names}");
            found.insert(name, isoinfo(&["-x", &shown]) == content);
        }
        assert!(found.values().all(|same| *same), "{found:?}");
    }
    let label =
        Command::new("isoinfo").args(["-d", "-i"]).arg(file.path()).output().expect("isoinfo");
    assert!(String::from_utf8_lossy(&label.stdout).contains("Volume id: cidata"));
}

/// The files of the directory that a volume descriptor leads to.
fn directory(image: &[u8], descriptor: usize, joliet: bool) -> Vec<(String, Vec<u8>)> {
    let number = |at: usize| {
        let bytes: [u8; 4] = image[at..at + 4].try_into().expect("four bytes");
        let other: [u8; 4] = image[at + 4..at + 8].try_into().expect("four bytes");
        assert_eq!(u32::from_le_bytes(bytes), u32::from_be_bytes(other));
        usize::try_from(u32::from_le_bytes(bytes)).expect("a number")
    };
    let descriptor = descriptor * 2_048;
    assert_eq!(&image[descriptor + 1..descriptor + 6], b"CD001");
    let mut at = number(descriptor + 156 + 2) * 2_048;
    let mut files = Vec::new();
    while image[at] != 0 {
        let length = usize::from(image[at + 32]);
        let name = &image[at + 33..at + 33 + length];
        let is_directory = image[at + 25] == 2;
        if !is_directory {
            let name = if joliet {
                let units = name.chunks(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
                String::from_utf16(&units.collect::<Vec<_>>()).expect("a name")
            } else {
                String::from_utf8(name.to_vec()).expect("a name")
            };
            let from = number(at + 2) * 2_048;
            files.push((name, image[from..from + number(at + 10)].to_vec()));
        }
        at += usize::from(image[at]);
    }
    files
}
