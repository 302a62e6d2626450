//! The medium that a new guest reads its first settings from: a cloud-init NoCloud seed, built here
//! and not by another program. What is in it depends on the text alone, so that the same text gives
//! the same bytes. It is made with its guest and never changed: what
//! changes in the text afterwards reaches guests that are made anew.
//!
//! Everything is written by a serializer, as JSON, which is YAML in which every text is in quotes:
//! nothing in a value can become structure.

mod iso;
mod json;

#[cfg(test)]
mod tests;

use std::net::IpAddr;

use serde_json::{Map, Value as Json, json};
use tcloud_model::{Fields, Identity, Name, Value};

/// The largest part of a seed, in bytes. cloud-init reads parts whole.
pub const LARGEST: usize = 64 << 10;

/// What the first line of user-data has to be: it says what the rest is.
const HEADER: &str = "#cloud-config\n";

/// A NIC as its guest has to set it up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeedNic {
    /// Its name in the text.
    pub label: Name,
    /// How the guest recognises it.
    pub mac: [u8; 6],
    /// Its address with the length of the network's prefix; without it, the guest asks by DHCP.
    pub address: Option<(IpAddr, u8)>,
    /// The way to everything else.
    pub gateway: Option<IpAddr>,
    /// Who knows names.
    pub dns: Vec<IpAddr>,
}

/// The parts of a seed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seed {
    user_data: String,
    meta_data: String,
    network_config: Option<String>,
}

/// Why there is no such seed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SeedError {
    /// A part is too large.
    #[error("the {part} of its cloud-init seed has {size} bytes, and at most {LARGEST} are read")]
    TooLarge {
        /// Which.
        part: &'static str,
        /// How large it is.
        size: usize,
    },
    /// The user-data does not say what it is.
    #[error("the user-data of its cloud-init seed does not begin with #cloud-config")]
    Header,
    /// A name that is none.
    #[error("hostname {} is not a host name: letters, digits and hyphens, with dots between", Value::text(.0))]
    Hostname(String),
    /// A secret that nobody looked up.
    #[error("{0} of cloud_init is a secret that was not looked up")]
    Secret(String),
}

impl Seed {
    /// The seed of a guest; `None` when there is nothing to say to it.
    ///
    /// # Errors
    /// When a part is too large, or the host name is none.
    pub fn of(
        guest: &Identity,
        attributes: &Fields,
        nics: &[SeedNic],
    ) -> Result<Option<Seed>, SeedError> {
        let nothing = ["hostname", "cloud_init", "ssh_keys"]
            .iter()
            .all(|name| matches!(attributes.get(name), None | Some(Value::None)));
        if nothing {
            return Ok(None);
        }
        let hostname = attributes.text("hostname");
        if let Some(name) = hostname.filter(|name| !is_hostname(name)) {
            return Err(SeedError::Hostname(name.to_owned()));
        }
        let mut meta = Map::new();
        meta.insert("instance-id".to_owned(), json!(guest.uuid.to_string()));
        if let Some(name) = hostname {
            meta.insert("local-hostname".to_owned(), json!(name));
        }
        let config = user_data(attributes)?;
        let network = (!nics.is_empty()).then(|| json::write(&network_config(nics)));
        let seed = Seed {
            user_data: format!("{HEADER}{}\n", json::write(&config)),
            meta_data: json::write(&Json::Object(meta)),
            network_config: network,
        };
        seed.check()?;
        Ok(Some(seed))
    }

    fn check(&self) -> Result<(), SeedError> {
        let Seed { user_data, meta_data, network_config } = self;
        let network_config = network_config.as_deref().unwrap_or_default();
        let parts = [
            ("user-data", &**user_data),
            ("meta-data", meta_data),
            ("network-config", network_config),
        ];
        if let Some((part, text)) = parts.into_iter().find(|(_, text)| text.len() > LARGEST) {
            return Err(SeedError::TooLarge { part, size: text.len() });
        }
        if !user_data.starts_with(HEADER) {
            return Err(SeedError::Header);
        }
        Ok(())
    }

    /// The medium: an ISO 9660 file system with the label `cidata`.
    pub fn image(&self) -> Vec<u8> {
        let mut files = vec![("meta-data", self.meta_data.as_bytes())];
        if let Some(network) = &self.network_config {
            files.push(("network-config", network.as_bytes()));
        }
        files.push(("user-data", self.user_data.as_bytes()));
        iso::image("cidata", &files)
    }
}

