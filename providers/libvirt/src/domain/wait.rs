//! Waiting for a guest: until it runs, has an address, or its agent answers. What is waited for is
//! said, and so is where an address was looked for.

use std::thread::sleep;
use std::time::{Duration, Instant};

use tcloud_model::Fields;
use virt::connect::Connect;
use virt::domain::Domain;

use super::power;
use super::seen::{AGENT, Search};
use crate::failure::{Failure, quoted};
use crate::xml::Element;

/// How long a guest is waited for when nothing else is said.
const WITHIN: Duration = Duration::from_secs(300);

const TICK: Duration = Duration::from_millis(500);

/// What is waited for.
pub(super) struct Wait {
    within: Duration,
    what: What,
}

enum What {
    Nothing,
    Address(Option<Search>),
    Agent,
    Running,
}

impl Wait {
    /// What `wait_for` says, before the guest is started.
    pub(super) fn of(
        connect: &Connect,
        definition: &Element,
        attributes: &Fields,
    ) -> Result<Wait, Failure> {
        let within = attributes.number("wait_within").map_or(WITHIN, Duration::from_millis);
        let what = match attributes.text("wait_for") {
            None | Some("nothing") => What::Nothing,
            Some("address") => What::Address(Search::begin(connect, definition, attributes)?),
            Some("agent") => What::Agent,
            Some(_) => What::Running,
        };
        Ok(Wait { within, what })
    }

    /// Waits for it, once the guest is started.
    pub(super) fn wait(self, domain: &Domain) -> Result<(), Failure> {
        let Wait { within, what } = self;
        let (until, seconds) = (Instant::now() + within, within.as_secs());
        let name = quoted(&domain.get_name()?);
        match what {
            What::Nothing => Ok(()),
            What::Address(None) => {
                let what = format!("guest {name} has no NIC to wait for an address of");
                Err(Failure::Unready(what))
            }
            What::Address(Some(mut search)) => {
                search.started(domain);
                let trouble = || {
                    let told = search.told(domain)?;
                    Ok(format!("guest {name} runs, but {seconds} s were not enough for {told}"))
                };
                poll(domain, until, || Ok(search.is_seen(domain)), trouble)
            }
            What::Agent => {
                let trouble = || {
                    Ok(format!(
                        "guest {name} runs, but its agent did not answer within {seconds} s"
                    ))
                };
                poll(domain, until, || Ok(ping(domain)), trouble)
            }
            What::Running => {
                let trouble = || Ok(format!("guest {name} does not run after {seconds} s"));
                poll(domain, until, || power::is_executing(domain), trouble)
            }
        }
    }
}

fn poll(
    domain: &Domain,
    until: Instant,
    mut done: impl FnMut() -> Result<bool, Failure>,
    trouble: impl FnOnce() -> Result<String, Failure>,
) -> Result<(), Failure> {
    loop {
        if done()? {
            return Ok(());
        }
        if !domain.is_active()? {
            let name = quoted(&domain.get_name()?);
            return Err(Failure::Unready(format!(
                "guest {name} stopped by itself while it was waited for"
            )));
        }
        if Instant::now() >= until {
            return Err(Failure::Unready(trouble()?));
        }
        sleep(TICK);
    }
}

fn ping(domain: &Domain) -> bool {
    domain.qemu_agent_command(r#"{"execute":"guest-ping"}"#, AGENT, 0).is_ok()
}
