//! Networks: who may reach whom.

use super::{schema, stopped};
use crate::schema::{Attribute, Block, Role, Schema};
use crate::{Field, Impact, Name, Type, Value};

pub(super) fn network() -> Schema {
    schema(
        "network",
        Role::PerHost,
        "A network that guests have NICs in.\n\n\
         Its guests reach each other and the outside; from elsewhere nothing comes in until an \
         `allow` says so, and from another tenant only if the network is exposed to it besides. \
         It exists on every host where one of its guests runs.",
        "tenant rhoenblick {\n  network office {\n    cidr = 10.20.0.0/24\n    mode = \"routed\"\n    \
         dhcp { range = 10.20.0.100..=10.20.0.199 }\n    \
         allow ssh { from = 10.16.0.0/24, ports = [22/tcp] }\n  }\n}\n",
    )
    .inside(&["tenant", "site"])
    .attributes(attributes())
    .blocks(blocks())
    .with_lifecycle(false)
    .removal(Impact::RecreateKeep)
}

fn attributes() -> Vec<Attribute> {
    vec![
        Attribute::new(
            "cidr",
            Type::Cidr,
            "Its addresses.\n\nNeeded in the modes `nat` and `routed`. Without it tcloud gives no \
             addresses in this network, and knows none: its guests are held to their MAC, and to \
             no rule.",
        )
        .cost(Impact::RecreateKeep),
        Attribute::new("cidr6", Type::Cidr, "Its IPv6 addresses.").cost(Impact::RecreateKeep),
        Attribute::new(
            "mode",
            Type::one_of(&["isolated", "nat", "routed", "bridge"]),
            "How it is joined to the outside.\n\n`nat` and `isolated` hide their guests: nobody \
             outside can open a connection to them, whatever `allow` says. `routed` gives them to \
             the host to route, and the network around it needs a route back; `bridge` puts them \
             on a bridge that the host has, as if they were plugged in there. In a `routed` \
             network, a single datagram from a machine that tcloud does not run can arrive where \
             no `allow` admits it; it is never answered.",
        )
        .default(Value::text("nat"))
        .cost(Impact::RecreateKeep),
        Attribute::new(
            "gateway",
            Type::Ip,
            "The host's own address in it. Without it, the first address of `cidr`.",
        )
        .cost(Impact::RecreateKeep),
        Attribute::new("vlan", Type::int(1, 4094), "VLAN tag, for mode `bridge`.")
            .cost(Impact::RecreateKeep),
        Attribute::new("bridge", Type::Text, "The host's bridge, for mode `bridge`.")
            .cost(Impact::RecreateKeep),
        Attribute::new("mtu", Type::int(576, 65_535), "Largest packet in bytes.")
            .cost(Impact::RecreateKeep),
        Attribute::new(
            "expose_to",
            Type::list(Type::reference(&["tenant"])),
            "The tenants that may refer to it, and that its `allow` rules may let in.",
        )
        .steering(),
        Attribute::new(
            "zone",
            Type::reference(&["zone"]),
            "Keeps the guests of this network in one zone.",
        )
        .steering(),
        Attribute::new("max_rate", Type::Rate, "The most that all its guests may use together.")
            .at_least(Value::Rate(8_000))
            .cost(Impact::RecreateKeep),
        admits("Who outside may open connections to its guests, from `allow`."),
        reaches("Where in `guarded` its guests may send what needs no answer."),
        Attribute::new(
            "guarded",
            Type::list(Type::Cidr),
            "Where its guests may send only what is answered, and what `reaches` opens: the space \
             of all guests, as soon as one network is `routed` or a `bridge`.",
        )
        .computed()
        .cost(Impact::Live),
        stopped(),
    ]
}

/// Who may come in.
pub(super) fn admits(doc: &str) -> Attribute {
    Attribute::new("admits", openings("from"), doc).computed().cost(Impact::Live)
}

/// Where to go out.
pub(super) fn reaches(doc: &str) -> Attribute {
    Attribute::new("reaches", openings("to"), doc).computed().cost(Impact::Live)
}

/// Spaces with ports; without them, everything.
fn openings(end: &str) -> Type {
    Type::list(Type::Object(vec![
        Field { name: Name::new(end), ty: Type::Cidr, optional: false },
        Field { name: Name::new("ports"), ty: Type::list(Type::Port), optional: true },
    ]))
}

fn blocks() -> Vec<Block> {
    vec![
        Block::single(
            "dhcp",
            "Gives addresses to guests that have none in the text.",
            vec![
                Attribute::new("range", Type::IpRange, "The addresses to give.")
                    .required()
                    .cost(Impact::Live),
                Attribute::new("lease", Type::Duration, "How long one is given for.")
                    .at_least(Value::Duration(120_000))
                    .default(Value::Duration(3_600_000))
                    .cost(Impact::RecreateKeep),
            ],
        )
        .cost(Impact::Live, Impact::Live),
        Block::single(
            "dns",
            "Names for the guests.",
            vec![
                Attribute::new("domain", Type::Text, "The domain of the guests' names.")
                    .cost(Impact::RecreateKeep),
                Attribute::new("forward", Type::list(Type::Ip), "Where other names are asked for.")
                    .cost(Impact::RecreateKeep),
            ],
        )
        .cost(Impact::RecreateKeep, Impact::RecreateKeep),
        Block::labelled(
            "route",
            "A way to another network.",
            vec![
                Attribute::new("to", Type::Cidr, "The other network.")
                    .required()
                    .cost(Impact::RecreateKeep),
                Attribute::new("via", Type::Ip, "The router, inside this network.")
                    .required()
                    .cost(Impact::RecreateKeep),
            ],
        )
        .cost(Impact::RecreateKeep, Impact::RecreateKeep),
        allow("for all guests of the network"),
    ]
}

/// The rule that lets packets in, in networks and in VMs.
pub(super) fn allow(whom: &str) -> Block {
    Block::labelled(
        "allow",
        &format!(
            "Lets packets in, {whom}.\n\nThe order of rules means nothing: each one opens, none \
             closes. A network has to be `routed` or a `bridge` to let anything in from elsewhere."
        ),
        vec![
            Attribute::new(
                "from",
                Type::Either(vec![
                    Type::reference(&["network", "vm"]),
                    Type::Cidr,
                    Type::one_of(&["any"]),
                ]),
                "Where they come from: a network, a VM, a CIDR, or `\"any\"`.",
            )
            .required()
            .steering(),
            Attribute::new("to", Type::reference(&["vm"]), "Which guest; without it, every guest.")
                .steering(),
            Attribute::new(
                "ports",
                Type::list(Type::Port),
                "The ports; without it, everything, ports or not.",
            )
            .steering(),
        ],
    )
    .steering()
}
