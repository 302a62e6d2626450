//! The configuration of a simulated deployment: random, edited at random, written in the language.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::chance::Chance;

/// What every text begins with.
pub(crate) const GROUND: &str = r#"
site lab {
  zone a {}
  zone b {}
  host one { provider = "sim", zone = zone.a, capacity { vcpus = 64, memory = 256GiB } }
  host two { provider = "sim", zone = zone.b, capacity { vcpus = 64, memory = 256GiB } }
  pool p { type = "dir", path = "/srv/p", capacity = 10TiB }
}
"#;

/// What some guests are made with.
const SECRET: &str = r#"    cloud_init = { write_files = [{ path = "/k", content = "k=${key}" }] }
"#;

/// The hosts of the ground.
pub(crate) const HOSTS: [&str; 2] = ["site.lab.host.one", "site.lab.host.two"];

/// A configuration.
#[derive(Clone, Debug, Default)]
pub(crate) struct Text {
    tenants: BTreeMap<String, Tenant>,
    /// Whether guests are given a secret.
    secret: bool,
    /// `moved`, `adopt` and `forget`, as long as they stand in the text.
    statements: Vec<String>,
}

#[derive(Clone, Debug, Default)]
struct Tenant {
    /// The number of the network's address.
    number: u64,
    networks: BTreeMap<String, u64>,
    volumes: BTreeMap<String, Volume>,
    guests: BTreeMap<String, Guest>,
}

#[derive(Clone, Debug)]
struct Volume {
    size: u64,
    protect: bool,
}

#[derive(Clone, Debug)]
struct Guest {
    vcpus: u64,
    memory: u64,
    title: u64,
    network: Option<String>,
    volume: Option<String>,
    /// GiB of a disk of its own.
    root: Option<u64>,
}

impl Text {
    /// A configuration of one or two tenants.
    pub(crate) fn draw(chance: &mut Chance) -> Text {
        let mut text = Text::default();
        for number in 1..=chance.number(1, 2) {
            let tenant = Tenant { number, ..Tenant::default() };
            text.tenants.insert(format!("t{number}"), tenant);
        }
        for _ in 0..chance.number(3, 9) {
            text.grow(chance);
        }
        text.secret = chance.one_in(3);
        text
    }

    /// The text itself.
    pub(crate) fn write(&self) -> String {
        let mut out = GROUND.to_owned();
        if self.secret {
            out.push_str("let key = secret(\"env:K\")\n");
        }
        for (name, tenant) in &self.tenants {
            tenant.write(name, self.secret, &mut out);
        }
        self.statements.iter().for_each(|line| {
            let _ = writeln!(out, "{line}");
        });
        out
    }

    /// Whatever cannot be had as things stand goes: guests whose disks lie on different hosts, and
    /// statements about what is no longer there. What a message calls somebody else's is adopted, as
    /// it advises: a provider may only have said that it was.
    pub(crate) fn give_in(&mut self, why: &str) {
        self.statements.clear();
        self.tenants.values_mut().for_each(|tenant| tenant.guests.clear());
        for (name, tenant) in &self.tenants {
            let networks = tenant.networks.keys().map(|own| ("network", own, own.clone()));
            let called = |own: &String| format!("{name}.volume-{own}");
            let volumes = tenant.volumes.keys().map(|own| ("volume", own, called(own)));
            for (kind, own, called) in networks.chain(volumes) {
                for host in HOSTS {
                    if why.contains(&format!("{host} has a {kind} \"{called}\" that is not ours")) {
                        let address = format!("tenant.{name}.{kind}.{own}");
                        self.statements.push(adoption(&address, &called, host));
                    }
                }
            }
        }
    }

    /// One change, of whatever sort.
    pub(crate) fn edit(&mut self, chance: &mut Chance) {
        self.statements.clear();
        match chance.number(0, 9) {
            0..=2 => self.grow(chance),
            3 | 4 => self.shrink(chance),
            5 => self.rename(chance),
            6 => self.forget(chance),
            _ => self.change(chance),
        }
    }

