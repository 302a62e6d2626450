//! What is remembered of an object: its stamp and its record.

use std::sync::Arc;

use tcloud_model::{
    Address, Digest, Fields, FieldsDigest, Identity, Name, ObjectId, Record, Stamp, Value,
};

use crate::input::Input;
use crate::layout::Wanted;

/// The record of an object that is as the text wants it.
pub(crate) fn record(
    input: &Input<'_>,
    wanted: &Wanted<'_>,
    object: &ObjectId,
    identity: &Identity,
    attributes: Arc<Fields>,
    previous: Option<Address>,
) -> Arc<Record> {
    let stamp = Stamp {
        deployment: input.deployment.id,
        address: object.address.clone(),
        incarnation: object.incarnation,
        digest: FieldsDigest::Of(Arc::clone(&attributes)),
        protect: wanted.protect,
        create_first: wanted.create_first,
        dependencies: Arc::clone(&wanted.dependencies),
        triggers: triggers(wanted),
        previous,
        generation: 0,
    };
    Arc::new(Record {
        kind: object.address.kind().clone(),
        identity: identity.clone(),
        attributes,
        stamp,
    })
}

/// The record with the stamp that is on the object already, if that says the same: only what is
/// written gets the generation of the run that writes it.
pub(crate) fn keeping(mut record: Arc<Record>, stamp: Option<&Stamp>) -> Arc<Record> {
    if let Some(stamp) = stamp.filter(|stamp| record.stamp.says_the_same(stamp)) {
        Arc::make_mut(&mut record).stamp.clone_from(stamp);
    }
    record
}

/// The record of an object that this plan is not about, and that changes with another one: what the
/// text says of its life now is for a plan that is about it.
pub(crate) fn untouched(mut record: Arc<Record>, stamp: Option<&Stamp>) -> Arc<Record> {
    if let Some(Stamp { protect, create_first, triggers, .. }) = stamp {
        let own = &mut Arc::make_mut(&mut record).stamp;
        (own.protect, own.create_first, own.triggers) = (*protect, *create_first, *triggers);
    }
    record
}

/// Digest of the values of `replace_when`.
pub(crate) fn triggers(wanted: &Wanted<'_>) -> Option<Digest> {
    let values = &wanted.resource.lifecycle.replace_when;
    (!values.is_empty()).then(|| {
        let fields = [(Name::new("replace_when"), Value::list(values.clone()))];
        Digest::of_fields(&fields.into_iter().collect())
    })
}
