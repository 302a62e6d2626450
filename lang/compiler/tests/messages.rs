//! What is said, with all its places: the words of a message, what it marks, and its help.

use std::fmt::Write as _;

use tcloud_compiler::{MemoryWorld, Settings, compile};
use tcloud_model::{Deployment, Span};

/// Every message of a text: its code and words, the marked texts with their labels, the help.
#[track_caller]
fn says(text: &str, expected: &str) {
    let compiled = compile(&MemoryWorld::of(text), &Settings::new(Deployment::new("test")));
    let marked = |span: Span| &text[span.start as usize..span.end as usize];
    let mut said = String::new();
    for found in &compiled.diagnostics {
        let _ = writeln!(said, "{} {}", found.code, found.message);
        for label in std::iter::once(&found.primary).chain(&found.secondary) {
            let line = text[..label.span.start as usize].matches('\n').count() + 1;
            let told = format!("  {line} [{}] {}", marked(label.span), label.text);
            let _ = writeln!(said, "{}", told.trim_end());
        }
        let _ = writeln!(said, "  help: {}", found.help.as_deref().unwrap_or("none"));
    }
    assert_eq!(said.trim_end(), expected.trim(), "{text}");
}

const PORTAL: &str = "component portal {
  param domain: String
  network dmz { cidr = 10.0.0.0/24 }
  vm app { vcpus = 1, memory = 2GiB }
}
";

#[test]
fn a_component_makes_nothing_where_it_may_not_stand() {
    says(
        &format!("{PORTAL}portal top {{ domain = \"x\" }}\n"),
        "
E0104 vm `app` of component `portal` cannot stand at the top level
  6 [portal top] this makes a vm at the top level
  4 [vm app] this vm
  help: a vm stands in a tenant; use `portal` there",
    );
    says(
        &format!("{PORTAL}site s {{\n  portal inner {{ domain = \"x\" }}\n}}\n"),
        "
E0104 vm `app` of component `portal` cannot stand in a site
  7 [portal inner] this makes a vm in a site
  4 [vm app] this vm
  help: a vm stands in a tenant; use `portal` there",
    );
    says(&format!("{PORTAL}tenant t {{\n  portal inner {{ domain = \"x\" }}\n}}\n"), "");
}

#[test]
fn nor_does_a_component_in_a_component() {
    let text = format!("{PORTAL}component outer {{\n  portal inner {{ domain = \"x\" }}\n}}\n");
    says(
        &format!("{text}outer top {{}}\n"),
        "
E0104 vm `app` of component `outer` cannot stand at the top level
  9 [outer top] this makes a vm at the top level
  4 [vm app] this vm
  help: a vm stands in a tenant; use `outer` there",
    );
    says(&format!("{text}tenant t {{\n  outer inner {{}}\n}}\n"), "");
}

#[test]
fn a_component_of_what_stands_at_the_top_level_may_be_used_there() {
    says(
        "component place {
  site s { host h { provider = \"sim\" } }
  tenant t { vm web { vcpus = 1, memory = 2GiB } }
  flavor small { vcpus = 1, memory = 2GiB }
}
place here {}
",
        "",
    );
}

#[test]
fn what_stands_in_another_resource_stands_in_no_component() {
    says(
        "component c {
  disk root { size = 2GiB }
}
",
        "
E0104 disk cannot stand here
  2 [disk root]
  help: a disk stands in a vm",
    );
}

#[test]
fn networks_of_one_text_are_told_apart_by_what_makes_them() {
    let component = "component c { network n { cidr = 10.0.0.0/24 } }\n";
    says(
        &format!("{component}tenant t {{\n  c unten {{}}\n  c oben {{}}\n}}\n"),
        "
E0312 network `c.oben.network.n` overlaps network `c.unten.network.n`
  1 [10.0.0.0/24] 10.0.0.0/24 again
  4 [c oben] makes `c.oben.network.n`
  3 [c unten] makes `c.unten.network.n`
  help: give one of them others by a parameter of the component; the next free /24 is 10.0.1.0/24",
    );
    let outer = "component d { c one {} }\n";
    says(
        &format!("{component}{outer}tenant t {{\n  d a {{}}\n  d b {{}}\n}}\n"),
        "
E0312 network `d.b.c.one.network.n` overlaps network `d.a.c.one.network.n`
  1 [10.0.0.0/24] 10.0.0.0/24 again
  5 [d b] makes `d.b.c.one.network.n`
  4 [d a] makes `d.a.c.one.network.n`
  help: give one of them others by a parameter of the component; the next free /24 is 10.0.1.0/24",
    );
}

