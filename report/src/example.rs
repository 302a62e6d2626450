//! A plan that has a bit of everything, for tests.

use std::sync::Arc;

use tcloud_model::value::SecretPart;
use tcloud_model::{
    Address, AttrPath, Deployment, Impact, Moment, Name, ObjectId, Operation, OperationKind,
    Output, Position, Timestamp, Value, Window,
};
use tcloud_planner::Plan;
use tcloud_planner::plan::{
    Action, AddressChange, AddressKind, AttributeChange, Border, Change, Decision, DecisionKind,
    Drift, Expectation, Exposure, GuestImpact, Interruption, Party, Pending, Place, Reason,
    Reserve, Step, StepId, Usage, Way,
};

fn address(text: &str) -> Address {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn object(text: &str) -> ObjectId {
    ObjectId { address: address(text), host: address("site.mitte.host.kvm1"), incarnation: 0 }
}

fn at(line: u32, column: u32) -> Position {
    Position { path: "tenants/musterhausen.tcloud".into(), line, column }
}

fn attribute(path: &str, values: [Value; 2], impact: Impact, line: u32) -> AttributeChange {
    let [before, after] = values;
    AttributeChange {
        path: AttrPath::parse(path),
        before: Some(before),
        after: Some(after),
        impact,
        drift: false,
        no_room: false,
        causes: vec![at(line, 3)],
    }
}

/// A plan with nothing in it.
pub(crate) fn empty() -> Plan {
    Plan::empty(Deployment::new("rz-mitte"))
}

/// A change with nothing special about it.
pub(crate) fn change(text: &str, action: Action, impact: Impact) -> Change {
    let object = object(text);
    Change {
        kind: object.address.kind().clone(),
        object,
        action,
        impact,
        waits: false,
        opens: None,
        until: None,
        reason: Reason::Text,
        attributes: Vec::new(),
        causes: Vec::new(),
        previous_address: None,
        previous_host: None,
        guests: Vec::new(),
        written: None,
    }
}

fn changes() -> Vec<Change> {
    let gib = |n: u64| Value::Bytes(n << 30);
    let image = |name: &str| Value::Ref(Address::root("image", name, None));
    let vm = "tenant.musterhausen.vm.app[1]";
    let live = Change {
        attributes: vec![
            attribute("memory", [gib(8), gib(12)], Impact::Live, 42),
            attribute("vcpus", [Value::Int(4), Value::Int(6)], Impact::Live, 43),
        ],
        causes: vec![at(42, 3)],
        guests: vec![address(vm)],
        ..change(vm, Action::Update, Impact::Live)
    };
    let lost = Change {
        attributes: vec![attribute(
            "image",
            [image("debian-12"), image("debian-13")],
            Impact::RecreateLose,
            71,
        )],
        causes: vec![at(71, 3)],
        guests: vec![address("tenant.musterhausen.vm.geo-db")],
        written: Some(23 << 30),
        ..change(
            "tenant.musterhausen.vm.geo-db.disk.root",
            Action::ReplaceDeleteFirst,
            Impact::RecreateLose,
        )
    };
    let waiting = Change {
        waits: true,
        opens: Some(opens()),
        attributes: vec![attribute(
            "firmware",
            [Value::text("bios"), Value::text("uefi")],
            Impact::PowerCycle,
            80,
        )],
        ..change("tenant.musterhausen.vm.old", Action::Update, Impact::PowerCycle)
    };
    let created = AttributeChange {
        before: None,
        ..attribute("size", [Value::None, gib(500)], Impact::None, 17)
    };
    let created = Change {
        reason: Reason::New,
        attributes: vec![created],
        ..change("tenant.musterhausen.volume.archive", Action::Create, Impact::None)
    };
    let moved = Change {
        reason: Reason::Statement,
        previous_address: Some(address("tenant.musterhausen.vm.fileserver")),
        ..change("tenant.musterhausen.vm.files", Action::Move, Impact::None)
    };
    vec![live, moved, lost, waiting, created]
}

fn usage() -> Vec<Usage> {
    vec![
        Usage {
            owner: address("site.mitte.pool.fast"),
            host: Some(address("site.mitte.host.kvm1")),
            resource: Name::new("storage"),
            before: 10 << 40,
            after: 11 << 40,
            limit: Some(12 << 40),
            bytes: true,
        },
        Usage {
            owner: address("tenant.musterhausen"),
            host: None,
            resource: Name::new("vcpus"),
            before: 90,
            after: 92,
            limit: None,
            bytes: false,
        },
    ]
}

fn decisions() -> Vec<Decision> {
    let musterhausen = || address("tenant.musterhausen");
    vec![
        Decision {
            id: "D1".to_owned(),
            kind: DecisionKind::DataLoss,
            address: address("tenant.musterhausen.vm.geo-db.disk.root"),
            message: "23 GiB of data on the root disk of geo-db are lost".to_owned(),
            help: "agree with `--allow data-loss=…`".to_owned(),
            owners: vec![musterhausen()],
            approvers: vec!["it@musterhausen.example".to_owned()],
            agreed: false,
        },
        Decision {
            id: "D2".to_owned(),
            kind: DecisionKind::Exposure,
            address: address("tenant.musterhausen.network.fach"),
            message: exposure().sentence(),
            help: "agree with `--allow exposure=…`".to_owned(),
            owners: vec![address("tenant.kreis"), musterhausen()],
            approvers: Vec::new(),
            agreed: false,
        },
    ]
}

fn guests() -> Vec<GuestImpact> {
    let guest = |vm: &str, impact, change| GuestImpact {
        guest: address(&format!("tenant.musterhausen.vm.{vm}")),
        impact,
        change,
        interruption: Interruption::None,
        addresses: Vec::new(),
        condition: None,
        causes: Vec::new(),
    };
    let host_key =
        AddressChange { what: AddressKind::HostKey, nic: None, before: None, after: None };
    vec![
        GuestImpact {
            interruption: Interruption::Measured { min: 380, max: 540, runs: 5 },
            addresses: vec![host_key],
            causes: vec![at(71, 3)],
            ..guest("geo-db", Impact::RecreateLose, 2)
        },
        GuestImpact { causes: vec![at(42, 3)], ..guest("app[1]", Impact::Live, 0) },
    ]
}

fn exposure() -> Exposure {
    let party = |tenant: &str, network: &str, guests: &[&str]| Party {
        place: Place::Network(address(&format!("tenant.{tenant}.network.{network}"))),
        tenants: vec![address(&format!("tenant.{tenant}"))],
        guests: guests.len(),
        named: guests.iter().map(|vm| address(&format!("tenant.{tenant}.vm.{vm}"))).collect(),
    };
    Exposure {
        way: Way::Opens,
        from: party("kreis", "app", &["app[1]", "app[2]"]),
        to: party("musterhausen", "fach", &["geo-db", "dms-db"]),
        ports: vec!["5432/tcp".to_owned()],
        border: Border::Tenant,
        created: false,
        kept: vec![Place::Space("10.9.0.0/16".parse().unwrap_or_else(|e| panic!("{e}")))],
        decision: Some("D2".to_owned()),
        causes: vec![at(23, 5)],
    }
}

fn secret() -> Value {
    let parts = [SecretPart::Text("postgres://app:".into()), SecretPart::Source("env:DB".into())];
    Value::Secret(parts.into())
}

/// What is asked of the provider for the volume that is made.
fn creation() -> Operation {
    let json = r#"{
        "object": {"address": "tenant.musterhausen.volume.archive",
            "host": "site.mitte.host.kvm1", "incarnation": 0},
        "kind": "volume",
        "identity": {"uuid": "00000000-0000-4000-8000-000000000002", "name": "m.archive"},
        "do": "create",
        "attributes": {"size": {"$bytes": 536870912000}, "pool": {"$ref": "site.mitte.pool.fast"}},
        "stamp": {"deployment": "00000000-0000-4000-8000-000000000001",
            "address": "tenant.musterhausen.volume.archive", "incarnation": 0,
            "digest": "00000000000000000000000000000000", "protect": true, "create_first": false,
            "dependencies": []}
    }"#;
    let mut operation: Operation = serde_json::from_str(json).expect("an operation");
    if let OperationKind::Create { attributes, .. } = &mut operation.action {
        Arc::make_mut(attributes).insert("description", secret());
    }
    operation
}

