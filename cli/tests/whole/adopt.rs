//! `tcloud adopt`: what others made is written down, taken over and given back, and is the same
//! afterwards to the last byte but the stamp.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use proptest::strategy::Union;
use proptest::test_runner::{Config, TestRunner};
use serde_json::Value as Json;
use tcloud_model::{Address, Attribute, Block, Catalog, Fields, Name, Port, Protocol, Type, Value};
use tcloud_provider_sim::{Contents, Control};

use crate::project::Project;

const SITE: &str =
    "site home {\n  host kvm1 { provider = \"sim\" }\n  host kvm2 { provider = \"sim\" }\n}\n";

fn host(name: &str) -> Address {
    format!("site.home.host.{name}").parse().expect("an address")
}

fn control(project: &Project, name: &str) -> Control {
    Control::open(&project.path().join(".tcloud"), &host(name)).expect("a host")
}

/// What a host runs, as it can be compared: without whose it is, and with references by name, as
/// they are seen while nobody has a stamp.
fn world(project: &Project, name: &str) -> Json {
    let dump = control(project, name).dump(Contents::Stable).expect("a dump");
    let mut world: Json = serde_json::from_str(&dump).expect("JSON");
    let objects = world["objects"].as_array().expect("objects").iter();
    let names: BTreeMap<String, Json> = objects
        .filter_map(|own| Some((own["stamp"]["address"].as_str()?.to_owned(), own["name"].clone())))
        .collect();
    unstamp(&mut world, &names);
    world
}

fn unstamp(json: &mut Json, names: &BTreeMap<String, Json>) {
    let reference = json.get("$ref").and_then(Json::as_str);
    if let Some(name) = reference.and_then(|address| names.get(address)) {
        *json = name.clone();
        return;
    }
    match json {
        Json::Array(items) => items.iter_mut().for_each(|item| unstamp(item, names)),
        Json::Object(fields) => {
            fields.remove("stamp");
            fields.values_mut().for_each(|value| unstamp(value, names));
        }
        _ => {}
    }
}

fn make(control: &mut Control, kind: &str, name: &str, fields: &[(&str, Value)]) {
    let fields = fields.iter().map(|(name, value)| (Name::new(name), value.clone())).collect();
    control
        .make(kind, name, &fields, None)
        .unwrap_or_else(|error| panic!("{kind} {name}: {error}"));
}

fn map(fields: &[(&str, Value)]) -> Value {
    Value::map(fields.iter().map(|(name, value)| (Name::new(name), value.clone())).collect())
}

/// The plan's changes as `action impact address`.
fn changes(project: &Project) -> Vec<String> {
    let plan = project.ended(&["plan", "--json"]);
    assert_eq!(plan.code, Some(0), "{}", plan.err);
    let plan: Json = serde_json::from_str(&plan.out).expect("JSON");
    let changes = plan["changes"].as_array().expect("changes").iter().map(|change| {
        let text = |name: &str| change[name].as_str().unwrap_or_default().to_owned();
        let address = text("address");
        format!("{} {} {address} {}", text("action"), text("impact"), change["attributes"])
    });
    changes.collect()
}

