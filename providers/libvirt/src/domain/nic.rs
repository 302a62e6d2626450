//! NICs: the network that they are in, the card that the guest sees, how much they may do, and the
//! rules that their packets pass.

use tcloud_model::{Fields, Name, Value};

use super::amount::kilobytes;
use super::define::{Context, DefineError};
use super::label;
use crate::firewall;
use crate::stamp::Note;
use crate::xml::Element;

/// Writes the NICs that differ from what the definition has, and takes out those that are gone.
pub(super) fn write(
    domain: &mut Element,
    now: &Fields,
    wanted: &Fields,
    context: &Context<'_>,
) -> Result<(), DefineError> {
    let devices = domain.ensure("devices");
    devices.retain(|own| {
        let is_known = (own.name == "interface").then(|| label::of_nic(own)).flatten();
        is_known.is_none_or(|label| wanted.get(&label).is_some())
    });
    for (label, fields) in wanted.iter() {
        let Value::Map(fields) = fields else { continue };
        let place = devices.elements_mut("interface");
        let own = place.into_iter().find(|own| label::of_nic(own).as_ref() == Some(label));
        match own {
            Some(own) => {
                let nothing = Fields::new();
                let before = now.map(label).map_or(&nothing, |own| own);
                change(own, label, before, fields, context)?;
            }
            None => devices.push(element(label, fields, context)?),
        }
    }
    Ok(())
}

/// The device of a NIC.
pub(super) fn element(
    label: &Name,
    fields: &Fields,
    context: &Context<'_>,
) -> Result<Element, DefineError> {
    let mut nic = Element::new("interface").attr("type", "network");
    if let Some(Value::Mac(mac)) = fields.get("mac") {
        nic.push(Element::new("mac").attr("address", mac_text(*mac)));
    }
    let network = network(label, fields, context)?;
    let filter = firewall::reference(&context.identity.name, label, fields, &network);
    nic.push(Element::new("source").attr("network", network));
    set_rate(&mut nic, fields.number("max_rate"));
    let model = fields.text("model").unwrap_or("virtio");
    nic.push(Element::new("model").attr("type", model));
    set_filter(&mut nic, filter.as_ref());
    nic.push(Element::new("alias").attr("name", label::alias(label::NIC, label)));
    Ok(nic)
}

/// Changes a NIC; also used on the device of a running guest, for what it can change.
pub(super) fn change(
    nic: &mut Element,
    label: &Name,
    before: &Fields,
    after: &Fields,
    context: &Context<'_>,
) -> Result<(), DefineError> {
    if before.get("network") != after.get("network") {
        let name = network(label, after, context)?;
        nic.set("type", "network");
        nic.put(Element::new("source").attr("network", name));
        nic.remove("virtualport");
    }
    if before.get("mac") != after.get("mac")
        && let Some(Value::Mac(mac)) = after.get("mac")
    {
        nic.put(Element::new("mac").attr("address", mac_text(*mac)));
    }
    if before.get("model") != after.get("model") {
        let model = after.text("model").unwrap_or("virtio");
        nic.put(Element::new("model").attr("type", model));
        // Cards of another kind sit in another kind of slot.
        nic.remove("address");
        nic.remove("driver");
    }
    if before.get("max_rate") != after.get("max_rate") {
        set_rate(nic, after.number("max_rate"));
    }
    if after.flag("filter") == Some(false) {
        set_filter(nic, None);
    } else if let Ok(network) = network(label, after, context) {
        let filter = firewall::reference(&context.identity.name, label, after, &network);
        set_filter(nic, filter.as_ref());
    }
    Ok(())
}

fn network(label: &Name, nic: &Fields, context: &Context<'_>) -> Result<String, DefineError> {
    let network = nic.get("network");
    let name = network.and_then(|network| context.directory.network(network));
    name.map(str::to_owned).ok_or_else(|| DefineError::NoNetwork {
        nic: label.clone(),
        network: network.map(Value::to_string).unwrap_or_default(),
    })
}

/// Sets the most that it may use, in both directions.
fn set_rate(nic: &mut Element, rate: Option<u64>) {
    nic.remove("bandwidth");
    if let Some(rate) = rate {
        let limit = |name: &str| Element::new(name).attr("average", kilobytes(rate));
        nic.push(Element::new("bandwidth").child(limit("inbound")).child(limit("outbound")));
    }
}

/// Refers to a filter, or to none. A filter that others put there stays where there is none of ours.
fn set_filter(nic: &mut Element, filter: Option<&firewall::Reference>) {
    let Some(firewall::Reference { name, parameters }) = filter else {
        nic.retain(|own| own.name != "filterref" || !is_ours(own));
        return;
    };
    let parameter = |(name, value): &(String, String)| {
        Element::new("parameter").attr("name", name).attr("value", value)
    };
    let reference = Element::new("filterref").attr("filter", name);
    let reference = reference.with(parameters.iter().map(parameter));
    let is_same = nic
        .find("filterref")
        .is_some_and(|own| own.get("filter") == Some(name) && own.all().eq(reference.all()));
    if !is_same {
        nic.put(reference);
    }
}

fn is_ours(reference: &Element) -> bool {
    reference.get("filter").is_some_and(|name| name.starts_with(firewall::PREFIX))
}

