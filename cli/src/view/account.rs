//! The closing account of a run: what is done, what failed, what was not tried, what nobody knows –
//! and why.

use std::fmt::Write as _;

use tcloud_engine::{Account, Trouble};
use tcloud_model::Output;

use crate::escape::escape;
use crate::terminal::{Palette, Tone, WIDTH};
use crate::view::layout::{count, wrap};

/// How many lines of one sort there are at most; the events had them all.
const MOST: usize = 40;

/// The account as text.
pub(crate) fn render(account: &Account, palette: Palette) -> String {
    let Account { done, failed, skipped, unknown, interrupted } = account;
    let mut text = String::new();
    for (word, tone, troubles) in [
        ("failed", Tone::Danger, failed),
        ("unknown", Tone::Danger, unknown),
        ("skipped", Tone::Warning, skipped),
    ] {
        section(&mut text, &palette.paint(tone, &format!("{word:<8}")), troubles);
    }
    if !text.is_empty() {
        text.push('\n');
    }
    let mut parts = vec![count(*done, "step") + " done"];
    for (number, what) in
        [(failed.len(), "failed"), (skipped.len(), "skipped"), (unknown.len(), "unknown")]
    {
        if number > 0 {
            parts.push(format!("{number} {what}"));
        }
    }
    let stopped = if *interrupted { "Stopped: " } else { "" };
    let sentence = format!("{stopped}{}.", parts.join(", "));
    let _ = writeln!(text, "{}", palette.paint(Tone::Strong, &sentence));
    if !unknown.is_empty() {
        text.push_str("What is unknown is looked at first by the next run.\n");
    }
    if !account.is_success() {
        text.push_str("\n  tcloud apply   goes on where this run stopped\n");
    }
    text
}

fn section(text: &mut String, word: &str, troubles: &[Trouble]) {
    for Trouble { object, action, reason } in troubles.iter().take(MOST) {
        let _ = writeln!(text, "  {word} {action} {object}");
        let _ = writeln!(text, "           {}", wrap(&escape(reason), WIDTH - 11, 11));
    }
    if troubles.len() > MOST {
        let _ = writeln!(text, "  {word} and {} more", troubles.len() - MOST);
    }
}

/// The outputs of the configuration, one a line.
pub(crate) fn outputs(outputs: &[Output], palette: Palette) -> String {
    let mut text = String::new();
    for Output { name, doc, value } in outputs {
        let doc = doc.lines().next().filter(|doc| !doc.is_empty());
        let doc = doc.map(|doc| palette.paint(Tone::Faint, &format!("   // {}", escape(doc))));
        let _ = writeln!(text, "  {} = {value}{}", escape(name), doc.unwrap_or_default());
    }
    text
}

#[cfg(test)]
mod tests {
    use tcloud_model::{Address, ObjectId};

    use super::*;

    fn trouble(address: &str, reason: &str) -> Trouble {
        let address = address.parse().expect("an address");
        let host = Address::root("host", "kvm1", None);
        let object = ObjectId { address, host, incarnation: 0 };
        Trouble { object, action: "create", reason: reason.to_owned() }
    }

    #[test]
    fn everything_that_was_not_done_is_named_with_its_reason() {
        let account = Account {
            done: 12,
            failed: vec![trouble("tenant.a.vm.b", "the host has no memory left \u{1b}[2K")],
            skipped: vec![trouble("tenant.a.vm.c", "needs tenant.a.vm.b on host.kvm1")],
            unknown: vec![],
            interrupted: false,
        };
        assert_eq!(
            render(&account, Palette::PLAIN),
            "  failed   create tenant.a.vm.b on host.kvm1\n           the host has no memory left \
             \\u{1b}[2K\n  skipped  create tenant.a.vm.c on host.kvm1\n           needs \
             tenant.a.vm.b on host.kvm1\n\n12 steps done, 1 failed, 1 skipped.\n\n  tcloud apply   \
             goes on where this run stopped\n"
        );
        let well = Account { done: 1, ..Account::default() };
        assert_eq!(render(&well, Palette::PLAIN), "1 step done.\n");
    }
}
