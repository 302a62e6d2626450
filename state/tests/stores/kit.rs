//! What the tests of stores share: small entries, and a run that writes them.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tcloud_model::{
    Address, Deployment, Digest, Fields, FieldsDigest, Identity, Name, ObjectId, Operation,
    OperationKind, Record, Stamp, Value,
};
use tcloud_state::{
    Acquired, Body, Entry, Holder, Intent, IntentId, LeaseRequest, Outcome, RecordChange,
    Remembered, Scope, StepResult, Store, StoreError, Writer,
};
use uuid::Uuid;

pub(crate) const TTL: Duration = Duration::from_secs(30);

pub(crate) fn scope(text: &str) -> Scope {
    text.parse().expect(text)
}

pub(crate) fn object(address: &str) -> ObjectId {
    let address: Address = address.parse().expect(address);
    ObjectId { address, host: "site.m.host.kvm1".parse().expect("an address"), incarnation: 0 }
}

pub(crate) fn record(object: &ObjectId, size: u64) -> Arc<Record> {
    let deployment = Deployment::new("test");
    let mut attributes = Fields::new();
    attributes.insert("size", Value::Bytes(size));
    attributes.insert("network", Value::Ref("tenant.a.network.n".parse().expect("an address")));
    let stamp = Stamp {
        deployment: deployment.id,
        address: object.address.clone(),
        incarnation: object.incarnation,
        digest: FieldsDigest::Known(Digest::of_fields(&attributes)),
        protect: true,
        create_first: false,
        dependencies: Arc::new(["tenant.a.network.n".parse().expect("an address")]),
        triggers: None,
        previous: None,
        generation: 3,
    };
    let identity = Identity::derive(&deployment, object, false);
    let kind = object.address.kind().clone();
    Arc::new(Record { kind, identity, attributes: Arc::new(attributes), stamp })
}

pub(crate) fn put(object: &ObjectId, size: u64) -> RecordChange {
    RecordChange { object: object.clone(), record: Some(record(object, size)) }
}

pub(crate) fn remove(object: &ObjectId) -> RecordChange {
    RecordChange { object: object.clone(), record: None }
}

pub(crate) fn create(step: u32, object: &ObjectId, size: u64) -> Intent {
    let record = record(object, size);
    let operation = Operation {
        object: object.clone(),
        kind: Name::clone(&record.kind),
        identity: record.identity.clone(),
        action: OperationKind::Create {
            attributes: Arc::clone(&record.attributes),
            stamp: record.stamp.clone(),
        },
        references: Vec::new(),
    };
    Intent { step, operation, records: vec![put(object, size)] }
}

/// A run that holds scopes and writes to them.
pub(crate) struct Run {
    pub(crate) id: Uuid,
    pub(crate) writer: Writer,
}

pub(crate) fn holder(run: Uuid) -> Holder {
    Holder { run, who: "erika@rathaus".to_owned(), command: "apply".to_owned(), process: None }
}

pub(crate) fn request(run: Uuid, scopes: &[&str], ttl: Duration) -> LeaseRequest {
    let scopes = scopes.iter().map(|text| scope(text)).collect();
    LeaseRequest { scopes, holder: holder(run), ttl, ended: Vec::new() }
}

pub(crate) async fn begin(store: &Arc<dyn Store>, scopes: &[&str]) -> Run {
    let id = Uuid::new_v4();
    let acquired = store.acquire(&request(id, scopes, TTL)).await.expect("the store works");
    let Acquired::Granted(leases) = acquired else { panic!("held: {acquired:?}") };
    Run { id, writer: Writer::new(Arc::clone(store), id, &leases) }
}

impl Run {
    pub(crate) fn entry(&self, body: Body) -> Entry {
        Entry { run: self.id, time: Timestamp::UNIX_EPOCH, body }
    }

    pub(crate) fn outcome(&self, step: u32, result: StepResult, remembered: Remembered) -> Body {
        Body::Outcome(Outcome { intent: IntentId { run: self.id, step }, result, remembered })
    }

    pub(crate) async fn write(
        &mut self,
        scope_name: &str,
        bodies: Vec<Body>,
    ) -> Result<(), StoreError> {
        let entries = bodies.into_iter().map(|b| (scope(scope_name), self.entry(b))).collect();
        self.writer.append(entries).await
    }

    /// Creates an object: an intent and its outcome, each durable by itself.
    pub(crate) async fn create(&mut self, step: u32, address: &str, size: u64) {
        let object = object(address);
        let scope = Scope::of(&object.address).to_string();
        let intent = Body::Intent(create(step, &object, size));
        self.write(&scope, vec![intent]).await.expect("the intent is written");
        let done = self.outcome(step, StepResult::Done, Remembered::Planned);
        self.write(&scope, vec![done]).await.expect("the outcome is written");
    }
}
