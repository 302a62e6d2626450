//! A configuration in a few lines: each line is an address and its attributes, or a statement.
//!
//! ```text
//! tenant.t.network.a cidr=10.0.0.0/24 mtu=1500
//! tenant.t.vm.web vcpus=1 memory=1GiB nic.x.network=@tenant.t.network.a create_first=true
//! moved tenant.t.vm.old -> tenant.t.vm.web
//! ```

use std::sync::Arc;

use tcloud_model::value::{SIZES, parse_mac};
use tcloud_model::{
    Address, Adoption, Assigned, AttrPath, ByAddress, Catalog, Check, DesiredGraph,
    DesiredResource, Diagnostic, Digest, Evaluator, Fields, FileId, Forgotten, Lifecycle, Moved,
    Output, Sources, Span, Value,
};

/// A configuration with its text.
pub(crate) struct Text {
    graph: DesiredGraph,
    pub(crate) sources: Sources,
}

pub(crate) fn address(text: &str) -> Address {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

impl Text {
    pub(crate) fn new(text: &str) -> Text {
        let mut sources = Sources::new();
        let file = sources.add("main.tcloud", text);
        let mut graph = DesiredGraph {
            digest: Some(Digest::of_bytes(text.as_bytes())),
            ..DesiredGraph::default()
        };
        let mut resources = ByAddress::default();
        let mut start = 0;
        for line in text.lines() {
            let end = start + line.len() as u32;
            let span = Span::new(file, start, end);
            start = end + 1;
            let words: Vec<&str> = line.split_whitespace().collect();
            match words.as_slice() {
                [] => {}
                ["moved", from, "->", to] => {
                    graph.moved.push(Moved { from: address(from), to: address(to), span });
                }
                ["forget", what] => {
                    graph.forgotten.push(Forgotten { address: address(what), span });
                }
                ["adopt", what, "from", name, "on", host] => graph.adopted.push(Adoption {
                    address: address(what),
                    from: (*name).to_owned(),
                    host: address(host),
                    span,
                }),
                [what, attributes @ ..] => {
                    let resource = resource(address(what), attributes, span);
                    resources.insert(resource.address.clone(), resource);
                }
            }
        }
        resources.sort_unstable_keys();
        graph.resources = resources;
        Text { graph, sources }
    }
}

fn resource(address: Address, words: &[&str], span: Span) -> DesiredResource {
    let mut fields = Fields::new();
    let mut lifecycle = Lifecycle::default();
    let mut after = Vec::new();
    for word in words {
        let (path, text) = word.split_once('=').unwrap_or((word, "true"));
        match (path, value(text)) {
            ("existing", _) => lifecycle.existing = true,
            ("protect", Value::Bool(flag)) => lifecycle.protect = Some(flag),
            ("create_first", Value::Bool(flag)) => lifecycle.create_first = flag,
            ("ignore", _) => lifecycle.ignore.push(AttrPath::parse(text)),
            ("replace_when", value) => lifecycle.replace_when.push(value),
            ("after", value) => value.each_reference(&mut |to| after.push(to.clone())),
            (_, value) => set(&mut fields, path, value),
        }
    }
    defaults(address.kind(), &mut fields);
    for (_, value) in fields.iter() {
        value.each_reference(&mut |to| after.push(to.clone()));
    }
    DesiredResource {
        address,
        attributes: Arc::new(fields),
        dependencies: after,
        lifecycle,
        deferred: false,
        span,
    }
}

/// As the compiler does: the defaults of the schema, except those of lifecycle attributes.
fn defaults(kind: &str, fields: &mut Fields) {
    let lifecycle = ["after", "protect", "create_first", "ignore", "replace_when"];
    let Some(schema) = Catalog::core().get(kind).cloned() else { return };
    for attribute in schema.attributes.iter().filter(|a| !lifecycle.contains(&a.name.as_str())) {
        if let (Some(default), None) = (&attribute.default, fields.get(&attribute.name)) {
            fields.insert(attribute.name.clone(), default.clone());
        }
    }
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

pub(crate) fn value(text: &str) -> Value {
    if let Some(items) = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
        return Value::list(items.split(',').filter(|item| !item.is_empty()).map(value).collect());
    }
    if let Some(reference) = text.strip_prefix('@') {
        return Value::Ref(address(reference));
    }
    for (unit, factor) in SIZES {
        if let Some(Ok(amount)) = text.strip_suffix(unit).map(str::parse::<u64>) {
            return Value::Bytes(amount * factor);
        }
    }
    let other = [
        text.parse().ok().map(Value::Bool),
        text.parse().ok().map(Value::Int),
        text.parse().ok().map(Value::Ip),
        text.parse().ok().map(Value::Cidr),
        text.parse().ok().map(Value::Port),
        parse_mac(text).map(Value::Mac),
    ];
    // Words stand between blanks, so that those of a text are written as `~`.
    other.into_iter().flatten().next().unwrap_or_else(|| Value::text(&text.replace('~', " ")))
}

impl Evaluator for Text {
    fn desired(&self) -> &DesiredGraph {
        &self.graph
    }
    fn configure(
        &self,
        address: &Address,
        _: &dyn Assigned,
    ) -> Result<Arc<Fields>, Vec<Diagnostic>> {
        Ok(Arc::clone(&self.graph.resources[address].attributes))
    }
    fn causes(&self, address: &Address, _: Option<&AttrPath>) -> Vec<Span> {
        let none = Span::new(FileId(0), 0, 0);
        vec![self.graph.resources.get(address).map_or(none, |resource| resource.span)]
    }
    fn outputs(&self, _: &dyn Assigned) -> Result<Vec<Output>, Vec<Diagnostic>> {
        Ok(Vec::new())
    }
    fn checks(&self, _: &dyn Assigned) -> Vec<Check> {
        Vec::new()
    }
}