#[test]
fn networks_of_a_repetition_and_of_defaults_are_told_apart() {
    says(
        "tenant t { network n for i in 1..=2 { cidr = 10.0.0.0/24 } }\n",
        "
E0312 network `n[2]` overlaps network `n[1]`
  1 [10.0.0.0/24] 10.0.0.0/24 again
  help: compute it from the variable of the `for`, such as `10.20.0.0/16.subnet(8, n)`",
    );
    says(
        "tenant t {
  defaults network { cidr = 10.0.0.0/24 }
  network a {}
  network b {}
}
",
        "
E0312 network `b` overlaps network `a`
  2 [10.0.0.0/24] 10.0.0.0/24 again
  4 [network b] makes `b`
  3 [network a] makes `a`
  help: the next free /24 is 10.0.1.0/24",
    );
}

#[test]
fn networks_with_one_name_have_their_addresses() {
    says(
        "tenant a { network n { cidr = 10.0.0.0/24, expose_to = [tenant.b] } }
tenant b { network n { cidr = 10.0.0.0/25 } }
",
        "
E0312 network `tenant.b.network.n` overlaps network `tenant.a.network.n`
  2 [10.0.0.0/25] 10.0.0.0/25 is inside 10.0.0.0/24
  1 [10.0.0.0/24] `tenant.a.network.n` is 10.0.0.0/24, of tenant a
  help: the next free /25 is 10.0.1.0/25",
    );
}

#[test]
fn components_are_suggested_and_listed() {
    says(
        &format!("{PORTAL}tenant t {{\n  portla x {{ domain = \"x\" }}\n  thing y {{}}\n}}\n"),
        "
E0103 tenant has no block `portla`
  7 [portla] did you mean `portal`?
  help: write `portal`
E0103 tenant has no block `thing`
  8 [thing]
  help: blocks of tenant: quota, flavor, image, network, vm, volume; components: portal",
    );
    says(
        &format!("{PORTAL}portla x {{}}\nthing y {{}}\n"),
        "
E0103 there is no kind `portla`
  6 [portla] did you mean `portal`?
  help: write `portal`
E0103 there is no kind `thing`
  7 [thing]
  help: `tcloud explain` lists the kinds; components: portal",
    );
}

#[test]
fn a_name_with_an_umlaut_is_one_mistake() {
    let help = "names have the letters a to z, digits and `-`; texts stand in quotes";
    says(
        "tenant t {
  network büro { cidr = 10.0.0.0/24 }
  vm a {
    vcpus = 1
    memory = 2GiB
    nic n { network = network.buero }
  }
}
",
        &format!(
            "
E0012 `büro` cannot be a name
  2 [büro]
  help: write `buero`: {help}"
        ),
    );
    says(
        "component c {
  param größe: Bytes = 3GiB
  volume v { size = groesse }
}
tenant t {
  c x {}
}
let ä = 3
output y = ae
",
        &format!(
            "
E0012 `größe` cannot be a name
  2 [größe]
  help: write `groesse`: {help}
E0012 `ä` cannot be a name
  8 [ä]
  help: write `ae`: {help}"
        ),
    );
}

