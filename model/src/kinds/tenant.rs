//! Tenants: for whom things run.

use super::schema;
use crate::Type;
use crate::schema::{Attribute, Block, Role, Schema};

pub(super) fn tenant() -> Schema {
    schema(
        "tenant",
        Role::Scope,
        "A municipality or an authority, with everything that runs for it.\n\n\
         What stands in it cannot be used by another tenant unless it is exposed to it. A quota \
         is checked before anything runs.",
        "site meiningen { host kvm1 { provider = \"sim\" } }\n\ntenant rhoenblick {\n  \
         title = \"Gemeinde Rhönblick\"\n  contact = \"it@rhoenblick.example\"\n  \
         sites = [site.meiningen]\n  quota { vcpus = 16, memory = 64GiB, storage = 2TiB }\n}\n",
    )
    .at_top_level()
    .attributes(vec![
        Attribute::new("title", Type::Text, "Its name for people."),
        Attribute::new("contact", Type::Text, "Whom to ask: an e-mail address."),
        Attribute::new(
            "key",
            Type::Text,
            "The official municipality key (Amtlicher Gemeindeschlüssel), eight digits.",
        ),
        Attribute::new(
            "sites",
            Type::list(Type::reference(&["site"])),
            "The sites that it may use. Without it, all of them.",
        ),
        Attribute::new(
            "approvers",
            Type::list(Type::Text),
            "Who may agree, by signature, to what loses data of it or opens it to others: names in \
             the project's file `allowed_signers`. Without it, whoever applies may.",
        ),
        Attribute::new(
            "four_eyes",
            Type::Bool,
            "Whether nobody may agree to a change of which he is an author.",
        ),
        Attribute::new("labels", Type::Map(Box::new(Type::Text)), "Free words about it."),
    ])
    .blocks(vec![Block::single(
        "quota",
        "What it may use in all. What is not named is not limited.",
        vec![
            Attribute::new("vcpus", Type::int(0, 1_000_000), "Virtual CPUs."),
            Attribute::new("memory", Type::Bytes, "Guest memory."),
            Attribute::new("storage", Type::Bytes, "Volumes and disks together."),
            Attribute::new("vms", Type::int(0, 1_000_000), "Virtual machines."),
            Attribute::new("addresses", Type::int(0, 1_000_000), "IP addresses of NICs."),
        ],
    )])
}