/// Adopts, applies, looks, gives back.
fn round_trip(project: &Project, objects: usize) -> Result<(), TestCaseError> {
    let before = world(project, "kvm1");
    let adopted = project.ended(&["adopt", "kvm1"]);
    prop_assert_eq!(adopted.code, Some(0), "{}\n{}", adopted.out, adopted.err);
    prop_assert_eq!(&world(project, "kvm1"), &before, "adopt only looks");
    prop_assert_eq!(project.ended(&["fmt", "--check"]).code, Some(0));
    let plan = changes(project);
    prop_assert_eq!(plan.len(), objects, "{:#?}", plan);
    prop_assert!(
        plan.iter().all(|line| line.starts_with("adopt none ") && line.ends_with(" []")),
        "{:#?}",
        plan
    );
    let applied = project.ended(&["apply", "--yes"]);
    prop_assert_eq!(applied.code, Some(0), "{}", applied.err);
    prop_assert_eq!(&world(project, "kvm1"), &before, "only the stamps are new");
    let again = project.ended(&["plan", "--exit-code"]);
    prop_assert_eq!(again.code, Some(0), "{}\n{}", again.out, again.err);

    std::fs::remove_file(project.path().join("adopted-kvm1.tcloud")).expect("removed");
    let pools = std::fs::read_to_string(project.path().join("adopted-kvm1-pools.tcloud"));
    let _ = std::fs::remove_file(project.path().join("adopted-kvm1-pools.tcloud"));
    let mut text = format!("{SITE}\nforget tenant.adopted\n");
    for line in pools.unwrap_or_default().lines().filter(|line| line.starts_with("adopt ")) {
        let address = line.split(' ').nth(1).expect("an address");
        text.push_str(&format!("forget {address}\n"));
    }
    project.write("main.tcloud", text);
    let forgotten = project.ended(&["apply", "--yes"]);
    prop_assert_eq!(forgotten.code, Some(0), "{}", forgotten.err);
    let dump = control(project, "kvm1").dump(Contents::Stable).expect("a dump");
    prop_assert!(!dump.contains("\"deployment\""), "{}", dump);
    prop_assert_eq!(&world(project, "kvm1"), &before, "given back as it was");
    Ok(())
}

/// What a generated world has: how many of each, and what its attributes are.
#[derive(Clone, Debug)]
struct Things {
    pools: Vec<Fields>,
    images: Vec<Fields>,
    networks: Vec<Fields>,
    volumes: Vec<Fields>,
    guests: Vec<Fields>,
    names: Vec<String>,
}

/// Names as people and their tools give them, and some that nobody should.
fn names() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-z]{1,8}[-_. ]?[A-Z0-9]{0,4}",
        // One that begins like an option is refused.
        1 => "[^/\\p{Cc}.-][^/\\p{Cc}]{0,20}",
        1 => Just("\"} forget tenant.adopted ${x} # ".to_owned()),
        1 => Just("\u{202e}evil\u{200b}".to_owned()),
    ]
}

/// Any value of a type, as a hypervisor could report it. References and what needs to fit together
/// are set afterwards.
fn value(ty: &Type) -> Option<BoxedStrategy<Value>> {
    Some(match ty {
        Type::Bool => any::<bool>().prop_map(Value::Bool).boxed(),
        Type::Int { min, max } => {
            let (min, max) = (min.unwrap_or(-1_000_000), max.unwrap_or(1_000_000));
            (min..=max).prop_map(Value::Int).boxed()
        }
        Type::Text => any::<String>().prop_map(|text| Value::text(&text)).boxed(),
        Type::Bytes => (1_u64..1 << 40).prop_map(Value::Bytes).boxed(),
        Type::Rate => (1_u64..1 << 40).prop_map(Value::Rate).boxed(),
        Type::Duration => (1_u64..1 << 32).prop_map(Value::Duration).boxed(),
        Type::Percent => (0_i64..10_000).prop_map(Value::Percent).boxed(),
        Type::Ip => any::<u32>().prop_map(|ip| Value::Ip(std::net::IpAddr::V4(ip.into()))).boxed(),
        Type::Mac => {
            any::<[u8; 3]>().prop_map(|[a, b, c]| Value::Mac([0x52, 0x54, 0, a, b, c])).boxed()
        }
        Type::Port => (1_u16.., any::<bool>())
            .prop_map(|(number, tcp)| {
                let protocol = if tcp { Protocol::Tcp } else { Protocol::Udp };
                Value::Port(Port { number, protocol })
            })
            .boxed(),
        Type::OneOf(texts) => {
            let texts: Vec<Value> = texts.iter().map(|text| Value::text(text)).collect();
            proptest::sample::select(texts).boxed()
        }
        Type::List(of) => prop::collection::vec(value(of)?, 0..3).prop_map(Value::list).boxed(),
        Type::Map(of) => prop::collection::btree_map(any::<String>(), value(of)?, 0..3)
            .prop_map(|all| {
                Value::map(all.into_iter().map(|(key, value)| (Name::from(key), value)).collect())
            })
            .boxed(),
        Type::Object(fields) => {
            let fields: Vec<_> = fields
                .iter()
                .filter_map(|field| Some((field.name.clone(), field.optional, value(&field.ty)?)))
                .map(|(name, optional, value)| given(name, !optional, value))
                .collect();
            fields.prop_map(|all| Value::map(all.into_iter().flatten().collect())).boxed()
        }
        Type::Either(types) => Union::new(types.iter().filter_map(value)).boxed(),
        Type::Optional(of) => value(of)?,
        _ => return None,
    })
}

