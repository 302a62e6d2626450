//! Who may send what to whom: the `allow` rules, resolved to addresses.
//!
//! A rule stands where packets arrive, and is enforced there: `admits` says who may open a
//! connection to a guest, and what the guest answers to anybody else is dropped. One thing cannot be
//! seen there, a datagram that asks for no answer, when the host routes it. It is stopped where it
//! leaves: `guarded` is the space that guests may not send to at will, and `reaches` what is open to
//! them in it. TCP needs an answer, so that rules for TCP are only ever told to the receiver.
//!
//! What holds for all guests of a network is told to the network, once; a NIC is told what holds for
//! it alone. Time and memory grow with the rules and not with the guests.

mod gather;
mod opening;
mod senders;
#[cfg(test)]
mod tests;

use indexmap::IndexMap;
use tcloud_model::{Address, AttrPath, Cidr, DesiredGraph, Fields, Name, PathStep, Value};

use crate::allocate::Allocation;
use gather::{Cards, Net, Rule, Source, Target};
pub(crate) use opening::Ports;
use opening::{Part, as_cidr, covers, list};
use senders::Senders;

/// The most spaces that a network is told to keep out of, so that a thousand scattered networks are
/// not a million rules; beyond it, neighbours are taken together.
const MOST_SPACES: usize = 32;

/// What the rules open.
#[derive(Debug, Default)]
pub(crate) struct Firewall {
    /// By the address of a network or NIC; only those that a rule concerns.
    held: IndexMap<Address, Held>,
    /// What is open to everybody.
    public: Vec<Part>,
    /// The same as a value, shared by all networks for which nothing else is open.
    public_value: Option<Value>,
    /// Space that is kept, with what makes it so.
    space: Vec<(Cidr, Address, AttrPath)>,
    guarded: Option<Value>,
    /// Networks that are adopted: only a rule of their own tells them something.
    adopted: Vec<Address>,
    /// Where the rules stand.
    rules: Vec<(Address, AttrPath)>,
}

/// What is open to, or from, one network or NIC.
#[derive(Debug, Default)]
struct Held {
    admits: Vec<Part>,
    reaches: Vec<Part>,
    values: Values,
}

/// Attributes that the text cannot set.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Values {
    /// Who may open connections.
    pub admits: Option<Value>,
    /// Where datagrams may go.
    pub reaches: Option<Value>,
    /// Where else none may go.
    pub guarded: Option<Value>,
}

/// What resolving is a function of.
pub(crate) struct FirewallInput<'a> {
    /// What the text asks for.
    pub desired: &'a DesiredGraph,
    /// The attributes of a resource, after everything was assigned that it waits for.
    pub attributes: &'a dyn Fn(&Address) -> Option<&'a Fields>,
    /// The addresses of the NICs.
    pub allocation: &'a Allocation,
}

/// Resolves all rules.
pub(crate) fn firewall(input: &FirewallInput<'_>) -> Firewall {
    let nets = gather::networks(input);
    let adopted = nets.keys().filter(|own| gather::is_adopted(input.desired, own));
    let mut firewall =
        Firewall { adopted: adopted.map(|own| (*own).clone()).collect(), ..Firewall::default() };
    firewall.guard(input, &nets);
    let rules = gather::rules(input);
    if rules.is_empty() {
        return firewall;
    }
    let cards = Cards::new(input, &nets);
    let senders = Senders::new(&nets, &cards);
    for rule in &rules {
        let number = firewall.rules.len();
        let path = AttrPath::attribute("allow").field(rule.label.clone());
        firewall.rules.push((rule.owner.clone(), path));
        for target in gather::targets(rule, &nets, &cards) {
            firewall.open(number, rule, &target, &senders);
        }
    }
    firewall.finish(&nets);
    firewall
}

impl Firewall {
    /// Space of guests. Where all networks hide theirs, libvirt itself keeps them apart; one that
    /// others can reach makes hosts pass on what guests send. The space of a site belongs to it as
    /// a whole, so that one more network in it changes nothing for the others.
    fn guard(&mut self, input: &FirewallInput<'_>, nets: &IndexMap<&Address, Net<'_>>) {
        if !nets.values().any(|net| net.managed && net.open) {
            return;
        }
        for net in nets.values().filter(|net| net.managed) {
            for (cidr, attribute) in net.cidrs.iter().zip(["cidr", "cidr6"]) {
                let path = AttrPath::attribute(attribute);
                self.space.extend(cidr.map(|cidr| (cidr, net.address.clone(), path)));
            }
        }
        for site in input.desired.resources.values().filter(|own| own.address.kind() == "site") {
            for (index, value) in site.attributes.list("address_space").iter().enumerate() {
                let mut path = AttrPath::attribute("address_space");
                path.0.push(PathStep::Index(index));
                if let Value::Cidr(cidr) = value {
                    self.space.push((*cidr, site.address.clone(), path));
                }
            }
        }
        let mut space: Vec<Cidr> = self.space.iter().map(|(cidr, _, _)| *cidr).collect();
        space.sort();
        let space = Cidr::aggregate(&opening::cover(&Cidr::aggregate(&space), MOST_SPACES));
        self.guarded = Some(Value::list(space.into_iter().map(Value::Cidr).collect()));
    }

