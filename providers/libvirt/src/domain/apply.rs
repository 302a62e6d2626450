//! Operations on guests.

use std::thread::sleep;
use std::time::{Duration, Instant};

use tcloud_model::{
    AttrPath, Fields, Identity, Name, ObservedObject, Operation, OperationKind, Stamp, Value,
};
use tcloud_provider::request;
use uuid::Uuid;
use virt::domain::Domain;
use virt::error::ErrorNumber;
use virt_sys::{
    VIR_DOMAIN_AFFECT_LIVE, VIR_DOMAIN_METADATA_DESCRIPTION, VIR_DOMAIN_METADATA_TITLE,
    VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA, VIR_DOMAIN_UNDEFINE_MANAGED_SAVE,
    VIR_DOMAIN_UNDEFINE_NVRAM, VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA, VIR_DOMAIN_UNDEFINE_TPM,
    VIR_DOMAIN_XML_INACTIVE, VIR_DOMAIN_XML_SECURE,
};

use super::addresses::Exchange;
use super::change::{self, Change, Planned, Step};
use super::guest::{Guest, observed};
use super::mark::note;
use super::power::{self, Stubborn};
use super::wait::Wait;
use super::{
    Context, Directory, addresses, define, definition, held, label, machine, mark, paths, room,
    words,
};
use crate::failure::{Absent, Failure, quoted};
use crate::firewall;
use crate::guard::Guard;
use crate::site::Call;
use crate::stamp;
use crate::xml::Element;

/// How long a guest may take to let go of a device.
const LET_GO: Duration = Duration::from_secs(30);

/// A guest that is only just starting does not hear that it should let go.
const AGAIN: Duration = Duration::from_secs(5);

const TICK: Duration = Duration::from_millis(100);

/// Where guests' consoles are kept.
const LOGS: &str = "/var/log/libvirt/qemu";

