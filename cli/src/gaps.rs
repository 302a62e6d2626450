//! What could not be looked at: what is done or found is not everything then, and scripts are told.

use tcloud_engine::refresh;
use tcloud_model::{Address, ObjectId, ObservedState, State};
use tcloud_planner::planfile::Gaps;

use crate::failure::Failure;
use crate::view::layout::{count, list};

/// What of all that is known could not be looked at.
pub(crate) fn of(known: &State, observed: &ObservedState) -> Gaps {
    let silent = observed.hosts.iter().filter(|host| host.facts.is_none());
    Gaps {
        silent: silent.map(|host| host.host.clone()).collect(),
        unseen: refresh::unseen(known, observed),
    }
}

/// A failure when there are any.
pub(crate) fn refuse(gaps: &Gaps) -> Result<(), Failure> {
    let Gaps { silent, unseen } = gaps;
    let named = |names: Vec<String>| list(&names, 300);
    let mut lines = Vec::new();
    if !silent.is_empty() {
        let hosts = count(silent.len(), "host");
        let names = named(silent.iter().map(Address::to_string).collect());
        lines.push(format!("{hosts} did not answer, and what is on them was left out: {names}"));
    }
    if !unseen.is_empty() {
        let objects = count(unseen.len(), "object");
        let names = named(unseen.iter().map(ObjectId::to_string).collect());
        let were = if unseen.len() == 1 { "was" } else { "were" };
        lines.push(format!("{objects} could not be read, and {were} left out: {names}"));
    }
    match lines.is_empty() {
        true => Ok(()),
        false => Err(Failure::new(lines.join("\n  "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Exit;
    use crate::terminal::Palette;

    #[test]
    fn what_could_not_be_looked_at_is_a_failure() {
        let host: Address = "site.m.host.h".parse().expect("an address");
        let address = "tenant.a.vm.b".parse().expect("an address");
        let unseen = ObjectId { address, host: host.clone(), incarnation: 0 };
        let told = |silent: &[&Address], unseen: &[&ObjectId]| {
            let silent = silent.iter().copied().cloned().collect();
            let unseen = unseen.iter().copied().cloned().collect();
            let failure = refuse(&Gaps { silent, unseen }).err()?;
            assert_eq!(failure.exit, Exit::Failed);
            Some(failure.render(Palette::PLAIN))
        };
        assert_eq!(told(&[], &[]), None);
        let silence =
            "error: 1 host did not answer, and what is on them was left out: site.m.host.h";
        assert_eq!(told(&[&host], &[]).as_deref(), Some(silence));
        let gap = "1 object could not be read, and was left out: tenant.a.vm.b on site.m.host.h";
        assert_eq!(told(&[], &[&unseen]), Some(format!("error: {gap}")));
        assert_eq!(told(&[&host], &[&unseen]), Some(format!("{silence}\n  {gap}")));
    }
}
