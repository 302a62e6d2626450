//! Sites, zones and hosts: where things can run.

use super::{MIB, schema};
use crate::schema::{Attribute, Block, Role, Schema};
use crate::{Impact, Type, Value};

pub(super) fn site() -> Schema {
    schema(
        "site",
        Role::Scope,
        "A place with hosts: a data centre or a room in one.\n\n\
         Tenants name the sites that they may use. Nothing is created for a site itself.",
        "site meiningen {\n  title = \"Rechenzentrum Meiningen\"\n  zone a {}\n  \
         host kvm1 { provider = \"sim\", zone = zone.a }\n  \
         pool fast { type = \"dir\", path = \"/srv/tcloud/fast\", class = \"nvme\" }\n}\n",
    )
    .at_top_level()
    .attributes(vec![
        Attribute::new("title", Type::Text, "Its name for people."),
        Attribute::new("operator", Type::Text, "Who runs it."),
        Attribute::new("location", Type::Text, "Where it is."),
        Attribute::new(
            "address_space",
            Type::list(Type::Cidr),
            "The networks that may be used here; suggestions for free networks come from it.\n\nWhere \
             networks are `routed`, all of it counts as space of guests: they can send there only \
             what is answered, and what an `allow` admits.",
        ),
    ])
}

pub(super) fn zone() -> Schema {
    schema(
        "zone",
        Role::Fact,
        "A part of a site that fails together: a room, a rack, a power feed.\n\n\
         `spread` puts guests into different zones before it puts them on different hosts.",
        "site meiningen {\n  zone a {}\n}\n",
    )
    .inside(&["site"])
    .attributes(vec![Attribute::new("title", Type::Text, "Its name for people.")])
}

pub(super) fn host() -> Schema {
    schema("host", Role::Fact,
        "A machine with a hypervisor.\n\n\
         What it can hold is its capacity, times its overcommit, less its reserve.",
        "site meiningen {\n  zone a {}\n  host kvm1 {\n    provider = \"sim\"\n    zone = zone.a\n    \
         capacity { vcpus = 64, memory = 256GiB }\n  }\n}\n")
        .inside(&["site"])
        .attributes(vec![
            Attribute::new("provider", Type::Text,
                "Which provider talks to it: `sim`, the embedded hypervisor, or `libvirt`.")
                .required(),
            Attribute::new("uri", Type::Text,
                "How the provider reaches it.\n\nFor `libvirt` a connection URI such as \
                 `qemu+ssh://tcloud@kvm1.example/system`; `sim` needs none."),
            Attribute::new("accel", Type::one_of(&["auto", "kvm", "tcg"]),
                "What runs its guests: `kvm`, the processor itself, or `tcg`, a program that \
                 imitates one, many times slower.\n\n`auto` takes `kvm` where the host can, and is \
                 asked anew for each guest that is made; what runs already stays as it is.")
                .default(Value::text("auto")),
            Attribute::new("zone", Type::reference(&["zone"]), "The zone that it stands in."),
            Attribute::new("drain", Type::Bool,
                "Whether it is being emptied: guests move away and none is placed here.")
                .default(Value::Bool(false)),
            Attribute::new("labels", Type::Map(Box::new(Type::Text)), "Free words about it."),
        ])
        .blocks(vec![
            Block::single("capacity",
                "What the machine has. Without it, the hypervisor is asked.",
                vec![
                    Attribute::new("vcpus", Type::int(1, 100_000), "Logical CPUs.").required(),
                    Attribute::new("memory", Type::Bytes, "Memory.").required().at_least(MIB),
                ]),
            Block::single("overcommit", "How many times over it may be given to guests.", vec![
                Attribute::new("vcpus", Type::Float, "Virtual CPUs for each logical CPU.")
                    .default(Value::Float(4.0))
                    .at_least(Value::Float(0.1)),
                Attribute::new("memory", Type::Float, "Guest memory for each byte of memory.")
                    .default(Value::Float(1.0))
                    .at_least(Value::Float(0.1)),
            ]),
            Block::single("reserve", "What the host keeps for itself.", vec![
                Attribute::new("memory", Type::Bytes, "Memory.").default(Value::Bytes(0)),
            ]),
        ])
        .removal(Impact::None)
}
