//! What a definition holds that attributes cannot say: it stays as it is, whatever is planned, and
//! whoever adopts a guest is told. What libvirt adds to every guest by itself is not worth telling.

use super::extension::{self, ends};
use super::size::is_plain_cell;
use super::{disk, fixture};
use crate::kept::Kept;
use crate::xml::Element;

/// How the type of a machine is told.
const MACHINE: &str = "machine type ";

/// Whether attributes speak of an element of a domain, or it is looked into below.
fn is_said(name: &str) -> bool {
    matches!(
        name,
        "name"
            | "uuid"
            | "title"
            | "description"
            | "metadata"
            | "memory"
            | "currentMemory"
            | "maxMemory"
            | "vcpu"
            | "vcpus"
            | "os"
            | "features"
            | "cpu"
            | "clock"
            | "pm"
            | "devices"
    )
}

/// How guests end: by what libvirt does when nothing is said, or by an attribute.
const ENDS: [(&str, &[&str]); 3] =
    [("on_poweroff", &["destroy"]), ("on_reboot", &ends::REBOOTS), ("on_crash", &ends::CRASHES)];

/// What a definition holds that attributes cannot say, one thing each. `foreign` guests are told of
/// by their machine type too: a guest that is made anew would get a newer one.
pub(super) fn kept(domain: &Element, foreign: bool) -> Vec<String> {
    let all = untold(domain, foreign);
    // Most guests are plain, and to take the block out of one needs a copy of it.
    match all.iter().all(|own| own.starts_with(MACHINE)) {
        true => all,
        false => extension::without(domain).map_or(all, |plain| untold(&plain, foreign)),
    }
}

/// The same, and what the block of what only libvirt has says.
fn untold(domain: &Element, foreign: bool) -> Vec<String> {
    let mut kept = Kept::default();
    if !matches!(domain.get("type"), Some("kvm" | "qemu")) {
        kept.0.push(format!("domain type={}", domain.get("type").unwrap_or_default()));
    }
    for own in domain.all() {
        let ends = ENDS.iter().find(|(name, _)| own.name == *name);
        let usual = match ends {
            Some((_, words)) => words.contains(&own.content().as_str()),
            None => is_said(&own.name),
        };
        if !usual {
            kept.add("", own);
        }
    }
    kept.metadata(domain);
    kept.size(domain);
    kept.os(domain, foreign);
    kept.features(domain);
    kept.cpu(domain);
    kept.clock(domain);
    for own in domain.find("pm").into_iter().flat_map(Element::all) {
        if own.get("enabled") != Some("no") {
            kept.add("pm ", own);
        }
    }
    for device in domain.find("devices").into_iter().flat_map(Element::all) {
        kept.device(device);
    }
    kept.0
}

impl Kept {
    fn metadata(&mut self, domain: &Element) {
        for own in domain.find("metadata").into_iter().flat_map(Element::all) {
            let ours = own.attributes.iter().any(|(name, value)| {
                name.starts_with("xmlns") && value.starts_with("https://tcloud.example/")
            });
            if !ours {
                self.0.push(format!("metadata {}", own.name));
            }
        }
    }

    fn size(&mut self, domain: &Element) {
        let bytes = |name| domain.find(name).and_then(super::amount::bytes);
        if let (Some(memory), Some(current)) = (bytes("memory"), bytes("currentMemory"))
            && memory != current
        {
            self.0.push(format!("balloon at {} KiB of {} KiB", current / 1024, memory / 1024));
        }
        for name in ["vcpu", "memory", "currentMemory"] {
            let Some(own) = domain.find(name) else { continue };
            for (name, value) in &own.attributes {
                let usual = matches!(name.as_str(), "current" | "unit")
                    || (name == "placement" && value == "static");
                if !usual {
                    self.0.push(format!("{} {name}={value}", own.name));
                }
            }
        }
    }

