//! Starting and stopping guests. A guest is asked to stop, by its agent and by its power button, and
//! is given time; it is switched off only where that was asked for in so many words.

use std::thread::sleep;
use std::time::{Duration, Instant};

use virt::domain::Domain;
use virt_sys::{
    VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN, VIR_DOMAIN_SHUTDOWN_GUEST_AGENT,
    VIR_DOMAIN_START_RESET_NVRAM,
};

use super::fixture::AGENT;
use crate::failure::{Failure, quoted};
use crate::xml::Element;

/// How long a guest is given to stop when nothing else is said.
pub(super) const STOP_WITHIN: Duration = Duration::from_secs(120);

/// A guest that is only just starting does not notice its power button.
const AGAIN: Duration = Duration::from_secs(5);

const TICK: Duration = Duration::from_millis(100);

/// What to do with a guest that does not stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stubborn {
    /// It goes on running, and the operation fails.
    Report,
    /// It is switched off: the guest is deleted anyway.
    SwitchOff,
}

/// Stops a guest. With no time at all it is switched off at once.
pub(super) fn stop(
    domain: &Domain,
    live: &Element,
    within: Duration,
    stubborn: Stubborn,
) -> Result<(), Failure> {
    if within.is_zero() {
        return switch_off(domain);
    }
    // A guest that stands still hears nothing.
    if !is_executing(domain)? {
        resume(domain)?;
    }
    let begun = Instant::now();
    let mut asked: Option<Instant> = None;
    while domain.is_active()? {
        if begun.elapsed() >= within {
            return match stubborn {
                Stubborn::SwitchOff => switch_off(domain),
                Stubborn::Report => Failure::refused(format!(
                    "guest {} did not shut down within {} s and goes on running; what was changed \
                     waits for its next start. Shut it down from inside, raise stop_within, or set \
                     stop_within = 0s to have it switched off",
                    quoted(&domain.get_name()?),
                    within.as_secs()
                )),
            };
        }
        if asked.is_none_or(|asked| asked.elapsed() >= AGAIN) {
            ask(domain, live)?;
            asked = Some(Instant::now());
        }
        sleep(TICK);
    }
    Ok(())
}

fn ask(domain: &Domain, live: &Element) -> Result<(), Failure> {
    if has_agent(live) && domain.shutdown_flags(VIR_DOMAIN_SHUTDOWN_GUEST_AGENT).is_ok() {
        return Ok(());
    }
    match domain.shutdown_flags(VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN) {
        Ok(_) => Ok(()),
        // It is stopping already, or has stopped: then there is no button to press.
        Err(_) if is_ending(domain)? => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn switch_off(domain: &Domain) -> Result<(), Failure> {
    match domain.destroy() {
        Ok(()) => Ok(()),
        Err(_) if !domain.is_active()? => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Whether the guest's agent listens.
pub(super) fn has_agent(live: &Element) -> bool {
    let channels = live.find("devices").into_iter().flat_map(|devices| devices.elements("channel"));
    channels
        .filter_map(|channel| channel.find("target"))
        .any(|target| target.get("name") == Some(AGENT) && target.get("state") == Some("connected"))
}

/// Starts a guest that does not run. Other firmware begins with fresh variables: those of the old
/// one would hide whether only signed systems start.
pub(super) fn start(domain: &Domain, is_other_firmware: bool) -> Result<(), Failure> {
    let flags = if is_other_firmware { VIR_DOMAIN_START_RESET_NVRAM } else { 0 };
    match domain.create_with_flags(flags) {
        Ok(_) => Ok(()),
        // Somebody else was quicker.
        Err(_) if domain.is_active()? => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Whether a guest runs and does not stand still.
pub(super) fn is_executing(domain: &Domain) -> Result<bool, Failure> {
    let (state, _) = domain.get_state()?;
    Ok(matches!(state, virt_sys::VIR_DOMAIN_RUNNING | virt_sys::VIR_DOMAIN_BLOCKED))
}

/// Whether a guest has shut down, though its process may not be gone yet: that takes seconds on a host
/// with much to do.
fn is_ending(domain: &Domain) -> Result<bool, Failure> {
    let (state, _) = domain.get_state()?;
    Ok(matches!(state, virt_sys::VIR_DOMAIN_SHUTDOWN | virt_sys::VIR_DOMAIN_SHUTOFF))
}

/// Lets a guest that stands still go on.
pub(super) fn resume(domain: &Domain) -> Result<(), Failure> {
    let (state, _) = domain.get_state()?;
    match state {
        virt_sys::VIR_DOMAIN_PAUSED => {
            domain.resume()?;
        }
        virt_sys::VIR_DOMAIN_PMSUSPENDED => {
            domain.pm_wakeup(0)?;
        }
        _ => {}
    }
    Ok(())
}