impl Call<'_> {
    /// Carries out an operation on a guest.
    pub(crate) fn apply_guest(
        &self,
        operation: &Operation,
    ) -> Result<Option<ObservedObject>, Failure> {
        let uuid = operation.identity.uuid;
        match &operation.action {
            OperationKind::Create { attributes, stamp } => {
                let directory = self.create_guest(operation, attributes, stamp)?;
                return self.look_guest_with(uuid, directory);
            }
            OperationKind::Update { attributes, changed, power_cycle, stamp } => {
                let guest = self.defined(self.own_guest(operation)?)?;
                let asked = Asked { attributes, changed, power_cycle: *power_cycle };
                self.update_guest(operation, &guest, &asked, stamp)?;
            }
            OperationKind::Delete => self.delete_guest(operation)?,
            OperationKind::Stamp { stamp, adopt: false } => {
                let guest = self.own_guest(operation)?;
                mark::put_stamp(&guest, stamp)?;
            }
            OperationKind::Stamp { stamp, adopt: true } => {
                let Some(guest) = self.guest(uuid)? else {
                    return self.site.missing("vm", &operation.identity.name);
                };
                let name = guest.domain.get_name()?;
                self.site.check_adoptable("vm", &name, guest.stamp().as_ref())?;
                if guest.persistent.is_none() {
                    return Failure::refused(format!(
                        "guest {} is forgotten by libvirt when it stops: make it persistent first \
                         (virsh dumpxml, virsh define)",
                        quoted(&name)
                    ));
                }
                mark::put_stamp(&guest, stamp)?;
            }
            OperationKind::Unstamp => {
                if self.guest(uuid)?.is_some_and(|guest| guest.stamp().is_some()) {
                    mark::remove_stamp(self.connect, &self.own_guest(operation)?)?;
                }
            }
            OperationKind::Migrate { to, volumes, attributes, stamp } => {
                self.migrate_guest(operation, to, volumes, (attributes, stamp))?;
                return Ok(None);
            }
        }
        self.look_guest(uuid)
    }

    /// A guest as it is now.
    pub(crate) fn look_guest(&self, uuid: Uuid) -> Result<Option<ObservedObject>, Failure> {
        self.look_guest_with(uuid, Directory::default())
    }

    /// The same, where some of what it refers to is known already.
    fn look_guest_with(
        &self,
        uuid: Uuid,
        directory: Directory,
    ) -> Result<Option<ObservedObject>, Failure> {
        let Some(guest) = self.guest(uuid)? else { return Ok(None) };
        let directory = self.completed(directory, &guest)?;
        Ok(Some(observed(&guest, &directory)?))
    }

    /// The guest with a UUID.
    pub(super) fn guest(&self, uuid: Uuid) -> Result<Option<Guest>, Failure> {
        let domain = Domain::lookup_by_uuid(self.connect, uuid).or_absent()?;
        domain.map(Guest::of).transpose()
    }

    /// The same, to write its definition again.
    fn guest_to_change(&self, uuid: Uuid) -> Result<Option<Guest>, Failure> {
        let domain = Domain::lookup_by_uuid(self.connect, uuid).or_absent()?;
        domain.map(Guest::whole).transpose()
    }

    /// The guest of an operation, which has to be there and ours.
    fn own_guest(&self, operation: &Operation) -> Result<Guest, Failure> {
        let Some(guest) = self.guest_to_change(operation.identity.uuid)? else {
            return self.site.missing("vm", &operation.identity.name);
        };
        self.site.check_ours("vm", &guest.domain.get_name()?, guest.stamp().as_ref())?;
        Ok(guest)
    }

    /// A guest of ours with a persistent definition: where somebody took it away while the guest ran,
    /// it gets back what it runs by.
    fn defined(&self, guest: Guest) -> Result<Guest, Failure> {
        if guest.persistent.is_some() {
            return Ok(guest);
        }
        let flags = virt_sys::VIR_DOMAIN_XML_INACTIVE | virt_sys::VIR_DOMAIN_XML_SECURE;
        let definition = Element::parse(&guest.domain.get_xml_desc(flags)?)?;
        Guest::whole(self.write(&definition)?)
    }

    /// Makes a guest, or makes one of ours what it should be; gives what is known of its references.
    fn create_guest(
        &self,
        operation: &Operation,
        attributes: &Fields,
        stamp: &Stamp,
    ) -> Result<Directory, Failure> {
        let identity = &operation.identity;
        if let Some(guest) = self.guest_to_change(identity.uuid)? {
            let name = guest.domain.get_name()?;
            self.site.check_ours("vm", &name, guest.stamp().as_ref())?;
            let guest = self.defined(guest)?;
            let all: Vec<AttrPath> =
                attributes.iter().map(|(name, _)| AttrPath::attribute(name.clone())).collect();
            let asked = Asked { attributes, changed: &all, power_cycle: false };
            self.update_guest(operation, &guest, &asked, stamp)?;
            return Ok(Directory::default());
        }
        if let Some(other) = Domain::lookup_by_name(self.connect, &identity.name).or_absent()? {
            let stamp = Guest::of(other)?.stamp();
            return self.site.taken("vm", &identity.name, stamp.as_ref());
        }
        let wanted = request::without_none(attributes);
        let directory = self.referenced(&operation.references)?;
        let seed = self.make_seed(operation, &wanted, &directory)?;
        let context = Context { seed: seed.as_ref(), ..self.context(identity, &directory)? };
        let mut definition = define(None, &wanted, &context).map_err(refused)?;
        let guards = self.define_filters(identity, &wanted, &directory)?;
        stamp::put(&mut definition, Some(&note(stamp)));
        let kept = addresses::of(&wanted, &directory);
        self.keep(&kept, wanted.text("hostname"))?;
        let domain = self.write(&definition)?;
        drop(guards);
        domain.set_autostart(wanted.flag("autostart").unwrap_or(true))?;
        if wanted.flag("running").unwrap_or(true) {
            self.start_networks_of(&definition)?;
            let wait = Wait::of(self.connect, &definition, &wanted)?;
            power::start(&domain, false)?;
            wait.wait(&domain)?;
        }
        Ok(directory)
    }

    /// Writes a persistent definition. libvirt checks it against its schema first.
    fn write(&self, definition: &Element) -> Result<Domain, Failure> {
        let flags = virt_sys::VIR_DOMAIN_DEFINE_VALIDATE;
        Ok(Domain::define_xml_flags(self.connect, &definition.write()?, flags)?)
    }

    /// Writes a persistent definition in the place of the one that it was made from.
    ///
    /// # Errors
    /// When somebody else has changed that meanwhile: it would be lost.
    fn write_over(&self, guest: &Guest, from: &Element, to: &Element) -> Result<(), Failure> {
        if to == from {
            return Ok(());
        }
        let flags = VIR_DOMAIN_XML_INACTIVE | VIR_DOMAIN_XML_SECURE;
        if Element::parse(&guest.domain.get_xml_desc(flags)?)? != *from {
            return Failure::refused(format!(
                "somebody else changed guest {} meanwhile, and nothing of that is overwritten: \
                 apply again",
                quoted(&guest.domain.get_name()?)
            ));
        }
        self.write(to).map(drop)
    }

    fn update_guest(
        &self,
        operation: &Operation,
        guest: &Guest,
        asked: &Asked<'_>,
        stamp: &Stamp,
    ) -> Result<(), Failure> {
        let name = guest.domain.get_name()?;
        let Some(persistent) = &guest.persistent else {
            return Failure::refused(format!("guest {} is not persistent", quoted(&name)));
        };
        let directory = self.directory(&operation.references, guest)?;
        let identity = Identity { uuid: operation.identity.uuid, name: Name::from(name) };
        let context = self.context(&identity, &directory)?;
        let next = asked.definition(persistent, asked.changed, &context)?;
        let wanted = asked.wanted(persistent, asked.changed, &directory);
        held::check(
            guest,
            asked.changed,
            (&asked.now(persistent, &directory), &wanted),
            &directory,
        )?;
        let guards = match asked.names("nic") {
            true => self.define_filters(&identity, &wanted, &directory)?,
            false => Vec::new(),
        };
        let mut written = next.clone();
        stamp::put(&mut written, Some(&note(stamp)));
        let definitions: Vec<&Element> =
            [guest.live.as_ref(), Some(persistent)].into_iter().flatten().collect();
        let before = addresses::of_definitions(&definitions, &directory);
        let kept = addresses::of(&wanted, &directory);
        let hostname = asked.attributes.text("hostname");
        let exchange = Exchange { before: &before, after: &kept, hostname };
        let in_force: Vec<&Element> = guest.live.iter().collect();
        self.exchange(&exchange, &addresses::of_definitions(&in_force, &directory))?;
        let mut crowded = Vec::new();
        if let Some(live) = &guest.live {
            let change = Change { live, next: &next, wanted: &wanted, changed: asked.changed };
            let steps = change::steps(&change, &context).map_err(refused)?;
            if let Err((done, failure)) = carry_out(&guest.domain, &steps, &mut crowded) {
                // What was done already must not be lost at the next start.
                let partly = asked.definition(persistent, &done, &context)?;
                self.write_over(guest, persistent, &partly)?;
                let reached = asked.wanted(persistent, &done, &directory);
                mark::put_live_words(&guest.domain, live, &words_in_force(live, &reached))?;
                return Err(failure);
            }
            mark::put_live(&guest.domain, live, &words_in_force(live, &wanted), &note(stamp))?;
        }
        self.write_over(guest, persistent, &written)?;
        drop(guards);
        self.remove_unused(&definitions, Some(&written))?;
        let autostart = asked.attributes.flag("autostart");
        if let Some(autostart) = autostart.filter(|_| asked.names("autostart")) {
            guest.domain.set_autostart(autostart)?;
        }
        self.settle_power(guest, &next, asked, &wanted, &exchange)?;
        let now = Guest::of(guest.domain.clone())?;
        let definitions: Vec<&Element> =
            [&now.live, &now.persistent].into_iter().flatten().collect();
        self.give_back(&before, &addresses::of_definitions(&definitions, &directory))?;
        match &crowded[..] {
            // They came with its start.
            _ if asked.power_cycle => Ok(()),
            [] => Ok(()),
            [first, ..] => Err(Failure::Unready(format!(
                "guest {} has no room for {first} while it runs: it is in its definition, and waits \
                 for its next start",
                quoted(&identity.name)
            ))),
        }
    }

    /// Starts, goes on, or stops and starts, as far as the operation says so.
    fn settle_power(
        &self,
        guest: &Guest,
        next: &Element,
        asked: &Asked<'_>,
        wanted: &Fields,
        exchange: &Exchange<'_>,
    ) -> Result<(), Failure> {
        let runs = wanted.flag("running").unwrap_or(true);
        let domain = &guest.domain;
        let Some(live) = &guest.live else {
            if asked.names("running") && runs {
                let before = guest.persistent.as_ref().map(machine::read_firmware);
                self.start_networks_of(next)?;
                let wait = Wait::of(self.connect, next, wanted)?;
                power::start(domain, before != Some(machine::read_firmware(next)))?;
                wait.wait(domain)?;
            }
            return Ok(());
        };
        if asked.names("running") && runs {
            power::resume(domain)?;
        }
        if !asked.power_cycle {
            return Ok(());
        }
        let now = Guest::of(domain.clone())?;
        let directory = self.directory(&[], &now)?;
        if runs && observed(&now, &directory)?.pending.is_empty() {
            return Ok(());
        }
        let within = wanted.number("stop_within").map_or(power::STOP_WITHIN, Duration::from_millis);
        power::stop(domain, live, within, Stubborn::Report)?;
        // Its cards have their new MACs from now on.
        self.exchange(exchange, &[])?;
        if runs {
            self.start_networks_of(next)?;
            let wait = Wait::of(self.connect, next, wanted)?;
            power::start(domain, machine::read_firmware(live) != machine::read_firmware(next))?;
            wait.wait(domain)?;
        }
        Ok(())
    }

    fn delete_guest(&self, operation: &Operation) -> Result<(), Failure> {
        let identity = &operation.identity;
        if self.guest(identity.uuid)?.is_none() {
            // It may have died before it was defined.
            return self.delete_seed(identity);
        }
        let guest = self.own_guest(operation)?;
        let definitions: Vec<&Element> =
            [&guest.live, &guest.persistent].into_iter().flatten().collect();
        let kept = addresses::of_definitions(&definitions, &self.directory(&[], &guest)?);
        if let Some(live) = &guest.live {
            let words = guest.persistent.as_ref().map(words::read).unwrap_or_default();
            let within =
                words.number("stop_within").map_or(power::STOP_WITHIN, Duration::from_millis);
            power::stop(&guest.domain, live, within, Stubborn::SwitchOff)?;
        }
        // What carries its identity goes last: nobody would look for the rest after that.
        self.give_back(&kept, &[])?;
        definitions.iter().try_for_each(|definition| self.remove_own(definition))?;
        if guest.persistent.is_some() {
            undefine(&guest.domain)?;
        }
        self.remove_unused(&definitions, None)?;
        self.delete_seed(identity)
    }

    /// Makes the filters that the NICs of a guest refer to, before they do. Until then nobody must find
    /// them unused, which is what the guards are for.
    fn define_filters(
        &self,
        identity: &Identity,
        wanted: &Fields,
        directory: &Directory,
    ) -> Result<Vec<Guard<'_>>, Failure> {
        let mut guards = Vec::new();
        for (label, nic) in wanted.map("nic").into_iter().flat_map(|nics| nics.iter()) {
            if let Value::Map(nic) = nic
                && let Some(network) = nic.get("network").and_then(|own| directory.network(own))
            {
                guards.push(self.site.guards.shared(&firewall::network_name(network)));
                self.define_nic_filter(identity, label, nic, network)?;
            }
        }
        Ok(guards)
    }

    /// What a definition needs to know besides the attributes.
    fn context<'c>(
        &self,
        identity: &'c Identity,
        directory: &'c Directory,
    ) -> Result<Context<'c>, Failure> {
        let capability = self.site.capability(self.connect)?;
        Ok(Context {
            identity,
            accel: capability.accel,
            has_uefi: capability.uefi,
            has_tpm: capability.tpm,
            console_log: format!("{LOGS}/{}.console.log", identity.name),
            directory,
            seed: None,
        })
    }
}