    fn os(&mut self, domain: &Element, foreign: bool) {
        let Some(os) = domain.find("os") else { return };
        let kind = os.find("type");
        let of = |name: &str| kind.and_then(|kind| kind.get(name));
        if let Some(arch) = of("arch").filter(|arch| *arch != "x86_64") {
            self.0.push(format!("architecture {arch}"));
        }
        if let Some(machine) = of("machine") {
            let said = super::machine::read_machine(domain).is_some();
            if foreign || !said {
                self.0.push(format!("{MACHINE}{machine}"));
            }
        }
        for boot in os.elements("boot") {
            if !matches!(boot.get("dev"), Some("hd" | "network" | "cdrom")) {
                self.add("os ", boot);
            }
        }
        let said = ["type", "boot", "kernel", "initrd", "cmdline", "firmware"];
        // libvirt names the firmware's files itself once it has chosen them.
        let chosen = os.get("firmware").is_some();
        for own in os.all().filter(|own| !said.contains(&own.name.as_str())) {
            if !(chosen && matches!(own.name.as_str(), "loader" | "nvram")) {
                self.add("os ", own);
            }
        }
    }

    fn features(&mut self, domain: &Element) {
        let Some(features) = domain.find("features") else {
            self.0.push("no features, not even ACPI".to_owned());
            return;
        };
        if features.find("acpi").is_none() {
            self.0.push("no ACPI".to_owned());
        }
        let plain = ["acpi", "apic", "smm"];
        self.rest("feature ", features, &plain);
        for own in features.all().filter(|own| plain.contains(&own.name.as_str())) {
            self.words(&format!("feature {} ", own.name), own, &["state"]);
        }
    }

    fn cpu(&mut self, domain: &Element) {
        let Some(cpu) = domain.find("cpu") else {
            self.0.push("the hypervisor's own CPU model".to_owned());
            return;
        };
        let mode = cpu.get("mode");
        let said = matches!(mode, Some("host-model" | "host-passthrough" | "maximum"));
        if !said {
            let model = cpu.content_at("model").unwrap_or_default();
            let mode = mode.unwrap_or("custom");
            self.0.push(format!("cpu mode={mode} {model}").trim_end().to_owned());
        }
        let cells: Vec<_> = cpu.find("numa").into_iter().flat_map(Element::all).collect();
        let plain = matches!(cells[..], [] | [_]) && cells.iter().all(|own| is_plain_cell(own));
        for own in cpu.all() {
            match own.name.as_str() {
                "model" => {}
                "numa" if plain => {}
                _ => self.add("cpu ", own),
            }
        }
    }

    fn clock(&mut self, domain: &Element) {
        let Some(clock) = domain.find("clock") else { return };
        if clock.get("offset") != Some("utc") {
            self.0.push(format!("clock offset={}", clock.get("offset").unwrap_or_default()));
        }
        let usual = [
            ("rtc", "tickpolicy", "catchup"),
            ("pit", "tickpolicy", "delay"),
            ("hpet", "present", "no"),
        ];
        for timer in clock.all() {
            let known = |(name, what, how): &(&str, &str, &str)| {
                timer.get("name") == Some(name)
                    && timer.get(what) == Some(how)
                    && timer.attributes.len() == 2
            };
            if !usual.iter().any(known) {
                self.add("clock ", timer);
            }
        }
    }

    fn device(&mut self, device: &Element) {
        let of = |name: &str| device.get(name).unwrap_or_default();
        match device.name.as_str() {
            "emulator" => {
                let path = device.content();
                let name = path.rsplit('/').next().unwrap_or_default();
                if !["qemu-system-x86_64", "kvm", "qemu-kvm"].contains(&name) {
                    self.add("", device);
                }
            }
            "disk" => self.disk(device),
            "interface" => self.nic(device),
            "controller" => {
                let plain = ["address", "alias", "target", "model", "master"];
                let usual = device.all().all(|own| plain.contains(&own.name.as_str()));
                if !usual || of("model") == "none" {
                    self.add("", device);
                }
            }
            "input" if of("bus") == "ps2" => {}
            "audio" if of("type") == "none" => {}
            "watchdog" if of("model") == "itco" && of("action") == "reset" => {}
            "memballoon" if of("model") == "virtio" => {
                self.words("memballoon ", device, &["model"]);
                // How often it tells is ours to choose.
                self.rest("memballoon ", device, &["address", "alias", "stats"]);
            }
            "memory" if of("model") == "dimm" => {}
            "tpm" => {
                let backend = device.find("backend");
                let kind = backend.and_then(|backend| backend.get("type"));
                if kind != Some("emulator") || of("model") != "tpm-crb" {
                    self.add("", device);
                }
            }
            "rng" => {
                if device.content_at("backend").as_deref() != Some("/dev/urandom") {
                    self.add("", device);
                }
            }
            "serial" | "console" if of("type") == "pty" => {
                let port = device.find("target").and_then(|target| target.get("port"));
                if !matches!(port, None | Some("0")) {
                    self.add("", device);
                }
            }
            "channel" => {
                let name = device.find("target").and_then(|target| target.get("name"));
                if name != Some(fixture::AGENT) {
                    self.add("", device);
                }
            }
            _ => self.add("", device),
        }
    }

