//! What one rule opens, and many of them as one value in canonical form: the order of the rules and
//! how they overlap does not show.

use tcloud_model::{Cidr, Fields, Name, Port, Protocol, Value};

/// Ports that a rule names, sorted; none for everything, ports or not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Ports(Vec<Port>);

/// A piece of what is open, and the rule that opens it.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) space: Cidr,
    pub(super) ports: Ports,
    pub(super) rule: usize,
}

impl Ports {
    pub(crate) fn of(rule: &Fields) -> Ports {
        let mut ports: Vec<Port> = rule.list("ports").iter().filter_map(as_port).collect();
        ports.sort_unstable();
        ports.dedup();
        Ports(ports)
    }

    /// Whether this port is among them; `None` for everything.
    pub(crate) fn admit(&self, port: Option<Port>) -> bool {
        self.0.is_empty() || port.is_some_and(|port| self.0.contains(&port))
    }

    /// Those of them that are to be kept; asked for `None` when they are everything.
    pub(crate) fn kept(self, mut keep: impl FnMut(Option<Port>) -> bool) -> Option<Ports> {
        if self.0.is_empty() {
            return keep(None).then_some(self);
        }
        let ports: Vec<Port> = self.0.into_iter().filter(|port| keep(Some(*port))).collect();
        (!ports.is_empty()).then_some(Ports(ports))
    }

    /// Those of them that are not among others; `None` when there are none.
    pub(crate) fn without(self, other: &Ports) -> Option<Ports> {
        self.kept(|port| !other.admit(port))
    }

    /// Both.
    pub(crate) fn with(&self, other: &Ports) -> Ports {
        if self.0.is_empty() || other.0.is_empty() {
            return Ports::default();
        }
        let mut ports: Vec<Port> = self.0.iter().chain(&other.0).copied().collect();
        ports.sort_unstable();
        ports.dedup();
        Ports(ports)
    }

    /// As the language writes them.
    pub(crate) fn texts(&self) -> Vec<String> {
        self.0.iter().map(Port::to_string).collect()
    }

    /// What of it can arrive without being answered; `None` if nothing.
    pub(super) fn datagrams(&self) -> Option<Ports> {
        if self.0.is_empty() {
            return Some(Ports::default());
        }
        let udp = |port: &&Port| port.protocol == Protocol::Udp;
        let ports: Vec<Port> = self.0.iter().filter(udp).copied().collect();
        (!ports.is_empty()).then_some(Ports(ports))
    }
}

/// All parts as a sorted list of `{ KEY, ports }`, one for each space; `None` when there are none.
pub(super) fn list<'p>(key: &str, parts: impl IntoIterator<Item = &'p Part>) -> Option<Value> {
    let mut parts: Vec<&Part> = parts.into_iter().collect();
    parts.sort_by_key(|part| part.space);
    let (key, ports_key) = (Name::new(key), Name::new("ports"));
    let items = parts.chunk_by(|a, b| a.space == b.space).map(|same| {
        let space = same.first().map(|part| (key.clone(), Value::Cidr(part.space)));
        let mut fields: Fields = space.into_iter().collect();
        if same.iter().all(|part| !part.ports.0.is_empty()) {
            let mut ports: Vec<Port> =
                same.iter().flat_map(|part| &part.ports.0).copied().collect();
            ports.sort_unstable();
            ports.dedup();
            let ports = Value::list(ports.into_iter().map(Value::Port).collect());
            fields.insert(ports_key.clone(), ports);
        }
        Value::map(fields)
    });
    let items: Vec<Value> = items.collect();
    (!items.is_empty()).then(|| Value::list(items))
}

/// Spaces, sorted and apart, by at most so many: those that are nearest to each other become one.
pub(super) fn cover(spaces: &[Cidr], most: usize) -> Vec<Cidr> {
    let joined: Vec<Option<Cidr>> =
        spaces.windows(2).map(|pair| around(*pair.first()?, *pair.last()?)).collect();
    let mut lengths: Vec<u8> = joined.iter().flatten().map(Cidr::prefix_len).collect();
    let Some(surplus) = spaces.len().checked_sub(most).filter(|surplus| *surplus > 0) else {
        return spaces.to_vec();
    };
    lengths.sort_unstable_by(|a, b| b.cmp(a));
    let shortest = lengths.get(surplus - 1).or(lengths.last()).copied().unwrap_or(0);
    let mut all: Vec<Cidr> = Vec::new();
    for (index, space) in spaces.iter().enumerate() {
        let near = index.checked_sub(1).and_then(|before| joined.get(before).copied().flatten());
        let is_near = near.is_some_and(|near| near.prefix_len() >= shortest);
        match all
            .last_mut()
            .filter(|_| is_near)
            .and_then(|last| around(*last, *space).map(|to| (last, to)))
        {
            Some((last, to)) => *last = to,
            None => all.push(*space),
        }
    }
    all
}

/// The smallest space around two; `None` when they are of different families.
fn around(first: Cidr, second: Cidr) -> Option<Cidr> {
    let mut around = Some(first);
    while let Some(own) = around.filter(|own| !own.contains(&second)) {
        around = own.supernet();
    }
    around
}

/// Whether a list holds a part already.
pub(super) fn covers(key: &str, list: Option<&Value>, part: &Part) -> bool {
    let Some(Value::List(items)) = list else { return false };
    items.iter().any(|item| {
        let Value::Map(item) = item else { return false };
        if item.get(key) != Some(&Value::Cidr(part.space)) {
            return false;
        }
        let ports = Ports::of(item).0;
        ports.is_empty()
            || !part.ports.0.is_empty() && part.ports.0.iter().all(|port| ports.contains(port))
    })
}

pub(super) fn as_cidr(value: &Value) -> Option<Cidr> {
    match value {
        Value::Cidr(cidr) => Some(*cidr),
        _ => None,
    }
}

fn as_port(value: &Value) -> Option<Port> {
    match value {
        Value::Port(port) => Some(*port),
        _ => None,
    }
}