#[test]
fn keys_have_the_letters_a_to_z() {
    says(
        "tenant t { volume v for n in [\"ä b\"] { size = 1GiB } }\n",
        "
E0304 \"ä b\" cannot be a key
  1 [[\"ä b\"]]
  help: keys become parts of names: a to z, A to Z, digits, `.`, `-` and `_`; they begin with a \
letter or digit and have at most 63 characters",
    );
}

/// A tenant with a secret, and another one with this in it.
fn beside(more: &str) -> String {
    format!(
        "param outer: Int = 1
fn memory(of: vm): Bytes = of.memory
type Large = vm where this.memory > 1GiB
component portal {{
  param pin: Int
  vm app {{ vcpus = pin, memory = 2GiB }}
  output size: Bytes = vm.app.memory
}}
tenant a {{
  title = \"A\"
  network shown {{ cidr = 10.0.0.0/24, expose_to = [tenant.b], dhcp {{ range = 10.0.0.9..=10.0.0.99 }} }}
  network closed {{ cidr = 10.0.1.0/24 }}
  volume data {{ size = 1GiB }}
  portal web {{ pin = 2 }}
  vm db {{
    vcpus = 1
    memory = 4GiB
    cloud_init = {{ write_files = [{{ path = \"/k\", content = secret(\"env:DB_PASSWORD\") }}] }}
    nic n {{ network = network.shown }}
  }}
  output db: Bytes = vm.db.memory
  output guest: vm = vm.db
}}
tenant b {{
  {more}
}}
"
    )
}

/// Where attributes that tenant b must not read are read, and of what.
#[track_caller]
fn hidden(more: &str, expected: &[(&str, &str)]) {
    let text = beside(more);
    let world = MemoryWorld::of(&text).with_environment("DB_PASSWORD", "not shown");
    let compiled = compile(&world, &Settings::new(Deployment::new("test")));
    let said: Vec<_> = compiled
        .diagnostics
        .iter()
        .map(|found| {
            let span = found.primary.span;
            (found.code.0, &text[span.start as usize..span.end as usize], found.message.as_str())
        })
        .collect();
    let told: Vec<_> = expected
        .iter()
        .map(|(at, what)| {
            ("E0601", *at, format!("{what} belongs to tenant a and is not exposed to b"))
        })
        .collect();
    let told: Vec<_> = told.iter().map(|(code, at, what)| (*code, *at, what.as_str())).collect();
    assert_eq!(said, told, "{more}");
}

#[test]
fn values_of_another_tenant_are_hidden_where_no_reference_is_left() {
    hidden("title = \"${tenant.a.vm.db.memory}\"", &[("tenant.a.vm.db.memory", "vm `db`")]);
    hidden(
        "vm spy {\n vcpus = 1\n memory = 2GiB\n cloud_init = tenant.a.vm.db.cloud_init\n }",
        &[("tenant.a.vm.db.cloud_init", "vm `db`")],
    );
    hidden(
        "title = \"${tenant.a.vm.db.nic.n.address}\"",
        &[("tenant.a.vm.db.nic.n.address", "nic `n`")],
    );
    hidden("let all = tenant.a.vm.*.memory", &[("tenant.a.vm.*.memory", "vm `db`")]);
    hidden(
        "output o: Bytes = tenant.a.volume.data.size",
        &[("tenant.a.volume.data.size", "volume `data`")],
    );
    hidden(
        "output o: Cidr = tenant.a.network.closed.cidr",
        &[("tenant.a.network.closed.cidr", "network `closed`")],
    );
    hidden(
        "output o: Int = tenant.a.portal.web.pin",
        &[("tenant.a.portal.web.pin", "portal `web`")],
    );
    hidden(
        "vm w if tenant.a.vm.db.vcpus == 1 { vcpus = 1, memory = 2GiB }",
        &[("tenant.a.vm.db.vcpus", "vm `db`")],
    );
}

#[test]
fn nor_do_functions_types_and_components_read_them() {
    hidden("output o: Bytes = memory(tenant.a.guest)", &[("of.memory", "vm `db`")]);
    hidden(
        "let one = [tenant.a.guest]\n let all = one.map(x => x.memory)",
        &[("x.memory", "vm `db`")],
    );
    hidden("portal p { pin = tenant.a.vm.db.vcpus }", &[("tenant.a.vm.db.vcpus", "vm `db`")]);
    hidden("let large: Large = tenant.a.guest", &[("this.memory", "vm `db`")]);
}

#[test]
fn what_a_tenant_shows_may_be_read() {
    hidden("title = \"${tenant.a.title} ${tenant.a.db} ${tenant.a.portal.web.size}\"", &[]);
    hidden("output o: Cidr = tenant.a.network.shown.cidr", &[]);
    hidden("let pool = tenant.a.network.shown.dhcp.range", &[]);
    hidden("vm own { vcpus = 1, memory = 2GiB }\n title = \"${vm.own.memory}\"", &[]);
    hidden("}\nlet all = tenant.a.vm.db.memory\ntenant c {\n title = \"${all}\"", &[]);
    hidden("}\noutput o: Bytes = memory(tenant.a.vm.db)\ntenant c {", &[]);
}

#[test]
fn what_no_declaration_gives_is_told_by_all_of_them() {
    says(
        "param env: \"prod\" | \"test\" = \"prod\"
tenant a {
  defaults vm { vcpus = 1, memory = 1GiB }
  if env == \"prod\" { vm web for n in 1..=2 {} } else { vm web {} }
  vm app for n in 1..=2 if env == \"test\" {}
  vm app for n in 4..=5 if env == \"prod\" {}
  if env == \"test\" { output out = 1 } else if env != \"prod\" { output out = 2 }
  output key = vm.web
  output none = vm.app[1]
}
output out = tenant.a.out
",
        "
E0305 vm.web is repeated, which one is meant?
  8 [vm.web]
  4 [vm web for n in 1..=2] repeated here
  help: write `vm.web[KEY]` for one, `vm.web.*` for all
E0305 vm `app` has no instance 1
  9 [vm.app[1]]
  help: its instances: 4, 5
E0305 `out` does not exist
  11 [tenant.a.out] its condition does not hold
  7 [out] declared here
  help: put this under the same condition",
    );
}

#[test]
fn what_a_file_that_cannot_be_read_may_declare_is_not_missed() {
    let text = "use-of main {}
tenant a {
  vm web { vcpus = cores, nic n { network = network.office } }
  output size: Size2 = helper(tenant.b.vm.db)
  output office = tenant.a.network.office.cidr
}
";
    let compile = |world: &MemoryWorld| {
        let compiled = compile(world, &Settings::new(Deployment::new("test")));
        let said = compiled.diagnostics.iter();
        said.map(|d| (d.primary.span.file.0, d.code.0)).collect::<Vec<_>>()
    };
    let alone = compile(&MemoryWorld::of(text));
    assert!(alone.len() > 5, "{alone:?}");
    let latin1 = b"let owner = \"J\xf6rg\"\n".as_slice();
    let utf16 = b"\xff\xfel\0e\0t\0".as_slice();
    for broken in [latin1, utf16] {
        let world = MemoryWorld::of(text).with("broken.tcloud", broken);
        assert_eq!(compile(&world), [(0, "E0008")]);
    }
}

#[test]
fn conditions_hold_inside_of_secret_and_late_types() {
    says(
        "type Small = Int where this < 10
param password: Secret<String where this.length() >= 8> = \"hunter\"
let all: Map<Secret<String where this.length() >= 8>> = { a = secret(\"env:FOO\"), b = \"long enough\" }
let small: Late<Small> = 20
",
        "
E0205 this secret is not allowed here
  2 [\"hunter\"]
  2 [this.length() >= 8] this condition has to hold
  help: choose a value that fulfils the condition of the type
E0205 20 is not allowed here
  4 [20]
  1 [this < 10] this condition has to hold
  help: choose a value that fulfils the condition of the type",
    );
}

#[test]
fn defaults_are_given_once_in_a_scope() {
    says(
        "param env: String = \"prod\"
tenant a {
  defaults vm { vcpus = 1 }
  defaults vm { vcpus = 2, memory = 1GiB }
  defaults network if env == \"prod\" { mode = \"nat\" }
  defaults network if env == \"prod\" { mode = \"routed\" }
  defaults volume if env == \"prod\" { size = 1GiB }
  defaults volume if env != \"prod\" { size = 2GiB }
  vm web {}
  network n { cidr = 10.0.0.0/24 }
  volume v {}
}
",
        "
E0302 defaults for vm are given twice in one scope
  4 [defaults vm] again
  3 [defaults vm] first
  help: write one block with all of them; conditions of two have to exclude each other
E0302 defaults for network are given twice in one scope
  6 [defaults network if env == \"prod\"] again
  5 [defaults network if env == \"prod\"] first
  help: write one block with all of them; conditions of two have to exclude each other",
    );
}

#[test]
fn objects_of_another_tenant_are_neither_counted_nor_named() {
    let guests = [("tenant.a.vm.*", "vm `db`")];
    hidden("let all = tenant.a.vm.*\n output count: Int = all.length()", &guests);
    hidden("vm spy for v in tenant.a.vm.* { vcpus = 1, memory = 2GiB }", &guests);
    hidden("title = \"${tenant.a.vm.db}\"", &[("tenant.a.vm.db", "vm `db`")]);
    hidden("output o: vm = tenant.a.vm.db", &[("tenant.a.vm.db", "vm `db`")]);
    let portal = [("tenant.a.portal.web", "portal `web`")];
    hidden("let same = tenant.a.portal.web == tenant.a.portal.web", &[portal[0], portal[0]]);
    hidden(
        "network n { cidr = 10.0.2.0/24, route x { to = tenant.a.network.closed.cidr } }",
        &[("tenant.a.network.closed.cidr", "network `closed`")],
    );
    hidden("title = \"${tenant.a.guest} ${tenant.a} ${tenant.a.network.shown}\"", &[]);
    hidden("}\nlet all = tenant.a.vm.*\ntenant c {\n title = \"${all.length()}\"", &[]);
}

#[test]
fn blocks_without_a_name_are_declared_once() {
    says(
        "param env: String = \"prod\"
tenant a {
  quota if env == \"prod\" { vms = 1 }
  quota if env != \"test\" { vms = 2 }
  network n {
    cidr = 10.0.0.0/24
    if env == \"test\" { dhcp { range = 10.0.0.9..=10.0.0.19 } }
    dhcp { range = 10.0.0.30..=10.0.0.40 }
  }
}
",
        "
E0302 tenant.a.quota is declared twice
  4 [quota if env != \"test\"] again
  3 [quota if env == \"prod\"] first
  help: conditions of blocks with one name have to exclude each other",
    );
}

#[test]
fn a_component_is_declared_without_a_condition() {
    says(
        "component portal for n in 1..=2 { network n { cidr = 10.0.0.0/24 } }\n",
        "
E0107 a component is declared without `for` and `if`
  1 [component portal for n in 1..=2]
  help: write them where it is used: `portal main for n in 1..=2 { … }`",
    );
}

#[test]
fn nor_is_it_declared_under_one_and_nor_are_functions_and_types() {
    let text = "param c: Bool = true
if c {
  fn f(x: Int) = x
  type A = Int
  component portal { network n { cidr = 10.0.0.0/24 } }
} else {
  fn f(x: Int) = x + 1
}
tenant t {
  if c { vm w { vcpus = f(1), memory = 1GiB } } else if f(1) > 1 { type B = A }
  portal main {}
}
";
    says(
        text,
        "
E0108 `f` cannot be declared under a condition
  3 [f]
  2 [c] this condition
  help: declare it outside, and decide in it: `if … then … else …`
E0108 `A` cannot be declared under a condition
  4 [A]
  2 [c] this condition
  help: declare it outside: types are known before any condition is
E0108 `portal` cannot be declared under a condition
  5 [portal]
  2 [c] this condition
  help: write it where this is used: `portal main if … { … }`
E0108 `f` cannot be declared under a condition
  7 [f]
  2 [c] this condition
  help: declare it outside, and decide in it: `if … then … else …`
E0108 `B` cannot be declared under a condition
  10 [B]
  10 [f(1) > 1] this condition
  help: declare it outside: types are known before any condition is",
    );
}

/// Inside of a component a name may mean something else.
#[test]
fn a_type_means_what_it_means_where_it_was_declared() {
    says(
        "type A = Int
type B = A
component c {
  type A = B
  param p: A
  output o: Int = p + 1
}
tenant t { c main { p = 1 } }
component d {
  type A = String
  param p: B = 1
}
",
        "",
    );
}
