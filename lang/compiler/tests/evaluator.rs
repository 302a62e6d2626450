//! What the planner asks of a program: late values, causes, outputs, checks.

use std::collections::BTreeMap;

use tcloud_compiler::{MemoryWorld, Program, Settings, Variable, compile};
use tcloud_model::{Address, Assigned, AttrPath, Deployment, Evaluator, Name, Value};

const TEXT: &str = "\
param env: \"prod\" | \"test\" = \"prod\"
let domain = \"${env}.example\"

tenant a {
  defaults vm { memory = 2GiB }
  network n { cidr = 10.0.0.0/24 }
  vm db {
    vcpus = 1
    nic n { network = network.n }
  }
  vm web {
    vcpus = 1
    nic n { network = network.n }
    cloud_init = { fqdn = \"web.${domain}\", runcmd = [\"ping ${vm.db.nic.n.address}\"] }
  }
  output db: Ip = vm.db.nic.n.address
}

check apart {
  assert tenant.a.vm.db.host != tenant.a.vm.web.host, \"both on one host\"
}
";

fn settings() -> Settings {
    Settings::new(Deployment::new("test"))
}

fn program(settings: &Settings) -> Program {
    let compiled = compile(&MemoryWorld::of(TEXT), settings);
    assert_eq!(compiled.diagnostics, []);
    compiled.program.expect("a program without errors")
}

fn address(text: &str) -> Address {
    text.parse().expect("an address")
}

#[derive(Default)]
struct Chosen(BTreeMap<(Address, &'static str), Value>);

impl Chosen {
    fn set(&mut self, address: &Address, attribute: &'static str, value: Value) {
        self.0.insert((address.clone(), attribute), value);
    }
}

impl Assigned for Chosen {
    fn get(&self, address: &Address, attribute: &str) -> Option<Value> {
        let mut chosen = self.0.iter();
        let found = chosen.find(|((own, name), _)| own == address && *name == attribute);
        found.map(|(_, value)| value.clone())
    }
}

fn assigned() -> Chosen {
    let mut assigned = Chosen::default();
    let ip = Value::Ip([10, 0, 0, 7].into());
    assigned.set(&address("tenant.a.vm.db.nic.n"), "address", ip);
    let host = Value::Ref(address("site.s.host.h"));
    assigned.set(&address("tenant.a.vm.db"), "host", host.clone());
    assigned.set(&address("tenant.a.vm.web"), "host", host);
    assigned
}

#[test]
fn programs_are_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Program>();
}

#[test]
fn what_waits_for_an_address_is_configured_after_it_is_assigned() {
    let program = program(&settings());
    let web = &program.desired().resources[&address("tenant.a.vm.web")];
    assert!(web.deferred);
    assert!(web.attributes.get("cloud_init").is_none());
    assert!(!program.desired().resources[&address("tenant.a.vm.db")].deferred);

    let fields = program.configure(&web.address, &assigned()).expect("no mistakes");
    let cloud_init = fields.map("cloud_init").expect("set");
    assert_eq!(cloud_init.list("runcmd"), [Value::text("ping 10.0.0.7")]);
    assert_eq!(fields.get("memory"), web.attributes.get("memory"));
    // Another assignment gives another answer: nothing is remembered from the first.
    let mut other = assigned();
    let ip = Value::Ip([10, 0, 0, 8].into());
    other.set(&address("tenant.a.vm.db.nic.n"), "address", ip);
    let fields = program.configure(&web.address, &other).expect("no mistakes");
    assert_eq!(
        fields.map("cloud_init").map(|c| c.list("runcmd").to_vec()),
        Some(vec![Value::text("ping 10.0.0.8")])
    );
}

#[test]
fn outputs_and_checks_see_what_was_assigned() {
    let program = program(&settings());
    let outputs = program.outputs(&assigned()).expect("no mistakes");
    assert_eq!(outputs.len(), 1);
    assert_eq!(outputs[0].name, "tenant.a.db");
    assert_eq!(outputs[0].value, Value::Ip([10, 0, 0, 7].into()));
    let checks = program.checks(&assigned());
    assert_eq!(checks.len(), 1);
    assert_eq!(checks[0].failures.len(), 1);
    assert_eq!(checks[0].failures[0].message, "check `apart` does not hold: both on one host");
}

#[test]
fn a_large_program_without_blocks_at_the_top_is_evaluated() {
    let networks = (0..600).map(|n| format!("  network n{n} {{ mode = \"nat\" }}\n"));
    let text = format!("component c {{\n{}}}\noutput one: Int = 1\n", networks.collect::<String>());
    let program = compile(&MemoryWorld::of(&text), &settings()).program.expect("no error");
    let outputs = program.outputs(&Chosen::default()).expect("no mistakes");
    assert_eq!(outputs.iter().map(|own| own.name.as_str()).collect::<Vec<_>>(), ["one"]);
}

#[test]
fn causes_are_the_attribute_then_what_flows_in() {
    let program = program(&settings());
    let texts = |path: &str| -> Vec<&str> {
        let path = AttrPath::parse(path);
        let spans = program.causes(&address("tenant.a.vm.web"), Some(&path));
        spans.iter().map(|span| &TEXT[span.start as usize..span.end as usize]).collect()
    };
    assert_eq!(
        texts("cloud_init.fqdn"),
        [
            "\"web.${domain}\"",
            "let domain = \"${env}.example\"",
            "param env: \"prod\" | \"test\" = \"prod\"",
        ]
    );
    assert_eq!(texts("memory"), ["2GiB", "defaults vm"]);
    assert_eq!(texts("nic.n.network"), ["network.n"]);
    assert_eq!(program.causes(&address("tenant.a.vm.web"), None).len(), 1);
}

#[test]
fn what_another_attribute_implies_has_its_cause_there() {
    let text = "flavor small { vcpus = 1, memory = 1GiB }
image i { source = \"https://images.example/i\", digest = \"sha256:DIGEST\", min_disk = 2GiB }
tenant a { vm web { flavor = flavor.small, image = image.i, disk root {} } }
";
    let text = &text.replace("DIGEST", &"0".repeat(64));
    let compiled = compile(&MemoryWorld::of(text), &settings());
    assert_eq!(compiled.diagnostics, []);
    let program = compiled.program.expect("a program without errors");
    let texts = |of: &str, path: &str| -> Vec<&str> {
        let spans = program.causes(&address(of), Some(&AttrPath::parse(path)));
        spans.iter().map(|span| &text[span.start as usize..span.end as usize]).collect()
    };
    assert_eq!(texts("tenant.a.vm.web", "memory"), ["flavor.small"]);
    assert_eq!(texts("tenant.a.vm.web.disk.root", "image"), ["image.i"]);
}

#[test]
fn parameters_are_read_as_their_type_asks() {
    let mut settings = settings();
    settings.variables.insert(Name::new("env"), Variable::Text("test".to_owned()));
    let other = program(&settings);
    assert_ne!(other.desired().digest, program(&self::settings()).desired().digest);

    settings.variables.insert(Name::new("env"), Variable::Text("nonsense".to_owned()));
    settings.variables.insert(Name::new("evn"), Variable::Text("test".to_owned()));
    let compiled = compile(&MemoryWorld::of(TEXT), &settings);
    let codes: Vec<&str> = compiled.diagnostics.iter().map(|d| d.code.0).collect();
    assert_eq!(codes, ["E0207", "E0207"]);
    // Even without a file there is a place to point to.
    assert_eq!(compile(&MemoryWorld::default(), &settings).diagnostics.len(), 2);
}

#[test]
fn arguments_of_methods_go_by_their_names() {
    let text = "\
output replaced = \"a.b.c\".replace(new = \"-\", old = \".\")
output padded = \"7\".pad_left(3, with = \"0\")
output shorter = [1, 2, 3].take(n = 2)
";
    let compiled = compile(&MemoryWorld::of(text), &settings());
    assert_eq!(compiled.diagnostics, []);
    let program = compiled.program.expect("a program without errors");
    let outputs = program.outputs(&()).expect("no mistakes");
    let mut found: Vec<String> =
        outputs.iter().map(|output| format!("{} {}", output.name, output.value)).collect();
    found.sort();
    assert_eq!(found, ["padded \"007\"", "replaced \"a-b-c\"", "shorter [1, 2]"]);
}

#[test]
fn blocks_in_defaults_give_theirs_where_their_conditions_hold() {
    let text = "\
param env: \"prod\" | \"test\" = \"prod\"
tenant a {
  defaults vm {
    memory = 1GiB
    disk root if env == \"prod\" { size = 100GiB }
    disk root if env == \"test\" { size = 10GiB }
    if env == \"prod\" { disk data { size = 200GiB } }
    else { disk data { size = 20GiB } }
  }
  vm web {
    vcpus = 1
    disk root {}
    disk data {}
  }
}
";
    for (env, root, data) in [("prod", 100, 200), ("test", 10, 20)] {
        let mut settings = settings();
        settings.variables.insert(Name::new("env"), Variable::Text(env.to_owned()));
        let compiled = compile(&MemoryWorld::of(text), &settings);
        assert_eq!(compiled.diagnostics, [], "{env}");
        let program = compiled.program.expect("a program without errors");
        let size = |disk: &str| {
            let disk = address(&format!("tenant.a.vm.web.disk.{disk}"));
            program.desired().resources[&disk].attributes.get("size").cloned()
        };
        assert_eq!(size("root"), Some(Value::Bytes(root << 30)), "{env}");
        assert_eq!(size("data"), Some(Value::Bytes(data << 30)), "{env}");
    }
}

/// Compares the vCPUs of guests.
#[track_caller]
fn vcpus(text: &str, guests: &[(&str, i64)]) {
    let compiled = compile(&MemoryWorld::of(text), &settings());
    assert_eq!(compiled.diagnostics, [], "{text}");
    let program = compiled.program.expect("a program without errors");
    for (guest, count) in guests {
        let fields = &program.desired().resources[&address(guest)].attributes;
        assert_eq!(fields.get("vcpus"), Some(&Value::Int(*count)), "{guest} of {text}");
    }
}

const PAIR: &str = "\
let scale = 5
component pair {
  param n: Int
  param more: Int = n
  vm app { vcpus = n, memory = 1GiB }
  vm other { vcpus = more, memory = 1GiB }
  vm scaled { vcpus = scale, memory = 1GiB }
}
";

#[test]
fn variables_of_a_use_are_not_seen_inside_of_its_component() {
    let uses = |of: &str| format!("{PAIR}tenant t {{ {of} }}\n");
    vcpus(
        &uses("pair p for n in 1..=2 { n = n * 2 }"),
        &[
            ("tenant.t.pair.p[1].vm.app", 2),
            ("tenant.t.pair.p[2].vm.app", 4),
            ("tenant.t.pair.p[2].vm.other", 4),
        ],
    );
    vcpus(
        &uses("pair p for scale in 1..=2 { n = scale }"),
        &[("tenant.t.pair.p[2].vm.app", 2), ("tenant.t.pair.p[2].vm.scaled", 5)],
    );
    vcpus(
        &uses("pair p for k, more in { a = 3 } { n = more }"),
        &[("tenant.t.pair.p[\"a\"].vm.other", 3)],
    );
}

#[test]
fn conditions_and_lets_of_a_use_see_its_variables() {
    let uses = |of: &str| format!("{PAIR}tenant t {{ {of} }}\n");
    vcpus(
        &uses("pair p for i in 1..=2 {\n n = i\n if i == 1 { more = 7 }\n }"),
        &[("tenant.t.pair.p[1].vm.other", 7), ("tenant.t.pair.p[2].vm.other", 2)],
    );
    vcpus(
        &uses("pair p {\n let three = 3\n n = three\n }"),
        &[("tenant.t.pair.p.vm.app", 3), ("tenant.t.pair.p.vm.other", 3)],
    );
    vcpus(
        &uses("pair p for i in 1..=2 {\n let scale = i * 3\n n = scale\n }"),
        &[("tenant.t.pair.p[2].vm.app", 6), ("tenant.t.pair.p[2].vm.scaled", 5)],
    );
}

#[test]
fn a_use_in_a_component_has_the_variables_of_that_component() {
    let text = format!(
        "{PAIR}component outer {{
  param size: Int
  pair inner for n in 1..=2 {{ n = n + size }}
}}
tenant t {{ outer o for size in 1..=2 {{ size = size * 10 }} }}
"
    );
    vcpus(
        &text,
        &[
            ("tenant.t.outer.o[1].pair.inner[1].vm.app", 11),
            ("tenant.t.outer.o[2].pair.inner[2].vm.app", 22),
        ],
    );
}

/// A text under a value of its parameter `env`.
#[track_caller]
fn in_env(text: &str, env: &str) -> Program {
    let mut settings = settings();
    settings.variables.insert(Name::new("env"), Variable::Text(env.to_owned()));
    let compiled = compile(&MemoryWorld::of(text), &settings);
    assert_eq!(compiled.diagnostics, [], "{env}");
    compiled.program.expect("a program without errors")
}

/// All outputs of a program, a line each.
#[track_caller]
fn outputs(program: &Program) -> String {
    let outputs = program.outputs(&()).expect("no mistakes");
    let lines: Vec<String> =
        outputs.iter().map(|output| format!("{} = {}", output.name, output.value)).collect();
    lines.join("\n")
}

#[test]
fn references_see_whichever_declaration_of_a_name_holds() {
    let text = "\
param env: \"prod\" | \"test\"
tenant a {
  defaults vm { vcpus = 1 }
  if env == \"prod\" {
    vm web for n in 1..=2 { memory = 4GiB }
    vm db { memory = 8GiB }
  } else {
    vm web for n in 2..=4 { memory = 1GiB, disk data { size = 1GiB } }
    vm db { memory = 2GiB }
  }
  vm mixed for n in 1..=2 if env == \"prod\" { memory = 4GiB }
  vm mixed if env == \"test\" { memory = 1GiB }
  output all = vm.web.*.memory
  output outside = tenant.a.vm.web.*
  output second = vm.web[2].memory
  output one = vm.db.memory
  output mixed = vm.mixed.*.memory
  output chosen = if env == \"prod\" then vm.mixed[1].memory else vm.mixed.memory
  output data = if env == \"test\" then vm.web[3].disk.data.size else 0B
}
";
    assert_eq!(
        outputs(&in_env(text, "prod")),
        "\
tenant.a.all = [4GiB, 4GiB]
tenant.a.chosen = 4GiB
tenant.a.data = 0B
tenant.a.mixed = [4GiB, 4GiB]
tenant.a.one = 8GiB
tenant.a.outside = [tenant.a.vm.web[1], tenant.a.vm.web[2]]
tenant.a.second = 4GiB"
    );
    assert_eq!(
        outputs(&in_env(text, "test")),
        "\
tenant.a.all = [1GiB, 1GiB, 1GiB]
tenant.a.chosen = 1GiB
tenant.a.data = 1GiB
tenant.a.mixed = [1GiB]
tenant.a.one = 2GiB
tenant.a.outside = [tenant.a.vm.web[2], tenant.a.vm.web[3], tenant.a.vm.web[4]]
tenant.a.second = 1GiB"
    );
}

