//! The messages: JSON-RPC 2.0, and what its methods take and give. Everything is strict – unknown
//! fields and words are errors – except the first message and its answer, which have to be
//! understood by every version there ever was and will be.

use std::borrow::Cow;
use std::sync::Arc;

use serde::de::{self, DeserializeOwned};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use tcloud_model::{
    Address, Fields, Hold, HostFacts, Name, ObservedObject, Operation, Room, Stamp,
};
use tcloud_provider::{HostConfig, ProviderError, Retry};
use uuid::Uuid;

/// The version of the protocol that this crate speaks.
pub const VERSION: u32 = 1;

/// The number of a request.
pub type RequestId = u64;

/// The number that a plugin gave to a host that it reached.
pub type Connection = u64;

/// The methods.
pub mod method {
    /// The first request: [`super::Hello`] to [`super::Welcome`].
    pub const HELLO: &str = "hello";
    /// What the provider is and can: nothing to `tcloud_provider::Description`.
    pub const DESCRIBE: &str = "describe";
    /// Reaches a host: `tcloud_provider::HostConfig` to [`super::Configured`].
    pub const CONFIGURE: &str = "configure";
    /// Everything on the host: [`super::OnConnection`] to [`super::Observed`].
    pub const OBSERVE: &str = "observe";
    /// One object: [`super::OfOperation`] to [`super::Answer`].
    pub const LOOK: &str = "look";
    /// Carries out an operation: [`super::OfOperation`] to [`super::Answer`].
    pub const APPLY: &str = "apply";
    /// Lets go of a host: [`super::OnConnection`] to [`super::Nothing`].
    pub const SHUTDOWN: &str = "shutdown";
    /// Notification: a request is given up ([`super::Cancel`]). It is still answered, at once.
    pub const CANCEL: &str = "cancel";
    /// Notification by the plugin: a part of an observation ([`super::Objects`]).
    pub const OBJECTS: &str = "objects";
    /// Notification by the plugin: words about a request under way ([`super::Progress`]).
    pub const PROGRESS: &str = "progress";
    /// What a person does behind the provider's back, for tests only, and optional:
    /// [`super::ByHandRequest`] to [`super::Done`].
    pub const BY_HAND: &str = "by_hand";
}

/// Codes of errors; those of JSON-RPC, of language servers, and our own.
pub mod code {
    /// It is not JSON.
    pub const PARSE: i64 = -32700;
    /// It is no request.
    pub const REQUEST: i64 = -32600;
    /// There is no such method.
    pub const METHOD: i64 = -32601;
    /// The method takes something else.
    pub const PARAMS: i64 = -32602;
    /// A mistake of the plugin itself.
    pub const INTERNAL: i64 = -32603;
    /// The request was given up.
    pub const CANCELLED: i64 = -32800;
    /// The provider failed; [`super::ErrorData`] says how.
    pub const FAILED: i64 = 1;
}

/// The text "2.0".
#[derive(Clone, Copy, Debug, Default)]
pub struct Two;

impl Serialize for Two {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("2.0")
    }
}

impl<'de> Deserialize<'de> for Two {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Two, D::Error> {
        match <Cow<'de, str>>::deserialize(deserializer)?.as_ref() {
            "2.0" => Ok(Two),
            _ => Err(de::Error::custom("`jsonrpc` is not \"2.0\"")),
        }
    }
}

/// A message of tcloud: a request when it has a number, otherwise a notification.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToPlugin<'a> {
    /// Always "2.0".
    pub jsonrpc: Two,
    /// The number of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<RequestId>,
    /// What is asked.
    #[serde(borrow)]
    pub method: Cow<'a, str>,
    /// What about; an object.
    #[serde(borrow)]
    pub params: &'a RawValue,
}

/// A message of a plugin: an answer when it has a number, otherwise a notification.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FromPlugin<'a> {
    /// Always "2.0".
    pub jsonrpc: Two,
    /// The number of the request that is answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<RequestId>,
    /// What came of it.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub result: Option<&'a RawValue>,
    /// Why nothing came of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorObject>,
    /// What a notification is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<Cow<'a, str>>,
    /// What it says.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub params: Option<&'a RawValue>,
}

