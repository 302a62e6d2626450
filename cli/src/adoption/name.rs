//! Words for objects, made from their names on the host: readable, unique, and words of the
//! language whatever the name was.

use std::collections::BTreeSet;

use tcloud_model::name::MAX_LENGTH;
use tcloud_model::{Address, DesiredGraph, Name, ObservedObject};

/// Endings that say how a volume is stored and nothing about what it is.
const ENDINGS: [&str; 5] = [".qcow2", ".img", ".raw", ".iso", ".qed"];

/// Addresses that are taken.
pub(super) struct Words {
    taken: BTreeSet<(Option<Address>, Name, Name)>,
}

/// The block of an address: instances of a repeated one have keys, and share its name.
fn block(address: &Address) -> (Option<Address>, Name, Name) {
    (address.parent().cloned(), address.kind().clone(), address.name().clone())
}

impl Words {
    pub(super) fn new(desired: &DesiredGraph) -> Words {
        let declared = desired.resources.keys().map(block);
        let adopted = desired.adopted.iter().map(|own| block(&own.address));
        Words { taken: declared.chain(adopted).collect() }
    }

    /// The address that an object gets; nothing else gets it afterwards.
    pub(super) fn address(&mut self, scope: &Address, object: &ObservedObject) -> Address {
        let word = word(&object.kind, &object.name);
        let mut number = 1_u32;
        loop {
            let name = if number == 1 { word.clone() } else { numbered(&word, number) };
            let address = scope.child(object.kind.clone(), name, None);
            if self.taken.insert(block(&address)) {
                return address;
            }
            number = number.saturating_add(1);
        }
    }
}

fn numbered(word: &str, number: u32) -> Name {
    let end = format!("-{number}");
    let mut start = word;
    while start.len() + end.len() > MAX_LENGTH || start.ends_with('-') {
        start = &start[..start.len() - 1];
    }
    Name::from(format!("{start}{end}"))
}

/// A name on a host as a word: `Büro-PC_01.qcow2` is `buero-pc-01`.
pub(super) fn word(kind: &str, name: &str) -> Name {
    let name = match kind {
        "volume" => ENDINGS.iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(name),
        _ => name,
    };
    let mut word = String::new();
    for c in name.chars() {
        let mut push = |text: &str| word.push_str(text);
        match c {
            'ä' | 'Ä' => push("ae"),
            'ö' | 'Ö' => push("oe"),
            'ü' | 'Ü' => push("ue"),
            'ß' => push("ss"),
            c if c.is_ascii_alphanumeric() => word.push(c.to_ascii_lowercase()),
            _ if word.is_empty() || word.ends_with('-') => {}
            _ => word.push('-'),
        }
    }
    if !word.starts_with(|c: char| c.is_ascii_lowercase()) {
        word = if word.is_empty() { kind.to_owned() } else { format!("{kind}-{word}") };
    }
    word.truncate(MAX_LENGTH);
    let word = word.trim_end_matches('-');
    assert!(Name::is_word(word), "BUG: {word} is no word");
    Name::new(word)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_stay_readable() {
        for (kind, name, expected) in [
            ("vm", "Büro-PC_01", "buero-pc-01"),
            ("volume", "debian12.qcow2", "debian12"),
            ("vm", "debian12.qcow2", "debian12-qcow2"),
            ("vm", "1&1", "vm-1-1"),
            ("network", "  -- ", "network"),
            ("vm", "${forget tenant.t}", "forget-tenant-t"),
            ("vm", "日本", "vm"),
        ] {
            assert_eq!(word(kind, name), expected, "{name}");
        }
    }

    proptest! {
        #[test]
        fn whatever_a_name_is_it_becomes_words_that_differ(name in any::<String>()) {
            let mut words = Words { taken: BTreeSet::new() };
            let scope: Address = "tenant.t".parse().expect("an address");
            let object = ObservedObject {
                kind: Name::new("vm"),
                name: Name::new(&name),
                uuid: None,
                stamp: None,
                attributes: Default::default(),
                pending: Default::default(),
                written: None,
                running: None,
                kept: Vec::new(),
                holds: Vec::new(),
                room: None,
            };
            let all: BTreeSet<Address> =
                (0..12).map(|_| words.address(&scope, &object)).collect();
            prop_assert_eq!(all.len(), 12);
            prop_assert!(all.iter().all(|address| Name::is_word(address.name())));
        }
    }
}
