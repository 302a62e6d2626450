//! Virtual machines with their disks and NICs, and flavors.

use super::network::{admits, allow, reaches};
use super::storage::volume_attributes;
use super::{MIB, schema, transient};
use crate::schema::{Attribute, Block, Cost, Role, Schema};
use crate::{Field, Fields, Impact, Name, Type, Value};

/// The Linux of a guest takes plugged memory in blocks of this size on x86 (`MIN_MEMORY_BLOCK_SIZE`,
/// arch/x86 and drivers/base/memory.c: one section, 2^27 bytes).
pub const MEMORY_STEP: u64 = 128 << 20;

/// Attributes of a `disk` block that describe how it is attached, and not what it is: they belong
/// to the VM's fields, the others to the disk's own.
pub const ATTACHMENT: [&str; 3] = ["volume", "bus", "iops"];

/// Whether what a block of a guest adds needs a slot of its own on the guest's board: disks on SCSI and
/// USB hang on a controller that is there already.
pub fn needs_slot(block: &str, fields: &Fields) -> bool {
    match block {
        "disk" => !matches!(fields.text("bus"), Some("scsi" | "usb")),
        "nic" => true,
        _ => false,
    }
}

pub(super) fn flavor() -> Schema {
    schema(
        "flavor",
        Role::Fact,
        "A size of VM with a name.\n\n\
         Names of the SCS standard (`SCS-2V-4`: two vCPUs, 4 GiB) need no block: the name says it.",
        "flavor small { vcpus = 1, memory = 2GiB }\n",
    )
    .at_top_level()
    .inside(&["site", "tenant"])
    .attributes(vec![
        Attribute::new("vcpus", Type::int(1, 512), "Virtual CPUs.").required(),
        Attribute::new("memory", Type::Bytes, "Memory.").required().at_least(MIB),
    ])
}

pub(super) fn vm() -> Schema {
    schema("vm", Role::Single,
        "A virtual machine.\n\n\
         tcloud chooses a host with room for it and leaves it there. Sizes come from `flavor`, or \
         from `vcpus` and `memory`.",
        "tenant rhoenblick {\n  network office { cidr = 10.20.0.0/24 }\n  vm files {\n    vcpus = 2\n    \
         memory = 8GiB\n    max_memory = 16GiB\n    disk root { size = 20GiB }\n    \
         nic office { network = network.office }\n  }\n}\n")
        .inside(&["tenant"])
        .attributes(size_attributes())
        .attributes(machine_attributes())
        .attributes(guest_attributes())
        .attributes(placement_attributes())
        .blocks(vec![
            Block::labelled("disk", "A disk: one of its own, or a volume. See `disk`.",
                attachment_attributes())
                .cost(Impact::Live, Impact::Live)
                .unless("bus", &["virtio", "scsi", "usb"], Impact::PowerCycle),
            Block::labelled("nic", "A network card. See `nic`.", nic_attributes())
                .cost(Impact::Live, Impact::Live)
                .unless("model", &["virtio", "virtio-net", "e1000e"], Impact::PowerCycle),
            boot(),
            allow("for this guest"),
        ])
        .with_lifecycle(false)
        .removal(Impact::RecreateKeep)
}

fn size_attributes() -> Vec<Attribute> {
    let within = |ceiling: &str, step| Cost::Ceiling {
        ceiling: Name::new(ceiling),
        step,
        within: Impact::Live,
        beyond: Impact::PowerCycle,
        shrink: Impact::PowerCycle,
    };
    vec![
        Attribute::new(
            "flavor",
            Type::Either(vec![Type::reference(&["flavor"]), Type::Text]),
            "Its size by name: a flavor, or an SCS name.",
        )
        .steering(),
        Attribute::new(
            "vcpus",
            Type::int(1, 512),
            "Virtual CPUs.\n\nMore can be added while it \
            runs, up to `max_vcpus`.",
        )
        .costs(within("max_vcpus", None)),
        Attribute::new(
            "memory",
            Type::Bytes,
            "Memory.\n\nMore can be added while it runs, up to `max_memory` and in steps of \
             128 MiB.",
        )
        .at_least(MIB)
        .costs(within("max_memory", Some(Value::Bytes(MEMORY_STEP)))),
        Attribute::new(
            "max_vcpus",
            Type::int(1, 512),
            "How many vCPUs it can be given while it \
            runs.",
        )
        .cost(Impact::PowerCycle),
        Attribute::new("max_memory", Type::Bytes, "How much memory it can be given while it runs.")
            .at_least(MIB)
            .cost(Impact::PowerCycle),
    ]
}