/// A field that may be missing.
fn given(
    name: Name,
    required: bool,
    value: BoxedStrategy<Value>,
) -> BoxedStrategy<Option<(Name, Value)>> {
    if required {
        return value.prop_map(move |value| Some((name.clone(), value))).boxed();
    }
    prop::option::of(value).prop_map(move |value| value.map(|value| (name.clone(), value))).boxed()
}

fn level(attributes: &[Attribute], blocks: &[Block]) -> BoxedStrategy<Fields> {
    let own: Vec<_> = attributes
        .iter()
        .filter(|attribute| !attribute.steering && !attribute.computed)
        .filter_map(|own| Some(given(own.name.clone(), own.required, value(&own.ty)?)))
        .collect();
    let nested: Vec<_> = blocks
        .iter()
        .filter(|block| !block.steering && !["nic", "disk", "allow"].contains(&block.name.as_str()))
        .map(|block| {
            let name = block.name.clone();
            let one = level(&block.attributes, &block.blocks).prop_map(Value::map).boxed();
            let all = match block.labelled {
                false => one,
                true => prop::collection::btree_map("[a-z]{1,5}", one, 0..3)
                    .prop_map(|all| {
                        let all = all.into_iter().map(|(label, one)| (Name::from(label), one));
                        Value::map(all.collect())
                    })
                    .boxed(),
            };
            given(name, false, all)
        })
        .collect();
    (own, nested)
        .prop_map(|(own, nested)| own.into_iter().chain(nested).flatten().collect())
        .boxed()
}

fn kind(catalog: &Catalog, kind: &str) -> BoxedStrategy<Fields> {
    let schema = catalog.get(kind).expect(kind);
    level(&schema.attributes, &schema.blocks)
}

fn things() -> impl Strategy<Value = Things> {
    let catalog = Catalog::core();
    let some = |name: &str, most| prop::collection::vec(kind(&catalog, name), 0..most);
    (
        prop::collection::vec(kind(&catalog, "pool"), 1..3),
        some("image", 2),
        some("network", 4),
        some("volume", 4),
        some("vm", 4),
        prop::collection::vec(names(), 17),
    )
        .prop_map(|(pools, images, networks, volumes, guests, names)| Things {
            pools,
            images,
            networks,
            volumes,
            guests,
            names,
        })
}

impl Things {
    fn count(&self) -> usize {
        let Things { pools, images, networks, volumes, guests, names: _ } = self;
        pools.len() + images.len() + networks.len() + volumes.len() + guests.len()
    }