    fn open(&mut self, number: usize, rule: &Rule<'_>, target: &Target<'_>, from: &Senders<'_>) {
        let net = target.net;
        let spaces = from.spaces(&rule.source, net);
        let spaces = spaces.into_iter().filter(|space| !net.holds(*space));
        let parts = spaces.map(|space| Part { space, ports: rule.ports.clone(), rule: number });
        self.held.entry(target.address()).or_default().admits.extend(parts);
        let Some(ports) = rule.ports.datagrams() else { return };
        let parts: Vec<Part> = target
            .spaces()
            .map(|space| Part { space, ports: ports.clone(), rule: number })
            .collect();
        match &rule.source {
            Source::Any => self.public.extend(parts),
            source => {
                for sender in from.of(source, net) {
                    self.held.entry(sender).or_default().reaches.extend(parts.iter().cloned());
                }
            }
        }
    }

    fn finish(&mut self, nets: &IndexMap<&Address, Net<'_>>) {
        self.public_value = list("to", &self.public);
        for (address, held) in &mut self.held {
            held.values.admits = list("from", &held.admits);
            held.values.reaches = match nets.contains_key(address) {
                true if held.reaches.is_empty() => self.public_value.clone(),
                true => list("to", held.reaches.iter().chain(&self.public)),
                false => list("to", &held.reaches),
            };
        }
    }

    /// What a network is told. Who cannot leave an isolated one needs no word about where to; and
    /// who belongs to one without addresses nobody knows, so that no rule can hold anybody.
    pub(crate) fn of_network(&self, address: &Address, fields: &Fields) -> Values {
        let held = self.held.get(address).map(|held| held.values.clone());
        let has_addresses =
            ["cidr", "cidr6"].iter().any(|name| fields.get(name).and_then(as_cidr).is_some());
        if fields.text("mode") == Some("isolated") || !has_addresses {
            return Values::default();
        }
        let guarded = self.guarded.clone();
        if held.is_none() && self.adopted.contains(address) {
            return Values::default();
        }
        match held {
            Some(values) => Values { guarded, ..values },
            None => Values { admits: None, reaches: self.public_value.clone(), guarded },
        }
    }

    /// What a NIC is told.
    pub(crate) fn of_nic(&self, nic: &Address) -> Option<&Values> {
        self.held.get(nic).map(|held| &held.values)
    }

    /// The rules that let a space come in to a network or NIC: the resource, and the path in it.
    pub(crate) fn rules(
        &self,
        target: &Address,
        space: Cidr,
    ) -> impl Iterator<Item = (&Address, &AttrPath)> {
        let parts = self.held.get(target).into_iter().flat_map(|held| &held.admits);
        let rules = parts.filter(move |part| part.space == space).map(|part| part.rule);
        rules.filter_map(|rule| self.rules.get(rule)).map(|(address, path)| (address, path))
    }

    /// Where in the text it stands that more is open than before: the resource, and the path in it.
    pub(crate) fn causes(
        &self,
        address: &Address,
        path: &AttrPath,
        before: Option<&Value>,
    ) -> Vec<(&Address, &AttrPath)> {
        let names: Vec<&Name> = path.0.iter().map_while(as_field).collect();
        let (held, attribute) = match names.as_slice() {
            [attribute] => (self.held.get(address), attribute.as_str()),
            [nic, label, attribute] if **nic == "nic" => {
                (self.held.get(&address.labelled((*nic).clone(), label)), attribute.as_str())
            }
            _ => return Vec::new(),
        };
        let is_network = names.len() == 1;
        let public = self.public.iter().filter(|_| is_network);
        match attribute {
            "guarded" if is_network => self.new_space(before),
            "admits" => self.new_parts("from", held.into_iter().flat_map(|h| &h.admits), before),
            "reaches" => {
                let own = held.into_iter().flat_map(|held| &held.reaches);
                self.new_parts("to", own.chain(public), before)
            }
            _ => Vec::new(),
        }
    }

    fn new_space(&self, before: Option<&Value>) -> Vec<(&Address, &AttrPath)> {
        let old: Vec<Cidr> = match before {
            Some(Value::List(items)) => items.iter().filter_map(opening::as_cidr).collect(),
            _ => Vec::new(),
        };
        let is_new = |cidr: &Cidr| !old.iter().any(|own| own.contains(cidr));
        let new = self.space.iter().filter(|(cidr, _, _)| is_new(cidr));
        new.map(|(_, address, path)| (address, path)).collect()
    }

    fn new_parts<'p>(
        &self,
        key: &str,
        parts: impl Iterator<Item = &'p Part>,
        before: Option<&Value>,
    ) -> Vec<(&Address, &AttrPath)> {
        let mut rules: Vec<usize> =
            parts.filter(|part| !covers(key, before, part)).map(|part| part.rule).collect();
        rules.sort_unstable();
        rules.dedup();
        let places = rules.into_iter().filter_map(|rule| self.rules.get(rule));
        places.map(|(address, path)| (address, path)).collect()
    }
}

fn as_field(step: &PathStep) -> Option<&Name> {
    match step {
        PathStep::Field(name) => Some(name),
        PathStep::Index(_) => None,
    }
}

impl Values {
    /// Adds them to the fields of a network or NIC.
    pub(crate) fn add_to(&self, fields: &mut Fields) {
        let Values { admits, reaches, guarded } = self;
        for (name, value) in [("admits", admits), ("reaches", reaches), ("guarded", guarded)] {
            if let Some(value) = value {
                fields.insert(name, value.clone());
            }
        }
    }

    /// Whether there is nothing to say.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Values::default()
    }
}