    fn disk(&mut self, device: &Element) {
        let target = device.find("target");
        let dev = target.and_then(|target| target.get("dev")).unwrap_or_default();
        if !disk::is_disk(device) {
            let seed = device.find("alias").and_then(|alias| alias.get("name"));
            if seed != Some(super::label::SEED) {
                self.add("", device);
            }
            return;
        }
        let before = format!("disk {dev}: ");
        if device.get("device") == Some("lun") {
            self.0.push(format!("{before}device=lun"));
        }
        for (name, value) in device.find("driver").into_iter().flat_map(|own| &own.attributes) {
            let ours = matches!(
                (name.as_str(), value.as_str()),
                ("name" | "type", _) | ("discard" | "detect_zeroes", "unmap")
            );
            if !ours {
                self.0.push(format!("{before}driver {name}={value}"));
            }
        }
        let tune = device.find("iotune").into_iter().flat_map(Element::all);
        for own in tune.filter(|own| own.name != "total_iops_sec") {
            self.add(&format!("{before}iotune "), own);
        }
        let ours = device.find("alias").and_then(|alias| alias.get("name"));
        let ours = ours.is_some_and(|alias| alias.starts_with(super::label::DISK));
        let said =
            ["source", "target", "driver", "iotune", "boot", "alias", "address", "backingStore"];
        for own in device.all().filter(|own| !said.contains(&own.name.as_str())) {
            if !(ours && own.name == "serial") {
                self.add(&before, own);
            }
        }
    }

    fn nic(&mut self, device: &Element) {
        let mac = device.find("mac").and_then(|mac| mac.get("address")).unwrap_or_default();
        if device.get("type") != Some("network") {
            self.add("", device);
            return;
        }
        let said = ["mac", "source", "model", "alias", "address", "boot", "bandwidth", "target"];
        for own in device.all().filter(|own| !said.contains(&own.name.as_str())) {
            let ours = own.name == "filterref"
                && own.get("filter").is_some_and(|name| name.starts_with(crate::firewall::PREFIX));
            if !ours {
                self.add(&format!("nic {mac}: "), own);
            }
        }
        let limits = device.find("bandwidth").into_iter().flat_map(Element::all);
        let limits: Vec<_> = limits.map(|own| &own.attributes).collect();
        let said = match limits[..] {
            [] => true,
            [a, b] => a == b && a.iter().all(|(name, _)| name == "average"),
            _ => false,
        };
        if let Some(bandwidth) = device.find("bandwidth").filter(|_| !said) {
            self.add(&format!("nic {mac}: "), bandwidth);
        }
        let source = device.find("source").into_iter().flat_map(|own| &own.attributes);
        for (name, value) in
            source.filter(|(name, _)| name != "network" && name != "bridge" && name != "portid")
        {
            self.0.push(format!("nic {mac}: {name}={value}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// Every guest of the corpus, and what is told of it. `BLESS=1` writes what is told now.
    #[test]
    fn nothing_of_the_corpus_is_lost_silently() {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/corpus/domain");
        let mut seen = 0;
        for entry in std::fs::read_dir(&corpus).expect("the corpus") {
            let path = entry.expect("an entry").path();
            if path.extension().is_none_or(|own| own != "xml") {
                continue;
            }
            let text = std::fs::read_to_string(&path).expect("read");
            let domain = Element::parse(&text).unwrap_or_else(|error| panic!("{path:?}: {error}"));
            let line = |own: &String| format!("{}\n", own.replace('\n', "\\n"));
            let told: String = kept(&domain, true).iter().map(line).collect();
            let beside = path.with_extension("kept");
            if std::env::var_os("BLESS").is_some() {
                std::fs::write(&beside, &told).expect("written");
            }
            let expected = std::fs::read_to_string(&beside).unwrap_or_default();
            assert_eq!(told, expected, "{path:?}");
            seen += 1;
        }
        assert!(seen >= 9, "{seen}");
    }
}