/// Why a request failed.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErrorObject {
    /// See [`code`].
    pub code: i64,
    /// In words an operator can act on.
    pub message: String,
    /// More about a provider's failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<ErrorData>,
}

/// More about a provider's failure.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErrorData {
    /// Whether trying again can help.
    pub retry: WireRetry,
    /// The newest known object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<Box<Object>>,
    /// The attribute that this host cannot make real, whatever its value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lacks: Option<String>,
}

/// Whether trying again can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WireRetry {
    /// It failed for good.
    Never,
    /// It had no effect and may be repeated.
    Later,
    /// Nobody knows whether it had an effect.
    Unknown,
    /// It was done, and has not led to what it was for.
    Unready,
}

/// The first message. It decodes for ever: later versions only add fields, and unknown ones are
/// passed over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Who speaks, with its version, for people: `tcloud 0.1.0`.
    pub client: String,
    /// The versions of the protocol that it speaks.
    pub protocols: Vec<u32>,
    /// The core kinds, as JSON of `tcloud_model::Schema`: what attributes there are, of which types,
    /// and what changing them may cost. A plugin in another language need not repeat the table.
    #[serde(default)]
    pub kinds: serde_json::Value,
}

/// The answer to the first message. It decodes for ever.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// The version that both will speak: one of those that were offered.
    pub protocol: u32,
    /// The provider's name, for people.
    pub name: String,
    /// Its version, for people.
    pub version: String,
}

/// Nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// A host that was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Configured {
    /// How the next requests name it.
    pub connection: Connection,
}

/// A request about a whole host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OnConnection {
    /// The host.
    pub connection: Connection,
}

/// A request about one object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OfOperation {
    /// The host.
    pub connection: Connection,
    /// What is to be done, or was.
    pub operation: Operation,
}

/// An object, or that there is none.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// The object.
    pub object: Option<Object>,
}

/// A host, or the rest of it after what came in [`Objects`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Observed {
    /// What it has and can.
    pub facts: Option<HostFacts>,
    /// What is on it.
    #[serde(default)]
    pub objects: Vec<Object>,
    /// What could not be read, in words.
    #[serde(default)]
    pub problems: Vec<String>,
}

/// A part of an observation.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Objects {
    /// The request that will be answered with the rest.
    pub request: RequestId,
    /// Some objects.
    pub objects: Vec<Object>,
}

/// Words about a request under way.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Progress {
    /// The request.
    pub request: RequestId,
    /// What is being done.
    pub message: String,
}

/// A request is given up.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cancel {
    /// Its number.
    pub request: RequestId,
}

/// What a person does on a host, behind the provider's back.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ByHandRequest {
    /// The host.
    pub host: HostConfig,
    /// What.
    pub action: Deed,
}

/// What a person does on a host; see `tcloud_provider::conformance::Outsider`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Deed {
    /// Makes an object without a stamp.
    Make {
        /// Its kind.
        kind: Name,
        /// Its name.
        name: Name,
    },
    /// Deletes an object.
    Delete {
        /// Its kind.
        kind: Name,
        /// Its name.
        name: Name,
    },
    /// Stops and starts a guest.
    PowerCycle {
        /// Its name.
        guest: Name,
    },
    /// Asks for something that stays the same as long as a guest is not interrupted.
    Process {
        /// Its name.
        guest: Name,
    },
    /// Asks for the attributes that the suite should use on this host.
    Fit {
        /// Of which object.
        address: Address,
        /// Those that it would use.
        attributes: Fields,
    },
}

/// What a person found.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Done {
    /// The answer to [`Deed::Process`]; `None` while the guest does not run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<String>,
    /// The answer to [`Deed::Fit`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attributes: Option<Fields>,
}