/// What an update asks for.
struct Asked<'a> {
    attributes: &'a Fields,
    changed: &'a [AttrPath],
    power_cycle: bool,
}

impl Asked<'_> {
    /// Whether it changes a top-level attribute.
    fn names(&self, attribute: &str) -> bool {
        self.changed.iter().any(|path| path.first().is_some_and(|first| *first == attribute))
    }

    /// The attributes after some of the changes, complete.
    fn wanted(&self, persistent: &Element, changed: &[AttrPath], directory: &Directory) -> Fields {
        paths::changed(&self.now(persistent, directory), self.attributes, changed)
    }

    /// The attributes before any change.
    fn now(&self, persistent: &Element, directory: &Directory) -> Fields {
        let mut now = definition(persistent, directory);
        let runs = words::read(persistent).flag("running").unwrap_or(true);
        now.insert("running", Value::Bool(runs));
        now
    }

    /// The persistent definition after some of the changes.
    fn definition(
        &self,
        persistent: &Element,
        changed: &[AttrPath],
        context: &Context<'_>,
    ) -> Result<Element, Failure> {
        let wanted = self.wanted(persistent, changed, context.directory);
        define(Some(persistent), &wanted, context).map_err(refused)
    }
}

fn refused(error: super::DefineError) -> Failure {
    Failure::Refused(error.to_string())
}

