//! How long each report takes about 10,000 changed resources, and how large it is: changes that are
//! all equal, and changes that are all different. `cargo bench -p tcloud-report`.

#![expect(clippy::print_stdout, reason = "a measurement is there to be read")]

use std::sync::Arc;
use std::time::Instant;

use tcloud_model::{
    Address, AttrPath, Deployment, Digest, Fields, FieldsDigest, Identity, Impact, ObjectId,
    Position, Record, Stamp, Value,
};
use tcloud_planner::Plan;
use tcloud_planner::plan::{
    Action, AttributeChange, Change, Expectation, GuestImpact, Interruption, Reason, Step, StepId,
};
use tcloud_report::{About, Format, Lang, Origin, Report, write};

const VMS: u32 = 10_000;

fn main() {
    let origin = Origin::default();
    for (name, ways) in [("equal", 1), ("different", VMS)] {
        let plan = plan(ways);
        let report = Report {
            plan: &plan,
            origin: &origin,
            lang: Lang::English,
            about: About::Plan,
            silent: false,
        };
        for format in Format::ALL {
            let begun = Instant::now();
            let mut bytes = Vec::new();
            write(format, &report, &mut bytes).expect("memory takes everything");
            let (took, size) = (begun.elapsed().as_millis(), bytes.len());
            println!("{VMS} {name:<9} {:<17} {took:>6} ms {size:>12} bytes", format.name());
        }
    }
}

/// Every VM of 100 tenants on 50 hosts is given more memory, and stopped for it.
fn plan(ways: u32) -> Plan {
    let mut plan = Plan::empty(Deployment::new("large"));
    for number in 0..VMS {
        let change = change(number, ways);
        plan.guests.push(GuestImpact {
            guest: change.object.address.clone(),
            impact: Impact::PowerCycle,
            change: number,
            interruption: Interruption::Unknown,
            addresses: Vec::new(),
            condition: None,
            causes: change.causes.clone(),
        });
        plan.steps.push(step(number, &change));
        plan.changes.push(change);
    }
    plan
}

fn change(number: u32, ways: u32) -> Change {
    let address = |text: String| text.parse::<Address>().expect("an address");
    let vm = address(format!("tenant.t{}.vm.app[{number}]", number % 100));
    let causes = vec![Position { path: "main.tcloud".into(), line: number + 1, column: 3 }];
    Change {
        object: ObjectId {
            address: vm.clone(),
            host: address(format!("site.s.host.kvm{}", number % 50)),
            incarnation: 0,
        },
        kind: vm.kind().clone(),
        action: Action::Update,
        impact: Impact::PowerCycle,
        waits: false,
        opens: None,
        until: None,
        reason: Reason::Text,
        attributes: vec![AttributeChange {
            path: AttrPath::parse("memory"),
            before: Some(Value::Bytes(4 << 30)),
            after: Some(Value::Bytes(u64::from(number % ways + 5) << 30)),
            impact: Impact::PowerCycle,
            drift: false,
            no_room: false,
            causes: causes.clone(),
        }],
        causes,
        previous_address: None,
        previous_host: None,
        guests: vec![vm],
        written: None,
    }
}

fn step(number: u32, change: &Change) -> Step {
    let deployment = Deployment::new("large");
    let mut attributes = Fields::new();
    attributes.insert("memory", Value::Bytes(5 << 30));
    attributes.insert("image", Value::Ref(Address::root("image", "debian-13", None)));
    let record = Record {
        kind: change.kind.clone(),
        identity: Identity::derive(&deployment, &change.object, false),
        stamp: Stamp {
            deployment: deployment.id,
            address: change.object.address.clone(),
            incarnation: 0,
            digest: FieldsDigest::Known(Digest::of_fields(&attributes)),
            protect: false,
            create_first: false,
            dependencies: Arc::default(),
            triggers: None,
            previous: None,
            generation: 0,
        },
        attributes: Arc::new(attributes),
    };
    Step {
        id: StepId(number),
        change: number,
        operation: None,
        expects: Expectation::Absent,
        records: vec![(change.object.clone(), Some(Arc::new(record)))],
        // In rows of ten, one after another.
        after: if number.is_multiple_of(10) { Vec::new() } else { vec![StepId(number - 1)] },
    }
}