/// The name of the volume that holds the seed of a guest. It says nothing of what is in it: a digest of
/// a seed with a weak password, in a name that everybody may read, would let it be guessed.
pub fn volume(guest: &Identity) -> String {
    format!("{}{}", guest.name, suffix(guest))
}

/// Whether a volume of this name holds the seed of a guest, which may have had another name then.
pub fn is_of(guest: &Identity, volume: &str) -> bool {
    volume.ends_with(&suffix(guest))
}

fn suffix(guest: &Identity) -> String {
    let whole = guest.uuid.simple().to_string();
    format!(".seed-{}.iso", &whole[..12])
}

fn is_hostname(name: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    };
    name.len() <= 253 && name.split('.').all(is_label)
}

fn user_data(attributes: &Fields) -> Result<Json, SeedError> {
    let mut config = match attributes.get("cloud_init") {
        Some(Value::Map(fields)) => object(fields, "")?,
        _ => Map::new(),
    };
    if let Some(name) = attributes.text("hostname") {
        config.insert("hostname".to_owned(), json!(name));
    }
    let keys: Vec<&str> = attributes.list("ssh_keys").iter().filter_map(Value::as_text).collect();
    if !keys.is_empty() {
        config.insert("ssh_authorized_keys".to_owned(), json!(keys));
    }
    if let Some(Json::Array(users)) = config.get_mut("users") {
        for user in users.iter_mut().filter_map(Json::as_object_mut) {
            if let Some(keys) = user.remove("ssh_keys") {
                user.insert("ssh_authorized_keys".to_owned(), keys);
            }
        }
        // Without its name in the list, the image's own user would not be made.
        users.insert(0, json!("default"));
    }
    Ok(Json::Object(config))
}

fn object(fields: &Fields, at: &str) -> Result<Map<String, Json>, SeedError> {
    let mut all = Map::new();
    for (name, field) in fields.iter().filter(|(_, value)| **value != Value::None) {
        all.insert(name.to_string(), value(field, &format!("{at}{name}"))?);
    }
    Ok(all)
}

fn value(from: &Value, at: &str) -> Result<Json, SeedError> {
    Ok(match from {
        Value::Bool(flag) => Json::Bool(*flag),
        Value::Int(number) => json!(number),
        Value::Text(text) => json!(&**text),
        Value::List(items) => {
            let items = items.iter().map(|item| value(item, at));
            Json::Array(items.collect::<Result<_, _>>()?)
        }
        Value::Map(fields) => Json::Object(object(fields, &format!("{at}."))?),
        Value::Secret(_) => return Err(SeedError::Secret(at.to_owned())),
        other => json!(other.to_string()),
    })
}

/// The network configuration, version 2: every NIC is known by its MAC.
fn network_config(nics: &[SeedNic]) -> Json {
    let mut cards = Map::new();
    let mut has_way_out = false;
    for (number, nic) in nics.iter().enumerate() {
        let SeedNic { label: _, mac, address, gateway, dns } = nic;
        let mac = crate::domain::mac_text(*mac);
        let mut card = json!({ "match": { "macaddress": mac } });
        let Some(own) = card.as_object_mut() else { continue };
        match address {
            Some((address, length)) => {
                own.insert("addresses".to_owned(), json!([format!("{address}/{length}")]));
                // One way out is enough; a second one would make it random which is taken.
                if let Some(gateway) = gateway.filter(|_| !has_way_out) {
                    let everywhere = if gateway.is_ipv4() { "0.0.0.0/0" } else { "::/0" };
                    let route = json!([{ "to": everywhere, "via": gateway.to_string() }]);
                    own.insert("routes".to_owned(), route);
                    has_way_out = true;
                }
                if !dns.is_empty() {
                    let servers: Vec<String> = dns.iter().map(IpAddr::to_string).collect();
                    own.insert("nameservers".to_owned(), json!({ "addresses": servers }));
                }
            }
            None => {
                own.insert("dhcp4".to_owned(), json!(true));
            }
        }
        cards.insert(format!("nic{number}"), card);
    }
    json!({ "version": 2, "ethernets": cards })
}