    /// Makes everything on a host, with what has to fit together made to fit.
    fn make(&self, control: &mut Control) {
        // Names that are unique for certain, and may be odd.
        let mut names =
            self.names.iter().enumerate().map(|(at, name)| format!("{name}{at}")).cycle();
        let mut next = || names.next().expect("endless");
        let (mut pools, mut in_files) = (Vec::new(), Vec::new());
        for fields in &self.pools {
            let mut fields = fields.clone();
            fields.insert("capacity", Value::Bytes(1 << 50));
            fields.insert("path", Value::text("/srv/images"));
            let source = match fields.text("type") {
                Some("nfs") => Some("nas:/export"),
                Some("lvm") => Some("vg0"),
                Some("rbd") => Some("ceph-1,ceph-2:volumes"),
                _ => None,
            };
            match source {
                Some(source) => fields.insert("source", Value::text(source)),
                None => fields.remove("source"),
            };
            in_files.push(matches!(fields.text("type"), Some("dir" | "nfs")));
            pools.push(next());
            control.make("pool", &pools[pools.len() - 1], &fields, None).expect("a pool");
        }
        let mut images = Vec::new();
        for fields in &self.images {
            let mut fields = fields.clone();
            fields.insert("digest", Value::text(&format!("sha256:{}", "a1".repeat(32))));
            fields.insert("source", Value::text("https://images.example/x.qcow2"));
            fields.remove("min_disk");
            fields.remove("min_memory");
            images.push(next());
            control.make("image", &images[images.len() - 1], &fields, None).expect("an image");
        }
        let mut networks = Vec::new();
        for (at, fields) in self.networks.iter().enumerate() {
            let name = next();
            control.make("network", &name, &network(at, fields), None).expect("a network");
            networks.push(name);
        }
        let mut volumes = Vec::new();
        for (at, fields) in self.volumes.iter().enumerate() {
            let mut fields = fields.clone();
            fields.insert("size", Value::Bytes((at as u64 + 1) << 33));
            fields.insert("pool", Value::text(&pools[at % pools.len()]));
            if !in_files[at % pools.len()] {
                fields.insert("format", Value::text("raw"));
            }
            if let Some(image) = images.get(at) {
                fields.insert("image", Value::text(image));
            }
            volumes.push(next());
            control.make("volume", &volumes[volumes.len() - 1], &fields, None).expect("a volume");
        }
        for (at, fields) in self.guests.iter().enumerate() {
            let fields = guest(at, fields, &networks, &volumes);
            control.make("vm", &next(), &fields, None).unwrap_or_else(|error| panic!("{error}"));
        }
    }
}

fn parse(text: &str) -> Value {
    match text.split_once("..=") {
        Some((first, last)) => {
            let ip = |text: &str| text.parse().expect("an address");
            Value::IpRange(Arc::new((ip(first), ip(last))))
        }
        None if text.contains('/') => Value::Cidr(text.parse().expect("a network")),
        None => Value::Ip(text.parse().expect("an address")),
    }
}

fn network(at: usize, fields: &Fields) -> Fields {
    let mut fields = fields.clone();
    fields.insert("cidr", parse(&format!("10.{at}.0.0/24")));
    let (vlan, bridge) = (fields.remove("vlan"), fields.remove("bridge"));
    if fields.text("mode") == Some("bridge") {
        fields.insert("bridge", bridge.unwrap_or_else(|| Value::text("br0")));
        if vlan.is_some() {
            fields.insert("vlan", Value::Int(at as i64 + 1));
        }
    }
    if fields.get("gateway").is_some() {
        fields.insert("gateway", parse(&format!("10.{at}.0.254")));
    }
    fields.remove("cidr6");
    if let Some(dhcp) = fields.map("dhcp").cloned() {
        let mut dhcp = (*dhcp).clone();
        dhcp.insert("range", parse(&format!("10.{at}.0.100..=10.{at}.0.200")));
        fields.insert("dhcp", Value::map(dhcp));
    }
    let routes = ["a", "b"].iter().enumerate().map(|(n, label)| {
        let to = parse(&format!("172.16.{}.0/24", 4 * at + n));
        (Name::new(label), map(&[("to", to), ("via", parse(&format!("10.{at}.0.9")))]))
    });
    if fields.remove("route").is_some() {
        fields.insert("route", Value::map(routes.collect()));
    }
    fields
}

fn guest(at: usize, fields: &Fields, networks: &[String], volumes: &[String]) -> Fields {
    let mut fields = fields.clone();
    fields.insert("vcpus", Value::Int(1));
    fields.insert("memory", Value::Bytes((at as u64 + 1) << 29));
    for (name, ceiling) in [("max_vcpus", Value::Int(8)), ("max_memory", Value::Bytes(8 << 30))] {
        if fields.get(name).is_some() {
            fields.insert(name, ceiling);
        }
    }
    if let Some(boot) = fields.map("boot").cloned() {
        let mut boot = (*boot).clone();
        for name in ["kernel", "initrd", "cmdline"] {
            boot.remove(name);
        }
        if at.is_multiple_of(2) {
            boot.insert("kernel", Value::text("/boot/vm \"linuz\""));
            boot.insert("cmdline", Value::text("quiet ${x}\n"));
        }
        fields.insert("boot", Value::map(boot));
    }
    let nic = |network: &String, n: usize| {
        let mut nic = vec![("network", Value::text(network))];
        // In the range that DHCP gives away, and below it.
        let host = if n.is_multiple_of(2) { 20 + at } else { 120 + at };
        if at != 1 {
            nic.push(("address", parse(&format!("10.{n}.0.{host}"))));
        }
        nic.push(("mac", Value::Mac([0x52, 0x54, 0, 1, at as u8, n as u8])));
        (Name::from(format!("eth{n}")), map(&nic))
    };
    let nics: Fields = networks.iter().enumerate().map(|(n, own)| nic(own, n)).collect();
    fields.insert("nic", Value::map(nics));
    if let Some(volume) = volumes.get(at) {
        let mut disks =
            vec![("vda", map(&[("volume", Value::text(volume)), ("bus", Value::text("ide"))]))];
        if at == 0 {
            disks.push(("fda", map(&[("bus", Value::text("fdc"))])));
        }
        fields.insert("disk", map(&disks));
        fields.insert(
            "kept",
            Value::list(vec![Value::text("floppy \u{1b}[2K\nforget tenant.adopted")]),
        );
    }
    fields
}