fn machine_attributes() -> Vec<Attribute> {
    vec![
        Attribute::new("firmware", Type::one_of(&["bios", "uefi"]), "What starts it.")
            .default(Value::text("uefi"))
            .cost(Impact::PowerCycle),
        Attribute::new("secure_boot", Type::Bool, "Whether only signed systems start.")
            .default(Value::Bool(false))
            .cost(Impact::PowerCycle),
        Attribute::new("tpm", Type::Bool, "Whether it has a TPM 2.0.")
            .default(Value::Bool(false))
            .cost(Impact::PowerCycle),
        Attribute::new("machine", Type::one_of(&["q35", "pc"]), "The board that is emulated.")
            .default(Value::text("q35"))
            .cost(Impact::PowerCycle),
        Attribute::new(
            "cpu_mode",
            Type::one_of(&["host-model", "host-passthrough", "maximum"]),
            "Which CPU the guest sees.",
        )
        .default(Value::text("host-model"))
        .cost(Impact::PowerCycle),
    ]
}

fn boot() -> Block {
    Block::single(
        "boot",
        "How it starts: from a device, or straight from a kernel that lies on the host.",
        vec![
            Attribute::new(
                "order",
                Type::list(Type::one_of(&["disk", "network", "cdrom"])),
                "What it starts from, in this order.",
            )
            .cost(Impact::PowerCycle),
            Attribute::new(
                "kernel",
                Type::Text,
                "The kernel to start, without any boot loader: an absolute path on the host.",
            )
            .cost(Impact::PowerCycle),
            Attribute::new(
                "initrd",
                Type::Text,
                "The initial file system of `kernel`: an absolute path on the host.",
            )
            .cost(Impact::PowerCycle),
            Attribute::new("cmdline", Type::Text, "The command line of `kernel`.")
                .cost(Impact::PowerCycle),
        ],
    )
    .cost(Impact::PowerCycle, Impact::PowerCycle)
}

fn guest_attributes() -> Vec<Attribute> {
    vec![
        Attribute::new("title", Type::Text, "Its name for people.").cost(Impact::Live),
        Attribute::new("description", Type::Text, "What it is for.").cost(Impact::Live),
        Attribute::new(
            "image",
            Type::reference(&["image"]),
            "The image of its first disk, unless that disk names one.",
        )
        .steering(),
        Attribute::new("hostname", Type::Text, "The guest's name. Without it, the VM's.")
            .cost(Impact::None),
        Attribute::new(
            "cloud_init",
            cloud_init(),
            "What the guest sets up when it first starts.\n\nRead once by the guest: a change \
             reaches guests that are made anew, never a running one.",
        )
        .cost(Impact::None),
        Attribute::new(
            "ssh_keys",
            Type::list(Type::Text),
            "Public keys that may log in. Read by the guest when it first starts.",
        )
        .cost(Impact::None),
        Attribute::new("autostart", Type::Bool, "Whether it starts with its host.")
            .default(Value::Bool(true))
            .cost(Impact::Live),
        Attribute::new("running", Type::Bool, "Whether it runs.")
            .default(Value::Bool(true))
            .costs(Cost::Direction { grow: Impact::Live, shrink: Impact::PowerCycle }),
        Attribute::new(
            "wait_for",
            Type::one_of(&["nothing", "running", "address", "agent"]),
            "When it counts as created or started.\n\nWhat is waited for is told while it is waited \
             for: the process, an address that the network or the guest names, or the guest agent.",
        )
        .default(Value::text("running"))
        .cost(Impact::None),
        Attribute::new(
            "wait_within",
            Type::Duration,
            "How long `wait_for` may take before the step counts as failed.",
        )
        .default(Value::Duration(300_000))
        .cost(Impact::None),
        Attribute::new(
            "stop_within",
            Type::Duration,
            "How long it is given to shut down when a change stops it.\n\nA guest that takes longer \
             goes on running, and the step fails; `0s` switches it off at once. A guest that is \
             deleted is switched off then.",
        )
        .default(Value::Duration(120_000))
        .cost(Impact::None),
        transient(),
    ]
}

fn placement_attributes() -> Vec<Attribute> {
    vec![
        Attribute::new(
            "host",
            Type::reference(&["host"]),
            "The host that it has to run on. Without it, tcloud chooses.",
        )
        .steering(),
        Attribute::new("site", Type::reference(&["site"]), "The site that it has to run in.")
            .steering(),
        Attribute::new(
            "spread",
            Type::Text,
            "A word: guests of the tenant with the same word never share a host, and share a zone \
             only if there are too few.",
        )
        .steering(),
        Attribute::new(
            "restart",
            Type::Either(vec![Type::one_of(&["pending", "now"]), Type::Window]),
            "What to do when a change cannot take effect in the running guest.\n\n`pending` \
             leaves the guest alone until it is next stopped and started; `now` stops and starts \
             it, as the plan says. A window (`Sat 20:00-24:00 Europe/Berlin`) does so in plans that \
             are made and begun while it is open, and is `pending` at any other time: days (`Sat`, \
             `Sat,Sun`, `Mon-Fri`, `daily`), times from 00:00 to 24:00, over midnight where it ends \
             before it begins, and a time zone, or `UTC`.",
        )
        .default(Value::text("pending"))
        .steering(),
    ]
}