    /// A network that somebody made by hand becomes ours.
    pub(crate) fn adopt(&mut self, network: &str, host: &str, number: u64) {
        let Some((name, tenant)) = self.tenants.iter_mut().next() else { return };
        if tenant.networks.contains_key(network) {
            return;
        }
        tenant.networks.insert(network.to_owned(), number);
        let line = adoption(&format!("tenant.{name}.network.{network}"), network, host);
        self.statements.push(line);
    }

    fn tenant(&mut self, chance: &mut Chance) -> Option<(String, &mut Tenant)> {
        let names: Vec<String> = self.tenants.keys().cloned().collect();
        let name = chance.pick(&names)?.clone();
        let tenant = self.tenants.get_mut(&name)?;
        Some((name, tenant))
    }

    fn grow(&mut self, chance: &mut Chance) {
        let Some((_, tenant)) = self.tenant(chance) else { return };
        match chance.number(0, 4) {
            0 => tenant.add_network(chance),
            1 | 2 => tenant.add_volume(chance),
            _ => tenant.add_guest(chance),
        }
    }

    fn shrink(&mut self, chance: &mut Chance) {
        let Some((_, tenant)) = self.tenant(chance) else { return };
        match chance.number(0, 2) {
            0 => drop(take(&mut tenant.guests, chance)),
            1 => {
                if let Some((name, _)) = take(&mut tenant.volumes, chance) {
                    tenant.let_go(&name);
                }
            }
            _ => {
                if let Some((name, _)) = take(&mut tenant.networks, chance) {
                    tenant.let_go(&name);
                }
            }
        }
    }

    fn change(&mut self, chance: &mut Chance) {
        let Some((_, tenant)) = self.tenant(chance) else { return };
        let guests: Vec<String> = tenant.guests.keys().cloned().collect();
        let volumes: Vec<String> = tenant.volumes.keys().cloned().collect();
        let networks: Vec<String> = tenant.networks.keys().cloned().collect();
        let free = free_volume(&volumes, &tenant.guests, chance);
        let guest = chance.pick(&guests).and_then(|name| tenant.guests.get_mut(name));
        match (chance.number(0, 6), guest) {
            (0, Some(guest)) => guest.vcpus = chance.number(1, 4),
            (1, Some(guest)) => guest.memory = chance.number(1, 4),
            (2, Some(guest)) => guest.title += 1,
            (3, Some(guest)) => guest.volume = free,
            (4, Some(guest)) => guest.network = chance.pick(&networks).cloned(),
            _ => {
                let name = chance.pick(&volumes).cloned().unwrap_or_default();
                if let Some(volume) = tenant.volumes.get_mut(&name) {
                    volume.size += chance.number(1, 5);
                    volume.protect = !chance.one_in(3);
                }
            }
        }
    }

    fn rename(&mut self, chance: &mut Chance) {
        let Some((of, tenant)) = self.tenant(chance) else { return };
        let fresh = format!("n{}", chance.number(100, 999));
        if chance.one_in(2) {
            let Some((old, guest)) = take(&mut tenant.guests, chance) else { return };
            tenant.guests.insert(fresh.clone(), guest);
            self.statements.push(format!("moved tenant.{of}.vm.{old} -> tenant.{of}.vm.{fresh}"));
            return;
        }
        let Some((old, volume)) = take(&mut tenant.volumes, chance) else { return };
        tenant.volumes.insert(fresh.clone(), volume);
        for guest in tenant.guests.values_mut().filter(|guest| guest.volume.as_ref() == Some(&old))
        {
            guest.volume = Some(fresh.clone());
        }
        let line = format!("moved tenant.{of}.volume.{old} -> tenant.{of}.volume.{fresh}");
        self.statements.push(line);
    }

