//! What a resource cannot do without because of what else it says, or does not say.

use crate::{Fields, Value};

/// Attributes that are missing.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Needed {
    /// Their names.
    pub missing: Vec<&'static str>,
    /// What to write for the first of them.
    pub help: Option<&'static str>,
}

impl Needed {
    /// Notes an attribute if it is not there.
    fn need(&mut self, fields: &Fields, name: &'static str, help: &'static str) {
        if lacks(fields, name) {
            self.help = self.help.or(Some(help));
            self.missing.push(name);
        }
    }
}

fn lacks(fields: &Fields, name: &str) -> bool {
    matches!(fields.get(name), None | Some(Value::None))
}

/// What a resource of a kind lacks beside what its schema requires.
pub fn needed(kind: &str, fields: &Fields) -> Needed {
    let mut needed = Needed::default();
    match kind {
        "vm" => {
            let help = "add `flavor = \"SCS-2V-4\"`, or `vcpus = 2` and `memory = 4GiB`";
            needed.need(fields, "vcpus", help);
            needed.need(fields, "memory", help);
        }
        "network" => network(fields, &mut needed),
        "pool" => {
            let kind = fields.text("type").unwrap_or_default();
            if matches!(kind, "dir" | "nfs") {
                let help = "add `path = \"/srv/tcloud\"`, where it is on a host";
                needed.need(fields, "path", help);
            }
            let source = match kind {
                "nfs" => "add `source = \"server:/export\"`",
                "lvm" => "add `source = \"vg0\"`, the volume group",
                "rbd" => "add `source = \"monitor-1,monitor-2:pool\"`",
                _ => return needed,
            };
            needed.need(fields, "source", source);
        }
        "volume" | "disk" if lacks(fields, "volume") => {
            needed.need(fields, "size", "add `size = 20GiB`, or an image that has `min_disk`");
        }
        _ => {}
    }
    needed
}

/// In the modes that have a router, guests need addresses that it knows; and what a network gives
/// its guests lies in it.
fn network(fields: &Fields, needed: &mut Needed) {
    let mode = fields.text("mode").unwrap_or("nat");
    if matches!(mode, "nat" | "routed") {
        let help = "add `cidr = 10.20.0.0/24`; only `isolated` and `bridge` can do without";
        needed.need(fields, "cidr", help);
    } else if ["dhcp", "gateway", "route"].iter().any(|name| !lacks(fields, name)) {
        let help = "add `cidr = 10.20.0.0/24`: what it gives its guests lies there";
        needed.need(fields, "cidr", help);
    }
    if mode == "bridge" {
        needed.need(fields, "bridge", "add `bridge = \"br0\"`, a bridge that its hosts have");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_depends_on_what_is_said() {
        let lacks = |kind: &str, said: &[(&str, &str)]| {
            let fields = said.iter().map(|(name, value)| ((*name).into(), Value::text(value)));
            needed(kind, &fields.collect()).missing.join(" ")
        };
        for (kind, said, missing) in [
            ("vm", &[][..], "vcpus memory"),
            ("pool", &[], ""),
            ("pool", &[("type", "dir")], "path"),
            ("pool", &[("type", "nfs")], "path source"),
            ("pool", &[("type", "nfs"), ("path", "/srv")], "source"),
            ("pool", &[("type", "lvm")], "source"),
            ("pool", &[("type", "rbd"), ("source", "a:b")], ""),
            ("network", &[("mode", "nat")], "cidr"),
            ("network", &[("mode", "isolated")], ""),
            ("network", &[("mode", "isolated"), ("dhcp", "some")], "cidr"),
            ("network", &[("mode", "bridge")], "bridge"),
            ("network", &[("mode", "bridge"), ("gateway", "one")], "cidr bridge"),
            ("volume", &[], "size"),
            ("disk", &[("volume", "one")], ""),
        ] {
            assert_eq!(lacks(kind, said), missing, "{kind} {said:?}");
        }
    }
}