/// When a window opens.
fn opens() -> Moment {
    let now: Timestamp = "2026-11-23T08:00:00Z".parse().expect("a time");
    let window = Window::parse("Sat 20:00-24:00 Europe/Berlin").expect("a window");
    window.next_opening(now).expect("a Saturday")
}

/// A plan that has a bit of everything.
pub(crate) fn plan() -> Plan {
    let changes = changes();
    let steps = (0..5).map(|n: u32| Step {
        id: StepId(n),
        change: n,
        operation: (n == 4).then(creation),
        expects: Expectation::Absent,
        records: Vec::new(),
        after: if n == 3 { vec![StepId(0), StepId(2)] } else { Vec::new() },
    });
    let by_hand = AttributeChange {
        drift: true,
        no_room: false,
        causes: Vec::new(),
        ..attribute("memory", [Value::Bytes(4 << 30), Value::Bytes(6 << 30)], Impact::Live, 1)
    };
    Plan {
        steps: steps.collect(),
        drift: vec![Drift {
            object: object("tenant.musterhausen.vm.eakte"),
            kind: Name::new("vm"),
            attributes: vec![by_hand.clone()],
            vanished: false,
        }],
        decisions: decisions(),
        guests: guests(),
        exposure: vec![exposure()],
        usage: usage(),
        reserves: vec![Reserve {
            site: address("site.mitte"),
            resource: Name::new("memory"),
            host: address("site.mitte.host.kvm1"),
            before: 35 << 30,
            after: 31 << 30,
            bytes: true,
        }],
        pending: vec![Pending {
            object: object("tenant.musterhausen.vm.dms"),
            attributes: vec![AttributeChange { drift: false, ..by_hand }],
            opens: Some(opens()),
        }],
        outputs: vec![Output {
            name: Name::new("tenant.musterhausen.db-url"),
            doc: "Where the database is.".to_owned(),
            value: secret(),
        }],
        changes,
        unchanged: 102,
        foreign: 3,
        unchecked: vec!["site.mitte.host.kvm9 did not answer: \u{1b}[31mtimeout".to_owned()],
        ..empty()
    }
}
