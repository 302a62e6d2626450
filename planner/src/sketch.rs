//! A configuration in a few lines, for tests of what works on desired graphs: each line is an
//! address and its attributes, `tenant.a.vm.web vcpus=2 memory=4GiB nic.office.network=@tenant.a.network.office`.

use std::sync::Arc;

use tcloud_model::value::{SIZES, parse_mac};
use tcloud_model::{
    Address, Assigned, AttrPath, ByAddress, Check, DesiredGraph, DesiredResource, Diagnostic,
    Evaluator, Fields, FileId, HostFacts, HostObservation, Lifecycle, Name, ObservedState, Output,
    Span, Value,
};

/// Reads a sketch. `existing` as an attribute marks somebody else's resource.
pub(crate) fn desired(text: &str) -> DesiredGraph {
    let mut resources = ByAddress::default();
    for (number, line) in text.lines().enumerate() {
        let mut words = line.split_whitespace();
        let Some(address) = words.next().map(address) else { continue };
        let line = u32::try_from(number).expect("few lines");
        let mut fields = Fields::new();
        let mut lifecycle = Lifecycle::default();
        for word in words {
            match word.split_once('=') {
                Some((path, text)) => set(&mut fields, path, value(text)),
                None => lifecycle.existing = word == "existing",
            }
        }
        let resource = DesiredResource {
            address: address.clone(),
            attributes: Arc::new(fields),
            dependencies: Vec::new(),
            lifecycle,
            deferred: false,
            span: Span::new(FileId(0), line, line + 1),
        };
        resources.insert(address, resource);
    }
    resources.sort_unstable_keys();
    DesiredGraph { resources, ..DesiredGraph::default() }
}

/// An address.
pub(crate) fn address(text: &str) -> Address {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// All hosts of a graph answer, except those named; they have 1000 vCPUs and no memory of their
/// own, so that sketches say what they have.
pub(crate) fn observed(desired: &DesiredGraph, silent: &[&str]) -> ObservedState {
    let hosts = desired.resources.keys().filter(|address| address.kind() == "host");
    let answer = |host: &Address| {
        let facts = HostFacts {
            vcpus: 1000,
            memory: 0,
            version: String::new(),
            pools: Vec::new(),
            migrates: true,
            lacks: Vec::new(),
        };
        let silent = silent.contains(&host.name().as_str());
        HostObservation {
            host: host.clone(),
            facts: (!silent).then_some(facts),
            objects: Vec::new(),
            problems: Vec::new(),
        }
    };
    ObservedState { hosts: hosts.map(answer).collect() }
}

fn set(fields: &mut Fields, path: &str, value: Value) {
    match path.split_once('.') {
        None => {
            fields.insert(path, value);
        }
        Some((first, rest)) => {
            let mut inner = match fields.remove(first) {
                Some(Value::Map(inner)) => Arc::unwrap_or_clone(inner),
                _ => Fields::new(),
            };
            set(&mut inner, rest, value);
            fields.insert(first, Value::map(inner));
        }
    }
}

fn value(text: &str) -> Value {
    if let Some(items) = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
        return Value::list(items.split(',').filter(|item| !item.is_empty()).map(value).collect());
    }
    if let Some(reference) = text.strip_prefix('@') {
        return Value::Ref(address(reference));
    }
    if let Some((first, last)) = text.split_once("..=") {
        let ip = |text: &str| text.parse().expect("a range of addresses");
        return Value::IpRange(Arc::new((ip(first), ip(last))));
    }
    for (unit, factor) in SIZES {
        if let Some(Ok(amount)) = text.strip_suffix(unit).map(str::parse::<u64>) {
            return Value::Bytes(amount * factor);
        }
    }
    let other = [
        text.parse().ok().map(Value::Bool),
        text.parse().ok().map(Value::Int),
        text.parse().ok().map(Value::Float),
        text.parse().ok().map(Value::Ip),
        text.parse().ok().map(Value::Cidr),
        text.parse().ok().map(Value::Port),
        parse_mac(text).map(Value::Mac),
    ];
    other.into_iter().flatten().next().unwrap_or_else(|| Value::text(text))
}

/// A configuration that is only its graph.
pub(crate) struct Sketch(pub DesiredGraph);

impl Evaluator for Sketch {
    fn desired(&self) -> &DesiredGraph {
        &self.0
    }
    fn configure(
        &self,
        address: &Address,
        _: &dyn Assigned,
    ) -> Result<Arc<Fields>, Vec<Diagnostic>> {
        Ok(self.0.resources[address].attributes.clone())
    }
    fn causes(&self, address: &Address, _: Option<&AttrPath>) -> Vec<Span> {
        self.0.resources.get(address).map(|resource| resource.span).into_iter().collect()
    }
    fn outputs(&self, _: &dyn Assigned) -> Result<Vec<Output>, Vec<Diagnostic>> {
        Ok(Vec::new())
    }
    fn checks(&self, _: &dyn Assigned) -> Vec<Check> {
        vec![Check { name: Name::new("none"), failures: Vec::new() }]
    }
}