/// The words of a running guest after a change: what waits for the next start is not in force yet.
fn words_in_force(live: &Element, wanted: &Fields) -> Fields {
    let mut words = words::read(live);
    let after = words::of(wanted);
    for name in ["wait_for", "wait_within", "stop_within", "nic"] {
        match after.get(name) {
            Some(value) => words.insert(name, value.clone()),
            None => words.remove(name),
        };
    }
    words
}

/// Carries out the calls for a running guest; on failure, says which attributes were changed. What
/// there is no room for is left to the next start, as what cannot be plugged at all: `crowded` has it.
fn carry_out(
    domain: &Domain,
    steps: &[Planned],
    crowded: &mut Vec<AttrPath>,
) -> Result<(), (Vec<AttrPath>, Failure)> {
    for (number, Planned { path, step }) in steps.iter().enumerate() {
        match one(domain, step) {
            Ok(()) => {}
            Err(Failure::Libvirt(error)) if room::is_full(error.message()) => {
                crowded.push(path.clone());
            }
            Err(failure) => {
                let done = steps[..number].iter().map(|planned| planned.path.clone()).collect();
                return Err((done, failure));
            }
        }
    }
    Ok(())
}

fn one(domain: &Domain, step: &Step) -> Result<(), Failure> {
    const LIVE: u32 = VIR_DOMAIN_AFFECT_LIVE;
    match step {
        Step::Vcpus(count) => {
            domain.set_vcpus_flags(*count, LIVE)?;
        }
        Step::Memory(device) | Step::Attach(device) => {
            domain.attach_device_flags(&device.write()?, LIVE)?;
        }
        Step::Nic(device) => {
            domain.update_device_flags(&device.write()?, LIVE)?;
        }
        Step::Operations { target, operations } => {
            tcloud_libvirt_calls::limit_operations(domain, target, *operations)?;
        }
        Step::Title(text) => {
            set_text(domain, VIR_DOMAIN_METADATA_TITLE, text.as_deref())?;
        }
        Step::Description(text) => {
            set_text(domain, VIR_DOMAIN_METADATA_DESCRIPTION, text.as_deref())?;
        }
        Step::End(moment, word) => match tcloud_libvirt_calls::set_end(domain, *moment, word) {
            // Older ones cannot: it waits for the next start, and is seen to.
            Err(error)
                if [ErrorNumber::NoSupport, ErrorNumber::OperationUnsupported]
                    .contains(&error.code()) => {}
            done => done?,
        },
        Step::Detach(device) => detach(domain, device)?,
    }
    Ok(())
}

