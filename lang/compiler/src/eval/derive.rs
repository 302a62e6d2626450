//! What follows from other attributes, so that nothing about a resource is unknown.

use std::net::IpAddr;

use tcloud_model::{Cidr, Diagnostic, Key, Value, codes};

use super::state::{InstanceId, State};
use super::{Eval, Evaluated};
use crate::shapes::ShapeInfo;

/// What the name of an SCS flavor says: `SCS-2V-4-20s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ScsFlavor {
    pub(crate) vcpus: i64,
    pub(crate) memory: u64,
    pub(crate) disk: Option<u64>,
}

const GIB: u64 = 1 << 30;

impl ScsFlavor {
    /// Reads `SCS-2V-4`, `SCS-2V-4-20`, `SCS-1L-0.5-20s`; the letters after the numbers (kind of
    /// vCPU, of memory, of disk) say nothing about the size.
    pub(crate) fn parse(name: &str) -> Option<ScsFlavor> {
        let mut parts = name.strip_prefix("SCS-")?.split('-');
        let cpu = parts.next()?;
        let digits = cpu.find(|c: char| !c.is_ascii_digit())?;
        let kind = cpu.get(digits..)?;
        if !matches!(kind, "V" | "L" | "T" | "C" | "Vi" | "Li" | "Ti" | "Ci") {
            return None;
        }
        let vcpus: i64 = cpu.get(..digits)?.parse().ok()?;
        let memory = parts.next()?.trim_end_matches(['u', 'o']);
        let (whole, half) = match memory.split_once('.') {
            Some((whole, "5")) => (whole, GIB / 2),
            Some(_) => return None,
            None => (memory, 0),
        };
        let memory = whole.parse::<u64>().ok()?.checked_mul(GIB)?.checked_add(half)?;
        let disk = match parts.next() {
            Some(disk) => {
                let size = disk.trim_end_matches(['n', 'h', 's', 'p']);
                Some(size.parse::<u64>().ok()?.checked_mul(GIB)?)
            }
            None => None,
        };
        let plausible = (1..=512).contains(&vcpus) && memory > 0 && parts.next().is_none();
        plausible.then_some(ScsFlavor { vcpus, memory, disk })
    }
}

impl<'p> Eval<'p> {
    /// The value of an attribute that the text does not set, if another one implies it.
    pub(super) fn derived(
        &mut self,
        id: InstanceId,
        info: &'p ShapeInfo,
        name: &str,
    ) -> Evaluated<Option<Value>> {
        if info.schema.is_none() {
            return Ok(None);
        }
        let words = &self.shapes.words;
        match (info.word.as_str(), name) {
            ("vm", "vcpus") => self.of_flavor(id, &words.vcpus),
            ("vm", "memory") => self.of_flavor(id, &words.memory),
            ("vm", "hostname") => Ok(self.hostname(id)),
            ("network", "gateway") => self.gateway(id),
            ("disk", "image") if self.is_first_inline(id)? => match self.state.get(id).parent {
                Some(vm) => self.attribute(vm, &words.image),
                None => Ok(None),
            },
            ("disk" | "volume", "size") => self.size(id),
            _ => Ok(None),
        }
    }

    fn of_flavor(&mut self, vm: InstanceId, name: &'p str) -> Evaluated<Option<Value>> {
        match self.attribute(vm, "flavor")? {
            Some(Value::Ref(address)) => match self.state.at(&address) {
                Some(flavor) => self.attribute(flavor, name),
                None => Ok(None),
            },
            Some(Value::Text(text)) => match ScsFlavor::parse(&text) {
                Some(flavor) if name == "vcpus" => Ok(Some(Value::Int(flavor.vcpus))),
                Some(flavor) => Ok(Some(Value::Bytes(flavor.memory))),
                None => {
                    let place = self.source(vm, "flavor")?.map(|(_, def)| self.tree.def(def));
                    let at = place.and_then(|def| def.value.as_ref()).map(|value| value.span);
                    let Some(at) = at else { return Ok(None) };
                    let message = format!("{} is no flavor", Value::Text(text));
                    Err(self.report(Diagnostic::error(codes::E0203, at, message).help(
                        "write `flavor.NAME`, or an SCS name: `\"SCS-2V-4\"` has 2 vCPUs, 4 GiB",
                    )))
                }
            },
            _ => Ok(None),
        }
    }

