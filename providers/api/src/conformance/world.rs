//! A small world with every managed kind in it, and a second one of what others refer to.

use tcloud_model::{Address, Fields, Value};

/// What the suite asks for, each object after those that it needs.
pub(crate) struct World {
    pub(crate) objects: Vec<(Address, Fields)>,
}

/// The guest of the world.
pub(crate) const GUEST: &str = "tenant.conformance.vm.web";

const OBJECTS: [(&str, &str); 11] = [
    (
        "site.conformance.pool.fast",
        r#"{"type":"dir","path":"/var/lib/tcloud/conformance/fast",
        "capacity":{"$bytes":107374182400}}"#,
    ),
    (
        "site.conformance.pool.slow",
        r#"{"type":"dir","path":"/var/lib/tcloud/conformance/slow",
        "capacity":{"$bytes":107374182400}}"#,
    ),
    (
        "image.conformance-a",
        r#"{"source":"https://images.example/a.qcow2","digest":"sha256:00","format":"qcow2",
        "os":"debian"}"#,
    ),
    (
        "image.conformance-b",
        r#"{"source":"https://images.example/b.qcow2","digest":"sha256:11","format":"qcow2"}"#,
    ),
    (
        "tenant.conformance.network.office",
        r#"{"cidr":{"$cidr":"10.213.0.0/24"},"mode":"nat","gateway":{"$ip":"10.213.0.254"},
        "mtu":1500,
        "dhcp":{"range":{"$ip_range":["10.213.0.100","10.213.0.150"]},
        "lease":{"$duration":3600000}},
        "dns":{"domain":"office.example"},
        "route":{"rooms":{"to":{"$cidr":"10.214.0.0/24"},"via":{"$ip":"10.213.0.2"}}},
        "admits":[{"from":{"$cidr":"10.215.0.0/24"},"ports":[{"$port":"22/tcp"}]}],
        "reaches":[{"to":{"$cidr":"10.216.0.0/24"}}],
        "guarded":[{"$cidr":"10.215.0.0/24"},{"$cidr":"10.216.0.0/24"}]}"#,
    ),
    (
        "tenant.conformance.network.lobby",
        r#"{"cidr":{"$cidr":"10.213.1.0/24"},"mode":"nat","gateway":{"$ip":"10.213.1.1"}}"#,
    ),
    (
        "tenant.conformance.volume.archive",
        r#"{"size":{"$bytes":2147483648},"pool":{"$ref":"site.conformance.pool.fast"},
        "class":"nvme","format":"qcow2","encrypted":false}"#,
    ),
    (
        "tenant.conformance.volume.spare",
        r#"{"size":{"$bytes":1073741824},"pool":{"$ref":"site.conformance.pool.fast"},
        "format":"raw","encrypted":false}"#,
    ),
    (
        "tenant.conformance.vm.web.disk.root",
        r#"{"size":{"$bytes":4294967296},"pool":{"$ref":"site.conformance.pool.fast"},
        "image":{"$ref":"image.conformance-a"},"format":"qcow2","encrypted":false}"#,
    ),
    (
        GUEST,
        r#"{"vcpus":2,"max_vcpus":4,"memory":{"$bytes":1073741824},
        "max_memory":{"$bytes":4294967296},"firmware":"bios","secure_boot":false,"tpm":false,
        "machine":"q35","cpu_mode":"host-model","boot":{"order":["disk"]},"hostname":"web",
        "autostart":true,"running":true,
        "disk":{"root":{"volume":{"$ref":"tenant.conformance.vm.web.disk.root"},"bus":"virtio",
        "iops":1000},
        "archive":{"volume":{"$ref":"tenant.conformance.volume.archive"},"bus":"virtio"}},
        "nic":{"office":{"network":{"$ref":"tenant.conformance.network.office"},
        "address":{"$ip":"10.213.0.10"},"mac":{"$mac":"52:54:00:c0:f0:01"},"model":"virtio",
        "max_rate":{"$rate":1000000000},"filter":true,
        "admits":[{"from":{"$cidr":"0.0.0.0/0"},"ports":[{"$port":"443/tcp"}]}],
        "reaches":[{"to":{"$cidr":"10.216.0.9/32"},"ports":[{"$port":"53/udp"}]}]}}}"#,
    ),
    (
        "tenant.conformance.vm.other",
        r#"{"vcpus":1,"memory":{"$bytes":536870912},"firmware":"bios","secure_boot":false,
        "tpm":false,"machine":"q35","cpu_mode":"host-model","autostart":false,"running":false}"#,
    ),
];

/// What the suite asks for, before it is made fit for a host.
pub(crate) fn asked() -> impl Iterator<Item = (Address, Fields)> {
    OBJECTS.into_iter().map(|(address, json)| {
        match (address.parse::<Address>(), super::fields(json)) {
            (Ok(address), Ok(attributes)) => (address, attributes),
            (address, attributes) => {
                unreachable!("BUG: the world is well-formed: {address:?} {attributes:?}")
            }
        }
    })
}

impl World {
    /// The world, fit for a host.
    pub(crate) fn new(fit: impl Fn(&Address, Fields) -> Fields) -> World {
        let objects = asked().map(|(address, attributes)| {
            let attributes = fit(&address, attributes);
            (address, attributes)
        });
        World { objects: objects.collect() }
    }

    /// Asks for an attribute nowhere any more; says whether it was asked for.
    pub(crate) fn forget(&mut self, name: &str) -> bool {
        let mut found = false;
        for (_, attributes) in &mut self.objects {
            let (kept, gone) = without(attributes, name);
            *attributes = kept;
            found |= gone;
        }
        found
    }

    /// The guest that runs, with its attributes.
    pub(crate) fn guest(&self) -> (Address, Fields) {
        let guest = self.objects.iter().find(|(address, _)| address.to_string() == GUEST);
        match guest {
            Some((address, attributes)) => (address.clone(), attributes.clone()),
            None => unreachable!("BUG: the world has a guest"),
        }
    }

    /// One object of each kind, the first of its kind in the order of creation.
    pub(crate) fn one_of_each(&self) -> Vec<(Address, Fields)> {
        let mut all: Vec<(Address, Fields)> = Vec::new();
        for (address, attributes) in &self.objects {
            if !all.iter().any(|(own, _)| own.kind() == address.kind()) {
                all.push((address.clone(), attributes.clone()));
            }
        }
        all
    }
}

/// Fields without those of a name, however deep, and whether there were any.
fn without(fields: &Fields, name: &str) -> (Fields, bool) {
    let mut gone = false;
    let kept = fields.iter().filter_map(|(own, value)| match value {
        _ if **own == *name => {
            gone = true;
            None
        }
        Value::Map(inner) => {
            let (inner, found) = without(inner, name);
            gone |= found;
            Some((own.clone(), Value::map(inner)))
        }
        _ => Some((own.clone(), value.clone())),
    });
    let kept = kept.collect();
    (kept, gone)
}
