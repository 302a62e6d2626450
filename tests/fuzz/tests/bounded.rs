//! Every body of a fuzz target, for a moment: any bytes, and what is sound with something wrong in it.

use std::collections::BTreeMap;

use proptest::prelude::*;
use tcloud_fuzz_bodies::BODIES;
use tcloud_model::{Address, Deployment, Digest};
use tcloud_planner::plan::Plan;
use tcloud_planner::planfile::{End, Gaps};
use tcloud_planner::{PlanFile, planfile};

/// Something sound for each body.
fn sound(name: &str) -> Vec<u8> {
    match name {
        "grammar" | "formatter" => include_bytes!("sound/tenant.tcloud").to_vec(),
        "plan_file" => {
            let mut plan = Plan::empty(Deployment::new("lab"));
            plan.configuration = Some(Digest([7; 16]));
            plan.unchecked = vec!["site.m.host.kvm1 did not answer".to_owned()];
            let end = End { serial: 1, hash: "00ff".to_owned() };
            let (tool, heads) = ("1".to_owned(), BTreeMap::from([(None, end)]));
            let silent = vec![Address::root("host", "kvm1", None)];
            let gaps = Gaps { silent, unseen: Vec::new() };
            let seal = Some(Digest([8; 16]));
            planfile::write(&PlanFile { tool, heads, gaps, seal, plan }).into_bytes()
        }
        "journal" => include_bytes!("sound/journal.jsonl").to_vec(),
        "settings" => include_bytes!("sound/tcloud.toml").to_vec(),
        "lock" => include_bytes!("sound/tcloud.lock").to_vec(),
        "xml" => include_bytes!("../../corpus/domain/hardware.xml").to_vec(),
        _ => include_bytes!("sound/frames.txt").to_vec(),
    }
}

/// What is done to sound bytes.
#[derive(Clone, Debug)]
enum Damage {
    Cut(prop::sample::Index),
    Flip(prop::sample::Index, u8),
    Insert(prop::sample::Index, &'static str),
}

fn damage() -> impl Strategy<Value = Damage> {
    let traps =
        ["99999999999999999999", "{", "]", "\"", "-", "\u{0}", "\n", "null", "\\u0000", "ä"];
    let at = any::<prop::sample::Index>;
    prop_oneof![
        at().prop_map(Damage::Cut),
        (at(), any::<u8>()).prop_map(|(at, bits)| Damage::Flip(at, bits)),
        (at(), prop::sample::select(traps.to_vec()))
            .prop_map(|(at, what)| Damage::Insert(at, what)),
    ]
}

fn damaged(mut bytes: Vec<u8>, all: &[Damage]) -> Vec<u8> {
    for damage in all {
        if bytes.is_empty() {
            break;
        }
        match damage {
            Damage::Cut(at) => bytes.truncate(at.index(bytes.len())),
            Damage::Flip(at, bits) => {
                let at = at.index(bytes.len());
                bytes[at] ^= bits;
            }
            Damage::Insert(at, what) => {
                let at = at.index(bytes.len());
                bytes.splice(at..at, what.bytes());
            }
        }
    }
    bytes
}

/// What is sound is read: else nothing would be tried with what is nearly sound.
#[test]
fn what_is_sound_is_read() {
    for (name, body) in BODIES {
        body(&sound(name));
    }
    let text = String::from_utf8(sound("plan_file")).expect("a text");
    assert!(planfile::read(&text).is_ok());
    let text = String::from_utf8(sound("journal")).expect("a text");
    for line in text.lines() {
        tcloud_state::Entry::from_json(line).expect(line);
    }
    let text = String::from_utf8(sound("grammar")).expect("a text");
    let parsed = tcloud_syntax::parse(tcloud_model::FileId(0), &text);
    assert!(parsed.diagnostics.is_empty(), "{:?}", parsed.diagnostics);
}

fn each(bytes: impl Fn(&str) -> Vec<u8>) {
    BODIES.iter().for_each(|(name, body)| body(&bytes(name)));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        each(|_| bytes.clone());
    }

    #[test]
    fn damaged_input_is_survived(all in prop::collection::vec(damage(), 1..4)) {
        each(|name| damaged(sound(name), &all));
    }
}