    /// The VM's name made fit for DNS: `web[1]` is `web-1`.
    fn hostname(&self, vm: InstanceId) -> Option<Value> {
        let address = self.state.get(vm).address.as_ref()?;
        let key = match address.key() {
            None => return Some(Value::text(address.name())),
            Some(Key::Int(number)) => number.to_string(),
            Some(Key::Text(text)) => text.to_string(),
            Some(Key::Ref(other)) => other.name().to_string(),
        };
        let mut name = format!("{}-{key}", address.name()).to_ascii_lowercase();
        name = name.replace(|c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit()), "-");
        name.truncate(tcloud_model::name::MAX_LENGTH);
        Some(Value::text(name.trim_end_matches('-')))
    }

    fn gateway(&mut self, network: InstanceId) -> Evaluated<Option<Value>> {
        let mode = self.attribute(network, "mode")?;
        let mode = mode.as_ref().and_then(Value::as_text);
        if matches!(mode, Some("isolated" | "bridge")) {
            return Ok(None);
        }
        match self.attribute(network, "cidr")? {
            Some(Value::Cidr(cidr)) => Ok(first_host(cidr).map(Value::Ip)),
            _ => Ok(None),
        }
    }

    /// The size of a disk that the text does not give: what its image needs, or the flavor says.
    fn size(&mut self, id: InstanceId) -> Evaluated<Option<Value>> {
        if let Some(vm) = self.state.get(id).parent
            && self.info(vm).is_some_and(|info| info.is_kind("vm"))
            && self.is_first_inline(id)?
            && let Some(Value::Text(flavor)) = self.attribute(vm, "flavor")?
            && let Some(size) = ScsFlavor::parse(&flavor).and_then(|flavor| flavor.disk)
        {
            return Ok(Some(Value::Bytes(size)));
        }
        match self.attribute(id, "image")? {
            Some(Value::Ref(address)) => match self.state.at(&address) {
                Some(image) => self.attribute(image, "min_disk"),
                None => Ok(None),
            },
            _ => Ok(None),
        }
    }

    /// Whether a disk is the first of its VM that is no attached volume.
    fn is_first_inline(&mut self, disk: InstanceId) -> Evaluated<bool> {
        let Some(vm) = self.state.get(disk).parent else { return Ok(false) };
        for position in 0..self.child_count(vm) {
            let is_disk = self
                .child(vm, position)
                .is_some_and(|child| self.tree.block(child.block).kind.name == "disk");
            if !is_disk {
                continue;
            }
            for other in State::range(self.expand(vm, position)?) {
                if self.is_inline(other)? {
                    return Ok(other == disk);
                }
            }
        }
        Ok(false)
    }
}

/// The first address of a network that a host may have.
/// The very first address of IPv6 means any router (RFC 4291, 2.6.1).
fn first_host(cidr: Cidr) -> Option<IpAddr> {
    cidr.hosts().find(|own| own.is_ipv4() || *own != cidr.network())
}

#[cfg(test)]
mod tests {
    use super::{GIB, ScsFlavor};

    #[test]
    fn scs_names_say_the_size() {
        let flavor = |vcpus, memory, disk| Some(ScsFlavor { vcpus, memory, disk });
        assert_eq!(ScsFlavor::parse("SCS-2V-4"), flavor(2, 4 * GIB, None));
        assert_eq!(ScsFlavor::parse("SCS-4V-16-100s"), flavor(4, 16 * GIB, Some(100 * GIB)));
        assert_eq!(ScsFlavor::parse("SCS-1L-0.5"), flavor(1, GIB / 2, None));
        for wrong in ["SCS-2V", "SCS-0V-4", "SCS-V-4", "scs-2V-4", "SCS-2V-4-20-x", "m1.small"] {
            assert_eq!(ScsFlavor::parse(wrong), None, "{wrong}");
        }
    }
}
