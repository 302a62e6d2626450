//! Plans made by hand, and what a reader sees of them.

use std::sync::Arc;

use tcloud_model::{
    Address, AttrPath, Deployment, Digest, Impact, Moment, Name, ObjectId, Operation, Position,
    Value,
};
use tcloud_planner::plan::{
    Action, AddressChange, AddressKind, AttributeChange, Border, Change, Decision, DecisionKind,
    Drift, Expectation, Exposure, GuestImpact, Interruption, Party, Pending, Place, Plan, Reason,
    Reserve, Step, StepId, Usage, Way,
};

use super::{Next, PlanView, Row};
use crate::terminal::{Palette, WIDTH};
use crate::view::layout::width;

fn address(text: &str) -> Address {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn object(text: &str) -> ObjectId {
    ObjectId { address: address(text), host: address("site.mitte.host.kvm1"), incarnation: 0 }
}

fn position(line: u32) -> Position {
    Position { path: Arc::from("tenants/musterhausen/machines/vms.tcloud"), line, column: 3 }
}

fn attribute(
    path: &str,
    before: Option<Value>,
    after: Option<Value>,
    impact: Impact,
) -> AttributeChange {
    AttributeChange {
        path: AttrPath::parse(path),
        before,
        after,
        impact,
        drift: false,
        no_room: false,
        causes: Vec::new(),
    }
}

fn change(text: &str, action: Action, impact: Impact, attributes: Vec<AttributeChange>) -> Change {
    let object = object(text);
    Change {
        kind: object.address.kind().clone(),
        object,
        action,
        impact,
        waits: false,
        opens: None,
        until: None,
        reason: if action == Action::Create { Reason::New } else { Reason::Text },
        attributes,
        causes: vec![position(71)],
        previous_address: None,
        previous_host: None,
        guests: Vec::new(),
        written: None,
    }
}

fn empty() -> Plan {
    Plan { unchanged: 102, ..Plan::empty(Deployment::new("rz-mitte")) }
}

fn with(changes: Vec<Change>) -> Plan {
    let step = Step {
        id: StepId(0),
        change: 0,
        operation: None::<Operation>,
        expects: Expectation::Present(Digest([0; 16])),
        records: Vec::new(),
        after: Vec::new(),
    };
    Plan { changes, steps: vec![step], ..empty() }
}

fn show(plan: &Plan) -> String {
    let view = PlanView {
        palette: Palette::PLAIN,
        everything: false,
        observed: None,
        next: Next::Run("tcloud apply"),
    };
    let text = view.render(plan);
    for line in text.lines() {
        assert!(width(line) <= WIDTH, "{} columns: {line}", width(line));
        assert_eq!(line.trim_end(), line, "blanks at the end");
    }
    text
}

fn gib(n: u64) -> Option<Value> {
    Some(Value::Bytes(n << 30))
}

fn musterhausen() -> Plan {
    let mut plan = with(vec![new(), grown_live(), waiting(), losing(), larger()]);
    plan.decisions.push(Decision {
        id: "D1".to_owned(),
        kind: DecisionKind::DataLoss,
        address: address("tenant.musterhausen.vm.geo-db01.disk.root"),
        message: "disk root of geo-db01 would be made anew, and its 23 GiB of data deleted"
            .to_owned(),
        help: "keep the old image, or upgrade inside the guest".to_owned(),
        owners: vec![address("tenant.musterhausen")],
        approvers: Vec::new(),
        agreed: false,
    });
    plan.exposure = vec![opened()];
    plan.guests = vec![GuestImpact {
        guest: address("tenant.musterhausen.vm.geo-db01"),
        impact: Impact::RecreateLose,
        change: 3,
        interruption: Interruption::Measured { min: 380, max: 540, runs: 5 },
        addresses: vec![AddressChange {
            what: AddressKind::HostKey,
            nic: None,
            before: None,
            after: None,
        }],
        condition: None,
        causes: vec![],
    }];
    let tenant = || address("tenant.musterhausen");
    let mut pool =
        usage(address("site.mitte.pool.ssd-a"), "storage", (11 << 40, 11 << 40, 12 << 40));
    pool.host = Some(address("site.mitte.host.kvm2"));
    plan.usage = vec![
        usage(tenant(), "memory", (180 << 30, 184 << 30, 192 << 30)),
        Usage { bytes: false, ..usage(tenant(), "vcpus", (90, 92, 96)) },
        pool,
        Usage { bytes: false, ..usage(address("tenant.quiet"), "vcpus", (1, 1, 96)) },
    ];
    plan.reserves = vec![Reserve {
        site: address("site.mitte"),
        resource: Name::new("memory"),
        host: address("site.mitte.host.kvm2"),
        before: 35 << 30,
        after: 31 << 30,
        bytes: true,
    }];
    plan.drift.push(Drift {
        object: object("tenant.musterhausen.vm.eakte"),
        kind: Name::new("vm"),
        attributes: Vec::new(),
        vanished: false,
    });
    let firmware = attribute("firmware", text("bios"), text("uefi"), Impact::PowerCycle);
    plan.pending.push(Pending {
        object: object("tenant.musterhausen.vm.old"),
        attributes: vec![firmware],
        opens: None,
    });
    plan.foreign = 4;
    plan
}

fn opened() -> Exposure {
    let party = |network: &str, guests: usize| Party {
        place: Place::Network(address(network)),
        tenants: vec![],
        guests,
        named: vec![],
    };
    Exposure {
        way: Way::Opens,
        from: party("tenant.kreis-beispielland.network.app", 11),
        to: party("tenant.musterhausen.network.fach", 4),
        ports: vec!["5432/tcp".to_owned()],
        border: Border::Tenant,
        created: false,
        kept: vec![Place::Network(address("site.mitte.network.admin"))],
        decision: Some("D2".to_owned()),
        causes: vec![position(23)],
    }
}

fn usage(owner: Address, resource: &str, (before, after, limit): (u64, u64, u64)) -> Usage {
    let resource = Name::new(resource);
    Usage { owner, host: None, resource, before, after, limit: Some(limit), bytes: true }
}

fn text(text: &str) -> Option<Value> {
    Some(Value::text(text))
}

fn losing() -> Change {
    let reference = |text| Some(Value::Ref(address(text)));
    let (old, new) = (reference("image.debian-12"), reference("image.debian-13"));
    let mut lost = change(
        "tenant.musterhausen.vm.geo-db01.disk.root",
        Action::ReplaceDeleteFirst,
        Impact::RecreateLose,
        vec![attribute("image", old, new, Impact::RecreateLose)],
    );
    lost.written = Some(23 << 30);
    lost.guests = vec![address("tenant.musterhausen.vm.geo-db01")];
    lost
}

fn grown_live() -> Change {
    let vcpus = attribute("vcpus", Some(Value::Int(4)), Some(Value::Int(6)), Impact::Live);
    let memory = attribute("memory", gib(8), gib(12), Impact::Live);
    let name = "tenant.musterhausen.vm.app01";
    change(name, Action::Update, Impact::Live, vec![vcpus, memory])
}

fn waiting() -> Change {
    let machine = attribute("machine", text("pc"), text("q35"), Impact::PowerCycle);
    let name = "tenant.musterhausen.vm.dms01";
    Change { waits: true, ..change(name, Action::Update, Impact::PowerCycle, vec![machine]) }
}

fn larger() -> Change {
    let size = attribute("size", gib(500), gib(800), Impact::LiveGuest);
    let name = "tenant.musterhausen.volume.dms-data";
    change(name, Action::Update, Impact::LiveGuest, vec![size])
}

fn new() -> Change {
    let name = "tenant.musterhausen.citizen-portal.main.vm.app[1]";
    change(name, Action::Create, Impact::None, Vec::new())
}

#[test]
fn the_worst_comes_first_and_the_last_lines_say_what_to_run() {
    insta::assert_snapshot!(show(&musterhausen()));
}

#[test]
fn nothing_to_do_is_one_sentence() {
    assert_eq!(
        show(&empty()),
        "rz-mitte\n\n  102 unchanged\n\nNothing to do: what runs is what the text says.\n"
    );
    let waiting = Plan { pending: musterhausen().pending, ..empty() };
    let shown = show(&waiting);
    assert!(shown.contains("1 guest waits for a stop and start:\n"), "{shown}");
    let last = shown.lines().last().unwrap_or_default();
    assert!(last.starts_with("Nothing to do until") && last.len() <= 100, "{last}");
}

#[test]
fn what_happens_now_stands_before_what_waits() {
    let mut change = waiting();
    let disk = Value::map([(Name::new("volume"), Value::text("archive"))].into_iter().collect());
    let disk = attribute("disk.archive", Some(disk), None, Impact::Live);
    change.attributes.push(disk);
    let row = Row::of(&change, None).render(Palette::PLAIN, 8);
    let lines: Vec<&str> = row.lines().map(str::trim).collect();
    assert!(lines[0].contains("now: disk.archive removed"), "{row}");
    assert_eq!(lines[1..], ["at its next start: machine \"pc\" -> \"q35\""]);
    let alone = Row::of(&waiting(), None).phrases().join(", ");
    assert_eq!(alone, "at its next start: machine \"pc\" -> \"q35\"");
}

#[test]
fn a_window_has_a_line_of_its_own() {
    let moment = |text: &str| serde_json::from_str(&format!("\"{text}\"")).expect(text);
    let opens: Moment = moment("2026-11-28T20:00:00+01:00[Europe/Berlin]");
    let change = Change { opens: Some(opens.clone()), ..waiting() };
    let row = Row::of(&change, None).render(Palette::PLAIN, 8);
    let lines: Vec<&str> = row.lines().map(str::trim).collect();
    assert_eq!(lines[1..], ["its window opens Sat 2026-11-28 20:00 Europe/Berlin"]);
    let until = moment("2026-11-29T00:00:00+01:00[Europe/Berlin]");
    let change = Change { waits: false, until: Some(until), ..waiting() };
    let row = Row::of(&change, None).render(Palette::PLAIN, 8);
    assert!(row.contains("stopped and started: machine"), "{row}");
    assert!(row.contains(" in its window, until Sun 2026-11-29 00:00 Europe/Berlin\n"), "{row}");
    let mut pending = musterhausen().pending;
    pending[0].opens = Some(opens);
    let shown = show(&Plan { pending, ..empty() });
    assert!(
        shown.contains("\n      its window opens Sat 2026-11-28 20:00 Europe/Berlin\n"),
        "{shown}"
    );
    assert!(shown.ends_with("is stopped and started, or a window opens.\n"), "{shown}");
}

/// Many guests that wait for the same take one line; for another window, another.
#[test]
fn guests_are_folded_by_their_windows() {
    let change = |number: usize| {
        let hour = 20 + number % 2;
        let opens = format!("\"2026-11-28T{hour}:00:00+01:00[Europe/Berlin]\"");
        let opens = Some(serde_json::from_str(&opens).expect("a moment"));
        let object = object(&format!("tenant.musterhausen.vm.web[{number}]"));
        Change { object, opens, ..waiting() }
    };
    let shown = show(&with((0..100).map(change).collect()));
    for hour in [20, 21] {
        let line = format!("its window opens Sat 2026-11-28 {hour}:00 Europe/Berlin");
        assert_eq!(shown.matches(&line).count(), 1, "{shown}");
    }
    assert_eq!(shown.matches("50 ").count(), 2, "{shown}");
}

/// What happens to guests of many tenants is told once, and so is how many they are.
#[test]
fn guests_of_many_tenants_are_counted_once() {
    let change = |number: usize| {
        let object = object(&format!("tenant.t{}.vm.web[{number}]", number / 4));
        Change { object, ..waiting() }
    };
    let mut changes: Vec<Change> = (0..202).map(change).collect();
    changes.extend((0..20).map(|_| new()));
    let shown = show(&with(changes));
    let line = shown.lines().find(|line| line.contains("in 51 tenants")).expect(&shown);
    assert!(line.contains("202 VMs, at its next start: machine"), "{shown}");
    assert_eq!(shown.matches("VMs").count(), 1, "{shown}");
}

#[test]
fn what_finds_no_slot_says_so() {
    let mut change = waiting();
    let nic = Value::map([(Name::new("network"), Value::text("lan"))].into_iter().collect());
    let nic = attribute("nic.b", None, Some(nic), Impact::PowerCycle);
    change.attributes = vec![AttributeChange { no_room: true, ..nic }];
    let told = Row::of(&change, None).phrases().join(", ");
    assert_eq!(told, "at its next start: nic.b added (no slot is free)");
}

#[test]
fn every_action_has_its_word() {
    let of = |action, impact| change("tenant.a.vm.b", action, impact, Vec::new());
    let mut now = of(Action::Update, Impact::PowerCycle);
    now.guests = vec![address("tenant.a.vm.b")];
    let mut gone = change("tenant.a.volume.v", Action::Delete, Impact::RecreateLose, Vec::new());
    gone.reason = Reason::Removed;
    gone.causes.clear();
    let mut migrated = of(Action::Migrate, Impact::Live);
    migrated.previous_host = Some(address("site.mitte.host.kvm2"));
    migrated.reason = Reason::Placement;
    let mut moved = of(Action::Move, Impact::None);
    moved.previous_address = Some(address("tenant.a.vm.old"));
    let network = {
        let mut change = change(
            "tenant.a.network.n",
            Action::ReplaceDeleteFirst,
            Impact::RecreateKeep,
            Vec::new(),
        );
        change.guests = vec![address("tenant.a.vm.b"), address("tenant.a.vm.c")];
        change
    };
    let mut removed = of(Action::Delete, Impact::RecreateKeep);
    removed.reason = Reason::Removed;
    insta::assert_snapshot!(show(&with(vec![
        of(Action::Create, Impact::None),
        of(Action::Update, Impact::Blocked),
        of(Action::Update, Impact::None),
        now,
        gone,
        network,
        of(Action::ReplaceCreateFirst, Impact::RecreateKeep),
        removed,
        of(Action::Adopt, Impact::None),
        moved,
        migrated,
        of(Action::Forget, Impact::None),
    ])));
}

/// A new name is the least of what happens then.
#[test]
fn what_else_happens_to_what_is_renamed_or_adopted_comes_first() {
    let memory = |gib: u64| Some(Value::Bytes(gib << 30));
    let with_memory = |name: &str, action, impact| {
        let attribute = attribute("memory", memory(4), memory(3), impact);
        let mut change = change(name, action, impact, vec![attribute]);
        change.reason = Reason::Statement;
        change.guests = vec![address(name)];
        change
    };
    let mut moved = with_memory("tenant.a.vm.moved", Action::Move, Impact::PowerCycle);
    moved.previous_address = Some(address("tenant.a.vm.old"));
    let mut waits = with_memory("tenant.a.vm.waits", Action::Move, Impact::PowerCycle);
    (waits.waits, waits.previous_address) = (true, Some(address("tenant.a.vm.waited")));
    let adopted = with_memory("tenant.a.vm.adopted", Action::Adopt, Impact::Live);
    let mut migrated = with_memory("tenant.a.vm.migrated", Action::Migrate, Impact::Live);
    migrated.previous_address = Some(address("tenant.a.vm.before"));
    insta::assert_snapshot!(show(&with(vec![adopted, migrated, waits, moved])));
}

#[test]
fn many_equal_creations_take_one_line_and_verbose_lists_them() {
    let create = |tenant: usize, n: usize| {
        change(&format!("tenant.t{tenant}.vm.web[{n}]"), Action::Create, Impact::None, Vec::new())
    };
    let mut changes: Vec<Change> = (1..=40).map(|n| create(1, n)).collect();
    changes.push(create(2, 1));
    changes.push(change("tenant.t1.volume.a", Action::Delete, Impact::RecreateLose, Vec::new()));
    let plan = with(changes);
    insta::assert_snapshot!(show(&plan));
    let all =
        PlanView { palette: Palette::PLAIN, everything: true, observed: None, next: Next::Nothing };
    assert_eq!(all.render(&plan).matches("  create ").count(), 41);

    let many = (0..200).flat_map(|t| (0..5).map(move |n| create(t, n))).collect();
    let text = show(&with(many));
    assert!(text.contains("in 200 tenants"), "{text}");
    assert!(text.contains("1000 VMs"), "{text}");
    assert!(text.lines().count() < 12, "{text}");
}

#[test]
fn what_hosts_say_cannot_command_the_terminal() {
    let mut nasty = change(
        "tenant.a.vm.b",
        Action::Update,
        Impact::Live,
        vec![attribute(
            "title",
            Some(Value::text("\u{1b}[2K\u{202e}")),
            Some(Value::text("x")),
            Impact::None,
        )],
    );
    nasty.causes = vec![Position { path: Arc::from("a\u{1b}.tcloud"), line: 1, column: 1 }];
    let mut plan = with(vec![nasty]);
    plan.unchecked.push("host kvm1 said \u{9b}1m\r".to_owned());
    let text = show(&plan);
    assert!(!text.replace('\n', "").contains(tcloud_model::value::is_unsafe_to_print), "{text:?}");
}