#[test]
fn so_do_references_to_definitions() {
    let text = "\
param env: \"prod\" | \"test\"
if env == \"prod\" { let size = 3 } else { let size = \"three\" }
tenant a {
  if env == \"prod\" { output count = 1 } else { output count = \"one\" }
}
component c {
  param mode: String
  vm v { vcpus = 1, memory = 1GiB }
  if mode == \"prod\" { output count = 2 } else { output count = \"two\" }
}
tenant b { c own { mode = env } }
output size = size
output count = tenant.a.count
output inside = tenant.b.c.own.count
";
    assert_eq!(
        outputs(&in_env(text, "prod")),
        "count = 1\ninside = 2\nsize = 3\ntenant.a.count = 1\ntenant.b.c.own.count = 2"
    );
    assert_eq!(
        outputs(&in_env(text, "test")),
        "count = \"one\"\ninside = \"two\"\nsize = \"three\"\ntenant.a.count = \"one\"\n\
         tenant.b.c.own.count = \"two\""
    );
}

#[test]
fn files_are_read_whenever_they_are_asked_for() {
    let text = "\
tenant a {
  network n { cidr = 10.0.0.0/24 }
  vm db {
    vcpus = 1
    memory = 1GiB
    nic n { network = network.n }
  }
  vm web {
    vcpus = 1
    memory = 1GiB
    cloud_init = { runcmd = [if vm.db.nic.n.address == 10.0.0.7 then file(\"a\") else file(\"none\")] }
  }
}
output b = if tenant.a.vm.db.nic.n.address == 10.0.0.7 then file(\"b\") else \"\"
check there { assert file(\"c\") == \"C\", \"another text\" }
check gone { assert file(\"none\") == \"\", \"another text\" }
";
    let world = MemoryWorld::of(text).with("a", "A").with("b", "B").with("c", "C");
    let compiled = compile(&world, &settings());
    assert_eq!(compiled.diagnostics, []);
    let program = compiled.program.expect("a program without errors");
    let fields = program.configure(&address("tenant.a.vm.web"), &assigned()).expect("no mistakes");
    let cloud_init = fields.map("cloud_init").expect("set");
    assert_eq!(cloud_init.list("runcmd"), [Value::text("A")]);
    let outputs = program.outputs(&assigned()).expect("no mistakes");
    assert_eq!(outputs[0].value, Value::text("B"));
    let said: Vec<(String, Vec<String>)> = program
        .checks(&assigned())
        .into_iter()
        .map(|check| (check.name.to_string(), check.failures.into_iter().map(|f| f.message)))
        .map(|(name, failures)| (name, failures.collect()))
        .collect();
    let gone = "\"none\" cannot be read: there is no such file".to_owned();
    assert_eq!(said, [("gone".to_owned(), vec![gone]), ("there".to_owned(), vec![])]);
}

#[test]
fn blocks_of_defaults_hold_where_nothing_nearer_is_there() {
    let text = "\
param env: \"prod\" | \"test\"
defaults vm { disk root { size = 1GiB } }
tenant a {
  defaults vm {
    vcpus = 1
    memory = 1GiB
    disk root if env == \"prod\" { size = 20GiB }
  }
  vm plain {}
  vm silent { disk root {} }
  vm own { disk root if env == \"prod\" { size = 300GiB } }
  output plain = vm.plain.disk.root.size
  output silent = vm.silent.disk.root.size
  output own = vm.own.disk.root.size
}
";
    assert_eq!(
        outputs(&in_env(text, "prod")),
        "tenant.a.own = 300GiB\ntenant.a.plain = 20GiB\ntenant.a.silent = 20GiB"
    );
    assert_eq!(
        outputs(&in_env(text, "test")),
        "tenant.a.own = 1GiB\ntenant.a.plain = 1GiB\ntenant.a.silent = 1GiB"
    );
}

#[test]
fn repeated_blocks_of_defaults_give_to_instances_of_their_keys() {
    let text = "\
param env: \"prod\" | \"test\"
defaults vm { disk data for n in 1..=3 if n != 3 || env == \"prod\" { class = \"c${n}\", size = 1GiB * n } }
tenant a {
  defaults vm {
    vcpus = 1
    memory = 1GiB
    if env == \"prod\" { disk data for m in 2..=3 { size = 20GiB * m } }
  }
  vm plain {}
  vm own { disk data for k in 1..=2 {} }
  vm none { disk data for k in [] {} }
  output plain = vm.plain.disk.data.*.size
  output own = vm.own.disk.data.*.size
  output classes = vm.own.disk.data.*.class
  output none = vm.none.disk.data.*.size
}
";
    assert_eq!(
        outputs(&in_env(text, "prod")),
        "\
tenant.a.classes = [\"c1\", \"c2\"]
tenant.a.none = []
tenant.a.own = [1GiB, 40GiB]
tenant.a.plain = [40GiB, 60GiB]"
    );
    assert_eq!(
        outputs(&in_env(text, "test")),
        "\
tenant.a.classes = [\"c1\", \"c2\"]
tenant.a.none = []
tenant.a.own = [1GiB, 2GiB]
tenant.a.plain = [1GiB, 2GiB]"
    );
}

#[test]
fn all_blocks_of_a_kind_are_also_those_of_defaults() {
    let text = "\
tenant a {
  defaults vm {
    vcpus = 1
    memory = 1GiB
    disk root { size = 10GiB }
    disk data for n in 1..=2 { size = 1GiB }
  }
  vm plain {}
  vm own {
    disk data { size = 3GiB }
    disk more { size = 4GiB }
  }
  output plain = vm.plain.disk.*.size
  output own = vm.own.disk.*.size
}
";
    let compiled = compile(&MemoryWorld::of(text), &settings());
    assert_eq!(compiled.diagnostics, []);
    assert_eq!(
        outputs(&compiled.program.expect("a program without errors")),
        "tenant.a.own = [3GiB, 4GiB, 10GiB]\ntenant.a.plain = [10GiB, 1GiB, 1GiB]"
    );
}
