//! The JSON form of a record in a store: short, since there may be half a million of them. What
//! the row's key says already is left out.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tcloud_model::{
    Address, Digest, Fields, FieldsDigest, Identity, Name, ObjectId, Record, Stamp,
};
use uuid::Uuid;

#[derive(Serialize)]
struct Written<'a> {
    kind: &'a Name,
    identity: &'a Identity,
    attributes: &'a Fields,
    stamp: WrittenStamp<'a>,
}

#[derive(Serialize)]
struct WrittenStamp<'a> {
    deployment: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<&'a Address>,
    #[serde(skip_serializing_if = "Option::is_none")]
    incarnation: Option<u32>,
    digest: Digest,
    protect: bool,
    create_first: bool,
    dependencies: &'a [Address],
    #[serde(skip_serializing_if = "Option::is_none")]
    triggers: Option<Digest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous: Option<&'a Address>,
    #[serde(skip_serializing_if = "Option::is_none")]
    generation: Option<u64>,
}

/// The JSON form.
pub(crate) fn to_json(object: &ObjectId, record: &Record) -> serde_json::Result<String> {
    let Record { kind, identity, attributes, stamp } = record;
    let Stamp {
        deployment,
        address,
        incarnation,
        digest,
        protect,
        create_first,
        dependencies,
        triggers,
        previous,
        generation,
    } = stamp;
    let stamp = WrittenStamp {
        deployment: *deployment,
        address: (*address != object.address).then_some(address),
        incarnation: (*incarnation != object.incarnation).then_some(*incarnation),
        digest: digest.get(),
        protect: *protect,
        create_first: *create_first,
        dependencies,
        triggers: *triggers,
        previous: previous.as_ref(),
        generation: (*generation > 0).then_some(*generation),
    };
    serde_json::to_string(&Written { kind, identity, attributes, stamp })
}

#[derive(Deserialize)]
struct Read<'a> {
    #[serde(borrow)]
    kind: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    identity: ReadIdentity<'a>,
    attributes: Fields,
    stamp: ReadStamp,
}

/// Like [`Identity`]; its name occurs once, so that it is not worth sharing.
#[derive(Deserialize)]
struct ReadIdentity<'a> {
    uuid: Uuid,
    #[serde(borrow)]
    name: std::borrow::Cow<'a, str>,
}

#[derive(Deserialize)]
struct ReadStamp {
    deployment: Uuid,
    #[serde(default)]
    address: Option<Address>,
    #[serde(default)]
    incarnation: Option<u32>,
    digest: Digest,
    protect: bool,
    create_first: bool,
    dependencies: Arc<[Address]>,
    #[serde(default)]
    triggers: Option<Digest>,
    #[serde(default)]
    previous: Option<Address>,
    #[serde(default)]
    generation: u64,
}

/// Reads the JSON form.
pub(crate) fn from_json(object: &ObjectId, json: &str) -> serde_json::Result<Record> {
    let Read { kind, identity, attributes, stamp } = serde_json::from_str(json)?;
    let ReadStamp {
        deployment,
        address,
        incarnation,
        digest,
        protect,
        create_first,
        dependencies,
        triggers,
        previous,
        generation,
    } = stamp;
    let stamp = Stamp {
        deployment,
        address: address.unwrap_or_else(|| object.address.clone()),
        incarnation: incarnation.unwrap_or(object.incarnation),
        digest: FieldsDigest::Known(digest),
        protect,
        create_first,
        dependencies,
        triggers,
        previous,
        generation,
    };
    // The kind is nearly always the address's own word, which is shared then.
    let own = object.address.kind();
    let kind = if *own == *kind { own.clone() } else { Name::new(&kind) };
    let identity = Identity { uuid: identity.uuid, name: Name::new(&identity.name) };
    Ok(Record { kind, identity, attributes: Arc::new(attributes), stamp })
}
