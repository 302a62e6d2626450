//! What one rule opens, and many of them as one value in canonical form: the order of the rules and
//! how they overlap does not show.

use tcloud_model::{Cidr, Fields, Name, Port, Protocol, Value};

/// Ports that a rule names; none for everything, ports or not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ports(Vec<Port>);

/// A piece of what is open, and the rule that opens it.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) space: Cidr,
    pub(super) ports: Ports,
    pub(super) rule: usize,
}

impl Ports {
    pub(super) fn of(rule: &Fields) -> Ports {
        Ports(rule.list("ports").iter().filter_map(as_port).collect())
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
