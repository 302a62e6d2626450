//! What has to be unique or of a certain form besides addresses: MACs, hypervisor names, keys,
//! digests.

use std::collections::BTreeMap;

use tcloud_model::value::MacText;
use tcloud_model::{
    Address, Deployment, DesiredResource, Diagnostic, Identity, Key, Name, ObjectId, Value, codes,
};

use super::facts::{Facts, Nic};

pub(super) fn check(facts: &Facts<'_>, found: &mut Vec<Diagnostic>) {
    macs(facts, found);
    hypervisor_names(facts, found);
    for tenant in facts.tenants.values() {
        tenant_key(facts, tenant.resource, found);
    }
    for image in &facts.images {
        digest(facts, image, found);
    }
}

fn macs(facts: &Facts<'_>, found: &mut Vec<Diagnostic>) {
    let mut taken: BTreeMap<[u8; 6], Nic<'_>> = BTreeMap::new();
    for nic in facts.nics() {
        let Some(Value::Mac(mac)) = nic.fields.get("mac") else { continue };
        let Some(first) = taken.get(mac) else {
            taken.insert(*mac, nic);
            continue;
        };
        let span = facts.span(nic.vm, &nic.path("mac"));
        let first_span = facts.span(first.vm, &first.path("mac"));
        let (one, two) = (first.vm.address.last_segment(), nic.vm.address.last_segment());
        let (span, other) = (span.max(first_span), span.min(first_span));
        found.push(
            Diagnostic::error(
                codes::E0320,
                span,
                format!("MAC address {} is used twice, by {one} and {two}", MacText(mac)),
            )
            .label("again here")
            .also(other, "first used here")
            .help("leave `mac` out: tcloud derives one that stays"),
        );
    }
}

/// `web[1]` and `web-1` would have one name on a hypervisor. Names are hashed without being made;
/// only what collides is written out.
fn hypervisor_names(facts: &Facts<'_>, found: &mut Vec<Diagnostic>) {
    let mut hashes: Vec<(u64, &DesiredResource)> = Vec::new();
    // A handful of kinds: cheaper to look through than to hash.
    let mut kinds: Vec<(&Name, bool)> = Vec::new();
    for (address, resource) in &facts.graph.resources {
        let kind = address.kind();
        let managed = match kinds.iter().find(|(name, _)| *name == kind) {
            Some((_, managed)) => *managed,
            None => {
                let schema = facts.catalog.get(kind);
                let managed = schema.is_some_and(|schema| schema.role.is_managed());
                kinds.push((kind, managed));
                managed
            }
        };
        if managed {
            hashes.push((name_hash(address), resource));
        }
    }
    // A stable sort keeps the order of addresses within equal hashes.
    hashes.sort_by_key(|(hash, _)| *hash);
    for pair in hashes.windows(2) {
        let [(a, first), (b, second)] = pair else { continue };
        if a == b {
            found.extend(one_name(facts, first, second));
        }
    }
}

fn one_name(
    facts: &Facts<'_>,
    first: &DesiredResource,
    second: &DesiredResource,
) -> Option<Diagnostic> {
    let (a, b) = (&first.address, &second.address);
    let parents = (a.parent(), b.parent());
    // The parts of two VMs with one name: the VMs are reported.
    if a.kind() == "disk" && parents.0 != parents.1 {
        return None;
    }
    let name = |address: &Address| {
        let object = ObjectId { address: address.clone(), host: address.clone(), incarnation: 0 };
        Identity::derive(&Deployment::new(""), &object, false).name
    };
    let text = name(a);
    if text != name(b) {
        return None;
    }
    let (mut order, mut spans) = ([a, b], [facts.head(first), facts.head(second)]);
    if spans[1] < spans[0] {
        order.reverse();
        spans.reverse();
    }
    let [first, second] = order.map(Address::last_segment);
    Some(
        Diagnostic::error(
            codes::E0322,
            spans[1],
            format!("{second} and {first} would have the same name on a hypervisor, `{text}`"),
        )
        .label("the same name")
        .also(spans[0], format!("{first} is this one"))
        .help("rename one of them"),
    )
}

/// Equal for addresses whose hypervisor names are equal.
fn name_hash(address: &Address) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut add = |bytes: &[u8]| {
        for byte in bytes {
            // Quotes and the closing bracket are left out of names.
            if !matches!(byte, b'"' | b']') {
                hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
            }
        }
    };
    let mut at = Some(address);
    while let Some(segment) = at {
        add(segment.kind().as_bytes());
        add(b" ");
        add(segment.name().as_bytes());
        match segment.key() {
            None => {}
            Some(Key::Int(number)) => {
                add(b"-");
                add(digits(*number, &mut [0; 20]));
            }
            Some(Key::Text(text)) => {
                add(b"-");
                add(text.as_bytes());
            }
            // Rare enough to be written.
            Some(Key::Ref(key)) => {
                add(b"-");
                add(key.to_string().as_bytes());
            }
        }
        add(b"/");
        at = segment.parent();
    }
    hash
}

/// A number's decimal digits.
fn digits(number: i64, buffer: &mut [u8; 20]) -> &[u8] {
    let mut rest = number.unsigned_abs();
    let mut start = buffer.len();
    for slot in buffer.iter_mut().rev() {
        *slot = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        start -= 1;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if number < 0 && start > 0 {
        start -= 1;
        buffer[start] = b'-';
    }
    &buffer[start..]
}

/// The official municipality key has eight digits.
fn tenant_key(facts: &Facts<'_>, tenant: &DesiredResource, found: &mut Vec<Diagnostic>) {
    let Some(key) = tenant.attributes.text("key") else { return };
    let is_digits = key.bytes().all(|byte| byte.is_ascii_digit());
    if is_digits && key.len() == 8 {
        return;
    }
    let help = if is_digits && key.len() == 12 {
        "this looks like the regional key of twelve digits; the municipality key leaves out the \
         sixth to ninth digit"
    } else {
        "write eight digits in quotes: state, district, county, municipality, such as `\"16066069\"`"
    };
    found.push(
        Diagnostic::error(
            codes::E0230,
            facts.span(tenant, "key"),
            format!("{} is not a municipality key", Value::text(key)),
        )
        .label(format!("{} characters", key.chars().count()))
        .help(help),
    );
}

/// `sha256:` and 64, or `sha512:` and 128 hexadecimal digits.
fn digest(facts: &Facts<'_>, image: &DesiredResource, found: &mut Vec<Diagnostic>) {
    let Some(digest) = image.attributes.text("digest") else { return };
    let (label, help) = match digest.split_once(':') {
        Some((algorithm @ ("sha256" | "sha512"), rest)) => {
            let digits = if algorithm == "sha256" { 64 } else { 128 };
            let is_hex = rest.bytes().all(|byte| byte.is_ascii_hexdigit());
            if is_hex && rest.len() == digits {
                return;
            }
            let label = if is_hex {
                format!("{} digits, {algorithm} has {digits}", rest.len())
            } else {
                "not all of it is hexadecimal digits".to_owned()
            };
            (label, format!("`{algorithm}sum FILE` prints the {digits} digits"))
        }
        Some(_) => (
            "an algorithm that is not accepted".to_owned(),
            "write `sha256:` or `sha512:` and the digest of the file".to_owned(),
        ),
        None => (
            "the algorithm is missing".to_owned(),
            "write `sha256:` or `sha512:` before it".to_owned(),
        ),
    };
    found.push(
        Diagnostic::error(
            codes::E0231,
            facts.span(image, "digest"),
            format!("image `{}` has no valid digest", image.address.last_name()),
        )
        .label(label)
        .help(help),
    );
}
