//! Hosts that did not answer, or not completely: what they have stays as it is, and the plan says what
//! that leaves out.

use indexmap::IndexMap;
use tcloud_model::Address;

use crate::facts::Known;
use crate::input::Input;

/// What cannot be looked at, by host.
#[derive(Debug, Default)]
pub(crate) struct Silence {
    hosts: IndexMap<Address, Silent>,
}

#[derive(Debug, Default)]
struct Silent {
    /// How many objects are known there.
    objects: usize,
    /// What would change there, or be made.
    left_out: Vec<Address>,
}

/// How many addresses a message names.
const SHOWN: usize = 10;

impl Silence {
    /// A known object stays as it is, although it may have to change.
    pub(crate) fn keeps(&mut self, known: &Known<'_>, changes: bool) {
        let silent = self.hosts.entry(known.object.host.clone()).or_default();
        silent.objects += 1;
        if changes {
            silent.left_out.push(known.object.address.clone());
        }
    }

    /// Something cannot be made there.
    pub(crate) fn lacks(&mut self, host: &Address, address: &Address) {
        self.hosts.entry(host.clone()).or_default().left_out.push(address.clone());
    }

    /// One sentence for each host, in their order; also for one that nothing is known of.
    pub(crate) fn explain(&mut self, input: &Input<'_>) -> Vec<String> {
        for host in input.observed.hosts.iter().filter(|host| host.facts.is_none()) {
            self.hosts.entry(host.host.clone()).or_default();
        }
        self.hosts.sort_keys();
        self.hosts.iter().map(|(host, silent)| silent.explain(input, host)).collect()
    }
}

impl Silent {
    fn explain(&self, input: &Input<'_>, host: &Address) -> String {
        let observed = input.observed.host(host);
        if observed.is_some_and(|host| host.facts.is_some()) {
            // What could not be read is told beside this.
            let unseen = match self.objects {
                1 => "1 object was not seen, and is".to_owned(),
                count => format!("{count} objects were not seen, and are"),
            };
            let text = format!("{host} could not be read completely: {unseen} taken to be there");
            return self.with_left_out(text);
        }
        let problems = observed.map(|host| host.problems.as_slice());
        let why = match problems {
            Some([first, ..]) => format!(" ({first})"),
            _ => String::new(),
        };
        let unchecked = match self.objects {
            0 => "whatever is there was not checked".to_owned(),
            1 => "1 object not checked".to_owned(),
            count => format!("{count} objects not checked"),
        };
        self.with_left_out(format!("{host} did not answer{why}: {unchecked}"))
    }

    fn with_left_out(&self, mut text: String) -> String {
        if !self.left_out.is_empty() {
            let names: Vec<String> =
                self.left_out.iter().take(SHOWN).map(Address::to_string).collect();
            text.push_str(&format!(", changes left out: {}", names.join(", ")));
            let more = self.left_out.len().saturating_sub(names.len());
            if more > 0 {
                text.push_str(&format!(" and {more} more"));
            }
        }
        text
    }
}