/// [`ObservedObject`], strictly read: a plugin that misspells a field is told so.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the fields are those of `ObservedObject`, and explained there")]
pub struct Object {
    pub kind: Name,
    pub name: Name,
    #[serde(default)]
    pub uuid: Option<Uuid>,
    #[serde(default)]
    pub stamp: Option<Stamp>,
    pub attributes: Arc<Fields>,
    #[serde(default)]
    pub pending: Arc<Fields>,
    #[serde(default)]
    pub written: Option<u64>,
    #[serde(default)]
    pub running: Option<bool>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kept: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holds: Vec<Hold>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room: Option<Room>,
}

impl From<ObservedObject> for Object {
    fn from(object: ObservedObject) -> Object {
        let ObservedObject {
            kind,
            name,
            uuid,
            stamp,
            attributes,
            pending,
            written,
            running,
            kept,
            holds,
            room,
        } = object;
        Object { kind, name, uuid, stamp, attributes, pending, written, running, kept, holds, room }
    }
}

impl From<Object> for ObservedObject {
    fn from(object: Object) -> ObservedObject {
        let Object {
            kind,
            name,
            uuid,
            stamp,
            attributes,
            pending,
            written,
            running,
            kept,
            holds,
            room,
        } = object;
        ObservedObject {
            kind,
            name,
            uuid,
            stamp,
            attributes,
            pending,
            written,
            running,
            kept,
            holds,
            room,
        }
    }
}

impl From<Retry> for WireRetry {
    fn from(retry: Retry) -> WireRetry {
        match retry {
            Retry::Never => WireRetry::Never,
            Retry::Later => WireRetry::Later,
            Retry::Unknown => WireRetry::Unknown,
            Retry::Unready => WireRetry::Unready,
        }
    }
}

impl From<WireRetry> for Retry {
    fn from(retry: WireRetry) -> Retry {
        match retry {
            WireRetry::Never => Retry::Never,
            WireRetry::Later => Retry::Later,
            WireRetry::Unknown => Retry::Unknown,
            WireRetry::Unready => Retry::Unready,
        }
    }
}

impl From<ProviderError> for ErrorObject {
    fn from(error: ProviderError) -> ErrorObject {
        let ProviderError { message, retry, object, lacks } = error;
        let object = object.map(|object| Box::new(Object::from(*object)));
        ErrorObject {
            code: code::FAILED,
            message,
            data: Some(ErrorData { retry: retry.into(), object, lacks }),
        }
    }
}

impl From<ErrorObject> for ProviderError {
    /// Without data, the codes of JSON-RPC that mean that nothing was begun are failures for good;
    /// of anything else nobody knows.
    fn from(error: ErrorObject) -> ProviderError {
        let ErrorObject { code, message, data } = error;
        let (retry, object, lacks) = match data {
            Some(ErrorData { retry, object, lacks }) => (retry.into(), object, lacks),
            None => match code {
                code::PARSE | code::REQUEST | code::METHOD | code::PARAMS => {
                    (Retry::Never, None, None)
                }
                _ => (Retry::Unknown, None, None),
            },
        };
        let object = object.map(|own| Box::new((*own).into()));
        ProviderError { message, retry, object, lacks }
    }
}

/// Reads the content of a frame or a part of it: UTF-8, JSON, and exactly what is expected.
///
/// # Errors
/// When it is something else, in words that quote nothing untrusted but escaped.
pub(crate) fn read<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned())?;
    serde_json::from_str(text).map_err(|error| error.to_string().escape_debug().to_string())
}

/// Reads parameters or a result.
///
/// # Errors
/// As [`read`].
pub(crate) fn read_part<T: DeserializeOwned>(part: &RawValue) -> Result<T, String> {
    read(part.get().as_bytes())
}

/// JSON of something that always has a JSON form.
pub(crate) fn json(what: &impl Serialize) -> Box<RawValue> {
    match serde_json::value::to_raw_value(what) {
        Ok(json) => json,
        Err(error) => unreachable!("BUG: messages have a JSON form: {error}"),
    }
}