fn cloud_init() -> Type {
    let field = |name: &str, ty: Type| Field { name: Name::new(name), ty, optional: true };
    let file = Type::Object(vec![
        Field { name: Name::new("path"), ty: Type::Text, optional: false },
        Field {
            name: Name::new("content"),
            optional: false,
            ty: Type::Either(vec![Type::Text, Type::Secret(Box::new(Type::Text))]),
        },
        field("permissions", Type::Text),
        field("owner", Type::Text),
    ]);
    let user = Type::Object(vec![
        Field { name: Name::new("name"), ty: Type::Text, optional: false },
        field("groups", Type::list(Type::Text)),
        field("shell", Type::Text),
        field("sudo", Type::Text),
        field("ssh_keys", Type::list(Type::Text)),
    ]);
    Type::Object(vec![
        field("fqdn", Type::Text),
        field("locale", Type::Text),
        field("package_update", Type::Bool),
        field("package_upgrade", Type::Bool),
        field("packages", Type::list(Type::Text)),
        field("runcmd", Type::list(Type::Text)),
        field("timezone", Type::Text),
        field("users", Type::list(user)),
        field("write_files", Type::list(file)),
    ])
}

pub(super) fn disk() -> Schema {
    schema(
        "disk",
        Role::Single,
        "A disk of a VM: one of its own, with `size`, or a volume.\n\n\
         A disk of its own is deleted with the VM, if consent names it; a volume stays.",
        "tenant rhoenblick {\n  volume archive { size = 500GiB }\n  vm files {\n    vcpus = 2\n    \
         memory = 8GiB\n    disk root { size = 20GiB }\n    \
         disk archive { volume = volume.archive }\n  }\n}\n",
    )
    .inside(&["vm"])
    .attributes(volume_attributes())
    .attributes(attachment_attributes())
    .with_lifecycle(false)
    .removal(Impact::RecreateLose)
}

fn attachment_attributes() -> Vec<Attribute> {
    vec![
        Attribute::new(
            "volume",
            Type::reference(&["volume", "disk"]),
            "The volume that is attached, instead of a disk of its own.",
        )
        .cost(Impact::PowerCycle),
        Attribute::new("bus", Type::one_of(&["virtio", "scsi", "sata"]), "How it is attached.")
            .default(Value::text("virtio"))
            .cost(Impact::PowerCycle),
        Attribute::new("iops", Type::int(1, 10_000_000), "The most operations in a second.")
            .cost(Impact::Live),
    ]
}

pub(super) fn nic() -> Schema {
    schema("nic", Role::Part,
        "A network card of a VM.\n\n\
         Its address and MAC are given by tcloud when the text does not, and then stay.",
        "tenant rhoenblick {\n  network office { cidr = 10.20.0.0/24 }\n  vm files {\n    vcpus = 2\n    \
         memory = 8GiB\n    nic office { network = network.office, address = network.office.cidr.host(10) }\n  \
         }\n}\n")
        .inside(&["vm"])
        .attributes(nic_attributes())
}

fn nic_attributes() -> Vec<Attribute> {
    vec![
        Attribute::new("network", Type::reference(&["network"]), "The network that it is in.")
            .required()
            .cost(Impact::Live),
        Attribute::new(
            "address",
            Type::Ip,
            "Its address. Without it, tcloud gives one out of the network, and keeps it.",
        )
        .assigned()
        .cost(Impact::LiveGuest),
        Attribute::new(
            "dynamic",
            Type::Bool,
            "Whether its address is left to the guest: from the network's DHCP range, or set in \
             the guest itself. tcloud then gives it none, and nothing in the text can read it.",
        )
        .steering(),
        Attribute::new(
            "mac",
            Type::Mac,
            "Its MAC address. Without it, derived from its address \
            in the text.",
        )
        .assigned()
        .cost(Impact::PowerCycle),
        Attribute::new(
            "model",
            Type::one_of(&["virtio", "e1000e", "rtl8139"]),
            "The card that is emulated.",
        )
        .default(Value::text("virtio"))
        .cost(Impact::PowerCycle),
        Attribute::new("max_rate", Type::Rate, "The most that it may use.")
            .at_least(Value::Rate(8_000))
            .cost(Impact::Live),
        Attribute::new(
            "filter",
            Type::Bool,
            "Whether its packets are held to the rules.\n\nThen it can send only from its own \
             addresses, and only what `allow` admits can reach it. A guest that forwards packets \
             of others, a router or a VPN gateway, needs `false`.",
        )
        .default(Value::Bool(true))
        .cost(Impact::Live),
        admits("Who outside may open connections to it, besides those whom its network admits."),
        reaches("Where it may send what needs no answer, besides what its network reaches."),
    ]
}