fn set_text(domain: &Domain, kind: u32, text: Option<&str>) -> Result<(), Failure> {
    let kind = i32::try_from(kind).unwrap_or(0);
    domain.set_metadata(kind, text, None, None, VIR_DOMAIN_AFFECT_LIVE)?;
    Ok(())
}

/// Takes a device out of a running guest. The guest has to let go of it, which may never happen:
/// libvirt's answer means only that the guest was asked.
fn detach(domain: &Domain, device: &Element) -> Result<(), Failure> {
    let kind = device.name.as_str();
    let label = if kind == "disk" { label::of_disk(device) } else { label::of_nic(device) };
    let Some(label) = label else { return Ok(()) };
    let xml = device.write()?;
    let begun = Instant::now();
    let mut asked: Option<Instant> = None;
    loop {
        let live = Element::parse(&domain.get_xml_desc(0)?)?;
        if change::device(&live, kind, &label).is_none() {
            return Ok(());
        }
        if begun.elapsed() >= LET_GO {
            let what = if kind == "disk" { "disk" } else { "nic" };
            return Failure::refused(format!(
                "guest {} was asked to let go of {what} {label} and has not within {} s: it stays \
                 until the guest co-operates or is stopped",
                quoted(&domain.get_name()?),
                LET_GO.as_secs()
            ));
        }
        if asked.is_none_or(|asked| asked.elapsed() >= AGAIN) {
            match domain.detach_device_flags(&xml, VIR_DOMAIN_AFFECT_LIVE) {
                Ok(_) => {}
                // The first request is still open; this one was only to make sure.
                Err(_) if asked.is_some() => {}
                Err(error) => return Err(error.into()),
            }
            asked = Some(Instant::now());
        }
        sleep(TICK);
    }
}

/// Forgets a guest that does not run, with everything that belongs to it alone. Older versions know
/// fewer flags, and have less to forget.
fn undefine(domain: &Domain) -> Result<(), Failure> {
    let flags = VIR_DOMAIN_UNDEFINE_MANAGED_SAVE
        | VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
        | VIR_DOMAIN_UNDEFINE_NVRAM;
    let newer = [
        flags | VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA | VIR_DOMAIN_UNDEFINE_TPM,
        flags | VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA,
    ];
    for flags in newer {
        match domain.undefine_flags(flags) {
            Ok(()) => return Ok(()),
            Err(error) if error.code() == ErrorNumber::InvalidArg => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(domain.undefine_flags(flags)?)
}
