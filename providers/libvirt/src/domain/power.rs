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
    let begun = Instant::now();
    let mut asked: Option<Instant> = None;
    while domain.is_active()? {
        match standing(domain)? {
            Standing::Executes => {}
            // A guest that stands still hears nothing.
            Standing::Rests => go_on(domain)?,
            // There is nothing left in it to ask.
            Standing::Crashed => return switch_off(domain),
            Standing::Stuck(_) if stubborn == Stubborn::SwitchOff => return switch_off(domain),
            Standing::Stuck(why) => return stuck(domain, why),
        }
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

/// Whether a guest goes on by itself, or what keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// It runs, or ends.
    Executes,
    /// Somebody paused it, or it sleeps.
    Rests,
    /// Its system has crashed, and libvirt was told to keep it as it is.
    Crashed,
    /// Going on would not help, or spoil something.
    Stuck(&'static str),
}

fn standing(domain: &Domain) -> Result<Standing, Failure> {
    let (state, reason) = domain.get_state()?;
    Ok(of_state(state, u32::try_from(reason).unwrap_or(0)))
}

fn of_state(state: u32, reason: u32) -> Standing {
    use virt_sys as sys;
    match (state, reason) {
        (sys::VIR_DOMAIN_CRASHED, _) | (sys::VIR_DOMAIN_PAUSED, sys::VIR_DOMAIN_PAUSED_CRASHED) => {
            Standing::Crashed
        }
        (sys::VIR_DOMAIN_PAUSED, sys::VIR_DOMAIN_PAUSED_IOERROR) => Standing::Stuck(
            "one of its disks could not be read or written (virsh domblkerror; is the host's storage \
             full?). Once that is repaired, let it go on: virsh resume",
        ),
        (
            sys::VIR_DOMAIN_PAUSED,
            sys::VIR_DOMAIN_PAUSED_MIGRATION
            | sys::VIR_DOMAIN_PAUSED_SAVE
            | sys::VIR_DOMAIN_PAUSED_DUMP
            | sys::VIR_DOMAIN_PAUSED_SNAPSHOT
            | sys::VIR_DOMAIN_PAUSED_STARTING_UP
            | sys::VIR_DOMAIN_PAUSED_POSTCOPY
            | sys::VIR_DOMAIN_PAUSED_POSTCOPY_FAILED,
        ) => Standing::Stuck(
            "libvirt is saving, moving or copying it. Wait, or look what for: virsh domjobinfo",
        ),
        (sys::VIR_DOMAIN_PAUSED | sys::VIR_DOMAIN_PMSUSPENDED, _) => Standing::Rests,
        _ => Standing::Executes,
    }
}

fn stuck<T>(domain: &Domain, why: &str) -> Result<T, Failure> {
    Failure::refused(format!("guest {} stands still: {why}", quoted(&domain.get_name()?)))
}

/// Lets a guest that stands still go on.
pub(super) fn resume(domain: &Domain) -> Result<(), Failure> {
    match standing(domain)? {
        Standing::Executes => Ok(()),
        Standing::Rests => go_on(domain),
        Standing::Crashed => stuck(
            domain,
            "its system has crashed, and on_crash keeps it to be looked at (virsh dump \
             --memory-only). Then switch it off (virsh destroy), and apply again",
        ),
        Standing::Stuck(why) => stuck(domain, why),
    }
}

fn go_on(domain: &Domain) -> Result<(), Failure> {
    let (state, _) = domain.get_state()?;
    match state {
        virt_sys::VIR_DOMAIN_PMSUSPENDED => domain.pm_wakeup(0).map(drop)?,
        _ => domain.resume().map(drop)?,
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a guest wrote must not be lost, and what is broken does not mend by going on.
    #[test]
    fn only_a_guest_that_rests_is_let_go_on() {
        use virt_sys as sys;
        let paused = |reason| of_state(sys::VIR_DOMAIN_PAUSED, reason);
        assert_eq!(paused(sys::VIR_DOMAIN_PAUSED_USER), Standing::Rests);
        assert_eq!(paused(sys::VIR_DOMAIN_PAUSED_WATCHDOG), Standing::Rests);
        assert_eq!(paused(sys::VIR_DOMAIN_PAUSED_CRASHED), Standing::Crashed);
        assert_eq!(of_state(sys::VIR_DOMAIN_CRASHED, 1), Standing::Crashed);
        assert_eq!(of_state(sys::VIR_DOMAIN_PMSUSPENDED, 0), Standing::Rests);
        for state in [sys::VIR_DOMAIN_RUNNING, sys::VIR_DOMAIN_BLOCKED, sys::VIR_DOMAIN_SHUTDOWN] {
            assert_eq!(of_state(state, 1), Standing::Executes);
        }
        for (reason, word) in [
            (sys::VIR_DOMAIN_PAUSED_IOERROR, "domblkerror"),
            (sys::VIR_DOMAIN_PAUSED_MIGRATION, "domjobinfo"),
            (sys::VIR_DOMAIN_PAUSED_SAVE, "domjobinfo"),
        ] {
            let Standing::Stuck(why) = paused(reason) else { panic!("{reason} goes on") };
            assert!(why.contains(word), "{why}");
        }
    }
}