#[test]
fn what_others_made_is_taken_over_and_given_back_untouched() {
    let mut runner =
        TestRunner::new(Config { cases: 12, max_shrink_iters: 40, ..Config::default() });
    let outcome = runner.run(&things(), |things| {
        let project = Project::with(SITE);
        assert_eq!(project.ended(&["plan"]).code, Some(0));
        things.make(&mut control(&project, "kvm1"));
        round_trip(&project, things.count())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
}

/// A guest with a card in a network, and a disk in a pool.
fn small(project: &Project, name: &str) {
    let mut control = control(project, name);
    make(
        &mut control,
        "pool",
        "default",
        &[("type", Value::text("dir")), ("path", Value::text("/v"))],
    );
    make(
        &mut control,
        "network",
        "default",
        &[
            ("cidr", parse("192.168.122.0/24")),
            ("dhcp", map(&[("range", parse("192.168.122.2..=192.168.122.254"))])),
        ],
    );
    let size = Value::Bytes(20 << 30);
    make(&mut control, "volume", "web.qcow2", &[("size", size), ("pool", Value::text("default"))]);
    let disk = map(&[("vda", map(&[("volume", Value::text("web.qcow2"))]))]);
    let nic = map(&[("eth0", map(&[("network", Value::text("default"))]))]);
    let size = [("vcpus", Value::Int(2)), ("memory", Value::Bytes(2 << 30))];
    let own = [("disk", disk), ("nic", nic)];
    make(&mut control, "vm", "web", &[&size[..], &own[..]].concat());
    make(&mut control, "vm", "other", &size);
}

fn begun() -> Project {
    let project = Project::with(SITE);
    assert_eq!(project.ended(&["plan"]).code, Some(0));
    small(&project, "kvm1");
    project
}

#[test]
fn a_named_guest_brings_what_it_uses_and_nothing_else() {
    let project = begun();
    let adopted = project.ended(&["adopt", "kvm1", "web", "--tenant", "town", "--stdout"]);
    assert_eq!(adopted.code, Some(0), "{}", adopted.err);
    let expected = include_str!("adopted.txt");
    assert_eq!(adopted.out, expected, "{}", adopted.out);
    assert!(!project.path().join("adopted-kvm1.tcloud").exists());
}

#[test]
fn what_stays_somebody_elses_is_only_referred_to() {
    let project = begun();
    project.write("main.tcloud", format!("{SITE}\ntenant town {{}}\n"));
    let names = ["adopt", "kvm1", "vm/web", "--tenant", "town", "--existing", "network/default"];
    let adopted =
        project.ended(&[&names[..], &["--existing", "default", "--out", "town/web"]].concat());
    assert_eq!(adopted.code, Some(0), "{}\n{}", adopted.out, adopted.err);
    let text = std::fs::read_to_string(project.path().join("town/web.tcloud")).expect("written");
    assert!(text.starts_with("in tenant town\n"), "{text}");
    assert!(text.contains("existing network default {"), "{text}");
    let pools = std::fs::read_to_string(project.path().join("town/web-pools.tcloud"));
    assert!(pools.expect("written").contains("existing pool default {"));
    let plan = changes(&project);
    assert_eq!(plan, ["adopt none tenant.town.vm.web []", "adopt none tenant.town.volume.web []"]);
    // The same once more is refused: the text has it already.
    let again = project.ended(&["adopt", "kvm1", "vm/web", "--tenant", "town"]);
    assert_eq!(again.code, Some(1));
    assert!(again.err.contains("the text adopts vm \"web\""), "{}", again.err);
}

/// A network on a card of its host has no bridge, and the language no word for it.
#[test]
fn what_cannot_be_declared_is_left_and_the_rest_is_taken() {
    let project = begun();
    let mut control = control(&project, "kvm1");
    make(&mut control, "network", "macvtap", &[("mode", Value::text("bridge"))]);
    make(&mut control, "pool", "odd", &[("type", Value::text("nfs")), ("path", Value::text("/n"))]);
    let adopted = project.ended(&["adopt", "kvm1", "--stdout"]);
    assert_eq!(adopted.code, Some(0), "{}\n{}", adopted.out, adopted.err);
    let said = adopted.out + &adopted.err;
    for (name, missing) in [("macvtap", "bridge"), ("odd", "source")] {
        let line = said.lines().find(|line| line.contains(&format!("\"{name}\"")));
        let line = line.unwrap_or_else(|| panic!("nothing about {name}: {said}"));
        assert!(line.contains(&format!("its `{missing}` is not known")), "{line}");
    }
    assert!(said.contains("vm web {") && said.contains("vm other {"), "{said}");
}

#[test]
fn a_network_of_several_hosts_is_declared_once() {
    let project = begun();
    assert_eq!(project.ended(&["adopt", "kvm1"]).code, Some(0));
    let again = project.ended(&["adopt", "kvm1"]);
    assert!(again.err.contains("the text adopts 5 objects there already"), "{}", again.err);
    assert_eq!(project.ended(&["apply", "--yes"]).code, Some(0));
    small(&project, "kvm2");
    let adopted = project.ended(&["adopt", "kvm2"]);
    assert_eq!(adopted.code, Some(0), "{}\n{}", adopted.out, adopted.err);
    let text =
        std::fs::read_to_string(project.path().join("adopted-kvm2.tcloud")).expect("written");
    assert!(!text.contains("network default {"), "{text}");
    assert!(
        text.contains(
            "adopt tenant.adopted.network.default from \"default\" on site.home.host.kvm2"
        ),
        "{text}"
    );
    assert!(text.contains("vm web-2 {"), "{text}");
    assert_eq!(project.ended(&["apply", "--yes"]).code, Some(0));
    let again = project.ended(&["plan", "--exit-code"]);
    assert_eq!(again.code, Some(0), "{}", again.out);
}

#[test]
fn no_file_is_overwritten_and_none_is_written_in_vain() {
    let project = begun();
    project.write("adopted-kvm1.tcloud", "// mine\n");
    assert_eq!(project.ended(&["adopt", "kvm1", "other"]).code, Some(0));
    assert!(project.path().join("adopted-kvm1-2.tcloud").exists());
    let taken = project.ended(&["adopt", "kvm1", "web", "--out", "adopted-kvm1.tcloud"]);
    assert_eq!(taken.code, Some(1));
    assert!(taken.err.contains("is there already"), "{}", taken.err);
    let outside = project.ended(&["adopt", "kvm1", "web", "--out", "../x.tcloud"]);
    assert!(outside.err.contains("is not a file of the project"), "{}", outside.err);
    // Two networks with the same addresses cannot be declared in one tenant.
    let mut control = control(&project, "kvm1");
    make(&mut control, "network", "twin", &[("cidr", parse("192.168.122.0/24"))]);
    let refused = project.ended(&["adopt", "kvm1", "default", "twin", "--out", "twins"]);
    assert_eq!(refused.code, Some(1));
    assert!(refused.err.contains("E0312"), "{}", refused.err);
    assert!(!project.path().join("twins.tcloud").exists());
    let unknown = project.ended(&["adopt", "kvm1", "wob"]);
    assert!(unknown.err.contains("did you mean \"web\"?"), "{}", unknown.err);
}