/// Whether a NIC is held to what we would hold it to.
fn is_whole(
    found: &Element,
    (vm, label): (&str, &Name),
    network: &str,
    asked: &Fields,
    directory: &super::Directory,
) -> bool {
    let name = found.get("filter").unwrap_or_default();
    let Some(own) = firewall::reference(vm, label, asked, network) else { return false };
    let parameters: Vec<_> = found.elements("parameter").collect();
    let is_held = |(name, value): &(String, String)| {
        parameters
            .iter()
            .any(|own| own.get("name") == Some(name) && own.get("value") == Some(value))
    };
    if parameters.len() != own.parameters.len() || !own.parameters.iter().all(is_held) {
        return false;
    }
    if name == firewall::network_name(network) {
        return true;
    }
    name == firewall::nic_name(vm, label, network)
        && directory.filter(name).is_some_and(|own| firewall::holds_nic(own, network))
}

/// A MAC as libvirt writes it.
pub fn mac_text(mac: [u8; 6]) -> String {
    mac.map(|byte| format!("{byte:02x}")).join(":")
}

/// A MAC as libvirt writes it, read.
pub fn mac_of(text: &str) -> Option<[u8; 6]> {
    let mut mac = [0; 6];
    let mut parts = text.split(':');
    for byte in &mut mac {
        *byte = u8::from_str_radix(parts.next()?, 16).ok()?;
    }
    parts.next().is_none().then_some(mac)
}

/// The attributes of all NICs. `asked` is what was last asked of us.
pub(super) fn read(domain: &Element, asked: &Fields, context: &super::Directory) -> Fields {
    let devices = domain.find("devices").into_iter();
    let nics = devices.flat_map(|devices| devices.elements("interface"));
    let vm = domain.content_at("name").unwrap_or_default();
    let nothing = Fields::new();
    nics.filter_map(|nic| {
        let label = label::of_nic(nic)?;
        let asked = asked.map(&label).map_or(&nothing, |asked| asked);
        let mut fields = one(nic, (&vm, &label), asked, context);
        let network = nic.find("source").and_then(|source| source.get("network"));
        // Whose an unread one is, nobody can tell: what was last applied is believed.
        if network.is_some_and(|name| context.is_unread_network(name)) && Note::of(domain).is_some()
        {
            fields.remove("network");
        }
        Some((label, Value::map(fields)))
    })
    .collect()
}

fn one(
    nic: &Element,
    (vm, label): (&str, &Name),
    asked: &Fields,
    directory: &super::Directory,
) -> Fields {
    let mut fields = Fields::new();
    let source = nic.find("source");
    let of = |name: &str| source.and_then(|source| source.get(name));
    if let Some(name) = of("network") {
        fields.insert("network", directory.network_value(name));
    } else if let Some(name) = of("bridge").or_else(|| of("dev")).or_else(|| nic.get("type")) {
        fields.insert("network", Value::text(name));
    }
    if let Some(mac) = nic.find("mac").and_then(|mac| mac_of(mac.get("address")?)) {
        fields.insert("mac", Value::Mac(mac));
    }
    if let Some(model) = nic.find("model").and_then(|model| model.get("type")) {
        fields.insert("model", Value::text(model));
    }
    let average = |way: &str| nic.find("bandwidth")?.find(way)?.get("average")?.parse::<u64>().ok();
    if let Some(found) = average("inbound").filter(|found| average("outbound") == Some(*found)) {
        let same = asked.number("max_rate").filter(|asked| kilobytes(*asked) == found);
        fields.insert("max_rate", Value::Rate(same.unwrap_or(found * 8_000)));
    }
    if let Some(address) = asked.get("address") {
        fields.insert("address", address.clone());
    }
    let is_hidden =
        |own: &Element| own.get("filter").is_some_and(|own| directory.is_unread_filter(own));
    if nic.find("filterref").is_some_and(is_hidden) {
        keep_rules(asked, &mut fields);
        return fields;
    }
    // One that somebody changed, or that holds it to other addresses, is as good as none.
    let filter = nic.find("filterref").filter(|own| {
        let network = of("network").unwrap_or_default();
        is_ours(own) && is_whole(own, (vm, label), network, asked, directory)
    });
    fields.insert("filter", Value::Bool(filter.is_some()));
    // The rules of a NIC without a filter wait until it has one.
    if filter.is_none() {
        keep_rules(asked, &mut fields);
        return fields;
    }
    let own = filter.and_then(|own| directory.filter(own.get("filter")?));
    for (name, value) in firewall::read_nic(own).iter().filter(|(_, v)| **v != Value::None) {
        fields.insert(name.clone(), value.clone());
    }
    fields
}

/// The rules that were last asked for.
fn keep_rules(asked: &Fields, fields: &mut Fields) {
    for name in ["admits", "reaches"] {
        if let Some(value) = asked.get(name) {
            fields.insert(name, value.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn macs_are_read_as_they_are_written() {
        let mac = [0x52, 0x54, 0, 0xab, 1, 0xff];
        assert_eq!(mac_text(mac), "52:54:00:ab:01:ff");
        assert_eq!(mac_of("52:54:00:AB:01:FF"), Some(mac));
        for wrong in ["", "52:54:00:ab:01", "52:54:00:ab:01:ff:00", "52:54:00:ab:01:fg"] {
            assert_eq!(mac_of(wrong), None, "{wrong}");
        }
    }
}