    fn forget(&mut self, chance: &mut Chance) {
        let Some((of, tenant)) = self.tenant(chance) else { return };
        let used: Vec<&String> = tenant.guests.values().filter_map(|g| g.volume.as_ref()).collect();
        let free: Vec<String> =
            tenant.volumes.keys().filter(|name| !used.contains(name)).cloned().collect();
        let Some(name) = chance.pick(&free) else { return };
        tenant.volumes.remove(name);
        self.statements.push(format!("forget tenant.{of}.volume.{name}"));
    }
}

/// The statement that makes what is there ours.
fn adoption(address: &str, called: &str, host: &str) -> String {
    format!("adopt {address} from \"{called}\" on {host}")
}

/// A volume that no guest has.
fn free_volume(
    volumes: &[String],
    guests: &BTreeMap<String, Guest>,
    chance: &mut Chance,
) -> Option<String> {
    let used = |name: &String| guests.values().any(|guest| guest.volume.as_ref() == Some(name));
    let free: Vec<String> = volumes.iter().filter(|name| !used(name)).cloned().collect();
    chance.pick(&free).cloned()
}

/// Takes one out.
fn take<T>(from: &mut BTreeMap<String, T>, chance: &mut Chance) -> Option<(String, T)> {
    let names: Vec<String> = from.keys().cloned().collect();
    from.remove_entry(chance.pick(&names)?)
}

impl Tenant {
    fn add_network(&mut self, chance: &mut Chance) {
        let third = chance.number(0, 200);
        if !self.networks.values().any(|own| *own == third) {
            self.networks.insert(format!("net{third}"), third);
        }
    }

    fn add_volume(&mut self, chance: &mut Chance) {
        let (size, protect) = (chance.number(1, 20), !chance.one_in(3));
        let name = format!("v{}", chance.number(0, 9));
        self.volumes.entry(name).or_insert(Volume { size, protect });
    }

    fn add_guest(&mut self, chance: &mut Chance) {
        let networks: Vec<String> = self.networks.keys().cloned().collect();
        let volumes: Vec<String> = self.volumes.keys().cloned().collect();
        let guest = Guest {
            vcpus: chance.number(1, 4),
            memory: chance.number(1, 4),
            title: 0,
            network: chance.pick(&networks).cloned(),
            volume: free_volume(&volumes, &self.guests, chance),
            root: chance.one_in(2).then(|| chance.number(2, 9)),
        };
        let name = format!("g{}", chance.number(0, 9));
        self.guests.entry(name).or_insert(guest);
    }

    /// No guest needs what is called so any more.
    fn let_go(&mut self, name: &str) {
        for guest in self.guests.values_mut() {
            guest.volume.take_if(|own| own == name);
            guest.network.take_if(|own| own == name);
        }
    }

    fn write(&self, name: &str, secret: bool, out: &mut String) {
        let _ = writeln!(out, "tenant {name} {{");
        for (network, third) in &self.networks {
            let number = self.number;
            let _ = writeln!(out, "  network {network} {{ cidr = 10.{number}.{third}.0/24 }}");
        }
        for (volume, Volume { size, protect }) in &self.volumes {
            let _ = writeln!(out, "  volume {volume} {{ size = {size}GiB, protect = {protect} }}");
        }
        for (guest, own) in &self.guests {
            own.write(guest, secret, out);
        }
        out.push_str("}\n");
    }
}

impl Guest {
    fn write(&self, name: &str, secret: bool, out: &mut String) {
        let Guest { vcpus, memory, title, network, volume, root } = self;
        let _ = writeln!(out, "  vm {name} {{\n    vcpus = {vcpus}\n    memory = {memory}GiB");
        let _ = writeln!(out, "    title = \"guest {title}\"");
        if secret {
            out.push_str(SECRET);
        }
        if let Some(size) = root {
            let _ = writeln!(out, "    disk root {{ size = {size}GiB }}");
        }
        if let Some(volume) = volume {
            let _ = writeln!(out, "    disk data {{ volume = volume.{volume} }}");
        }
        if let Some(network) = network {
            let _ = writeln!(out, "    nic lan {{ network = network.{network} }}");
        }
        out.push_str("  }\n");
    }
}
